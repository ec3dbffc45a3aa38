"""Taking generated Python apart: the code of each definition by itself.

A generated file is record classes, constants and one function, `__bind`, with a definition for every adapter, entry and
helper. As one code object, compilers take more than linear time for it, and every load makes all of it. Lines stay as
they are in the file, for tracebacks and for the table of sites.
"""

from __future__ import annotations
import __future__

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from types import CodeType

from marine_runtime.adapters.marshalled import dump
from marine_runtime.adapters.pieces import (
    BIND,
    IMPORTS,
    RECORDS,
    TABLES,
    Piece,
    PieceBytes,
    Pieces,
    class_key,
    piece_digest,
)
from marine_runtime.lazy.typing import Any

_FLAGS = __future__.annotations.compiler_flag

_OUTSIDE = re.compile(r"[^\s#)]")
"""The start of a line that begins a statement outside of `__bind`."""

_CONSTANT = re.compile(r"(?P<name>__\w+)(?:: [^=]*)? = ")

_NAME = re.compile(r"\w+")
_CLASS = re.compile(r"class (\w+)\(")

_STATEMENT = re.compile(r" {4}[^\s#)\]}]")
"""The start of a line that begins a statement of `__bind`."""

_DOCSTRING = '    """'
_DEFINITION = re.compile(r" {4}(?:def (?P<function>\w+)\(|(?P<variable>\w+)(?P<annotation>: [^=]*)? = )")
_NONLOCAL = re.compile(r"^( {8})nonlocal ", re.MULTILINE)

LARGE = 150_000
"""Characters of a generated file, some forty functions, from which on each definition is a piece. `__bind` of a smaller
one is bound as a whole; where a build has no code of it, Python compiles and caches the file.
"""


def is_large(source: str) -> bool:
    """Return whether the definitions of a generated file are to be pieces by themselves."""
    return len(source) >= LARGE


def take_apart(source: str, filename: str, *, whole: bool = False) -> Pieces | None:
    """The pieces of a generated file; None when it has no record classes, and no `__bind` that ends in its results.

    The text is cut where a statement of `__bind` begins, and each part compiled by itself: a syntax tree of the whole
    file, as Python objects, would take longer than all of that.

    Args:
        source: the text of the file.
        filename: the file name in its code.
        whole: let `__bind` be one piece: that takes less time to compile, and to execute when most of it is needed.

    Raises:
        SyntaxError: it is not Python.
    """
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.startswith(f"def {BIND}(")), len(lines))
    end = next((number for number in range(first + 1, len(lines)) if _OUTSIDE.match(lines[number])), len(lines))
    starts = [number for number in range(first + 1, end) if _STATEMENT.match(lines[number])]
    results = _results(lines[starts[-1] : end]) if starts else None
    records = _take_records(lines, first, filename)
    if results is None or records is None:
        return None
    names, classes = records
    tables = next((number for number in range(first) if lines[number].startswith(f"{IMPORTS}: ")), first)
    constants = _take_constants(lines, [range(tables, first), range(end, len(lines))], filename)
    codes = dict(constants)
    if whole:
        codes[BIND] = _compiled("\n".join([*[""] * first, *lines[first:end]]), filename)
    for start, stop in () if whole else pairwise(starts):
        if not lines[start].startswith(_DOCSTRING):
            name, text = _plain(lines[start:stop], start + 1)
            codes[name] = _moved(_compiled(text, filename), start - 1)
    definitions: dict[str, Piece] = {}
    parts: list[bytes] = []
    place = 0
    for name, code in {**codes, **{class_key(name): code for name, code in classes.items()}}.items():
        requested: tuple[str, ...] = ()
        if name in codes:
            # The text in a table, such as the name of a module, is no annotation, even where a record is named like it.
            annotated = () if name in constants else _annotated(code, inside=name == BIND)
            mentioned = dict.fromkeys([*_names(code), *annotated])
            requested = tuple(other for other in mentioned if (other in codes or other in classes) and other != name)
        parts.append(data := dump(code))
        definitions[name] = requested, place, len(data), piece_digest(data)
        place += len(data)
    head = _compiled("\n".join([*lines[:first], *[""] * (end - first), *lines[end:]]), filename)
    return Pieces(dump(head), names, definitions, results, PieceBytes(b"".join(parts)))


def _take_records(lines: list[str], end: int, filename: str) -> tuple[dict[int, str], dict[str, CodeType]] | None:
    """The names of the record classes in front of line `end` by type index, and their codes; None without a table.

    The lines become free of them.
    """
    codes: dict[str, CodeType] = {}
    for start, stop in _outside(lines, range(end)):
        if found := _CLASS.match(lines[start]):
            first = start - 1  # the line of its decorator
            codes[found[1]] = _moved(_compiled("\n".join(lines[first:stop]), filename), first)
            lines[first:stop] = [""] * (stop - first)
        elif lines[start].startswith(f"{RECORDS}: "):
            names = _names_by_index(lines[start])
            lines[start] = ""
            return names, {name: codes[name] for name in names.values()}
    return None


def _take_constants(lines: list[str], parts: Iterable[range], filename: str) -> dict[str, CodeType]:
    """The codes of constants outside of `__bind`, except of what a load needs; the lines become free of them."""
    codes = {}
    for part in parts:
        for start, stop in _outside(lines, part):
            found = _CONSTANT.match(lines[start])
            if found is not None and found["name"] not in TABLES:
                text = "\n".join([f"{found['name']} = {lines[start][found.end() :]}", *lines[start + 1 : stop]])
                codes[found["name"]] = _moved(_compiled(text, filename), start)
                lines[start:stop] = [""] * (stop - start)
    return codes


def _outside(lines: Sequence[str], part: range) -> Iterator[tuple[int, int]]:
    """The first line of each statement outside of `__bind` in this part of a file, and the line behind its last."""
    starts = [number for number in part if _OUTSIDE.match(lines[number])]
    return pairwise([*starts, part.stop])


def _names_by_index(line: str) -> dict[int, str]:
    """The names in the table of record classes."""
    match ast.parse(line).body:
        case [ast.AnnAssign(value=ast.Dict(keys=keys, values=values))]:
            names = zip(keys, values, strict=True)
            return {ast.literal_eval(_key(key)): _result(name) for key, name in names}
        case _:
            raise SyntaxError(f"`{RECORDS}` is not a table")


def _compiled(text: str, filename: str) -> CodeType:
    code: CodeType = compile(text, filename, "exec", _FLAGS, dont_inherit=True)
    return code


def _moved(code: CodeType, lines: int) -> CodeType:
    """The code, with what is inside of it, so many lines further down in its file."""
    inside = tuple(_moved(item, lines) if isinstance(item, CodeType) else item for item in code.co_consts)
    return code.replace(co_firstlineno=code.co_firstlineno + lines, co_consts=inside)


def _names(code: CodeType) -> Iterator[str]:
    """The globals and attributes that code and the functions inside of it mention."""
    yield from code.co_names
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield from _names(item)


def _annotated(code: CodeType, *, inside: bool = False) -> Iterator[str]:
    """The names in annotations of functions that code defines: they are text, which nobody evaluates at a call.

    With `inside`, also of those that such functions define.
    """
    for item in code.co_consts:
        for text in item if isinstance(item, tuple) else (item,):
            if isinstance(text, str):
                yield from _NAME.findall(text)
        if isinstance(item, CodeType) and (inside or item.co_name == "__annotate__"):  # from Python 3.14 on
            yield from _annotated(item, inside=inside)


def _plain(lines: list[str], number: int) -> tuple[str, str]:
    """The name that a statement of `__bind` defines, and the statement for a module, below a line of its own.

    What was a variable of `__bind` is a global there. Columns stay as they are.
    """
    found = _DEFINITION.match(lines[0])
    if found is None:
        raise SyntaxError(f"`{BIND}` has a statement in line {number} that defines nothing")
    name, annotation = found["function"] or found["variable"], found["annotation"] or ""
    lines[0] = lines[0].replace(annotation, " " * len(annotation), 1) if annotation else lines[0]
    return name, _NONLOCAL.sub(r"\1global ", "\n".join(["if True:", *lines]))


def _results(lines: list[str]) -> dict[str, dict[Any, Any]] | None:
    """The parts of `BoundAdapters` that the last statement of `__bind` gives; None when it is another one."""
    statement = ast.parse("\n".join(["if True:", *lines])).body[0]
    assert isinstance(statement, ast.If)
    match statement.body:
        case [ast.Return(value=ast.Call(keywords=keywords))]:
            return {
                keyword.arg or "": {
                    ast.literal_eval(_key(key)): _result(value)
                    for key, value in zip(keyword.value.keys, keyword.value.values, strict=True)
                }
                for keyword in keywords
                if isinstance(keyword.value, ast.Dict)
            }
        case _:
            return None


def _result(value: ast.expr) -> Any:
    """The name of a function, with the codes before it for an import."""
    if isinstance(value, ast.Call):
        params, results, run = value.args
        return ast.literal_eval(params), ast.literal_eval(results), _result(run)
    assert isinstance(value, ast.Name)
    return value.id


def _key(key: ast.expr | None) -> ast.expr:
    assert key is not None  # no display of `__bind` takes in another one
    return key
