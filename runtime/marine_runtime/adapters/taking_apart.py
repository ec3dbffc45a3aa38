"""Taking generated Python apart: the code of each definition by itself.

A generated file is one function, `__bind`, with a definition for every adapter, entry and helper. As one code object,
compilers take more than linear time for it, and every load makes all of it. Lines stay as they are in the file, for
tracebacks and for the table of sites.
"""

from __future__ import annotations
import __future__

import ast
import marshal
from collections.abc import Iterator
from types import CodeType
from typing import Any

from marine_runtime.adapters.pieces import BIND, Piece, Pieces

_VERSION = 2  # of marshal: later ones mark objects that are shared, which is not the same at every build
_FLAGS = __future__.annotations.compiler_flag


LARGE = 150_000
"""Characters of a generated file, some forty functions, from which on it is taken apart. A smaller one is bound as a
whole: what does not fit its plan is refused when it is loaded, and Python caches it where a build has no code.
"""


def is_large(source: str) -> bool:
    """Return whether a generated file is to be taken apart."""
    return len(source) >= LARGE


def take_apart(source: str, filename: str) -> Pieces | None:
    """The pieces of a generated file; None when it has no function `__bind` that ends in its results.

    Raises:
        SyntaxError: it is not Python.
    """
    module = ast.parse(source, filename)
    bind = next((item for item in module.body if isinstance(item, ast.FunctionDef) and item.name == BIND), None)
    if bind is None or not isinstance(bind.body[-1], ast.Return) or not isinstance(bind.body[-1].value, ast.Call):
        return None
    module.body.remove(bind)
    statements = [item for item in bind.body[:-1] if not isinstance(item, ast.Expr)]  # without the docstring
    defined = {_defined(item): item for item in statements}
    definitions: dict[str, Piece] = {}
    for name, item in defined.items():
        code = _compiled(ast.Module([_plain(item)], []), filename)
        requested = tuple(other for other in dict.fromkeys(_names(code)) if other in defined and other != name)
        definitions[name] = requested, marshal.dumps(code, _VERSION)
    results = {
        keyword.arg or "": {
            ast.literal_eval(_key(key)): _result(value)
            for key, value in zip(keyword.value.keys, keyword.value.values, strict=True)
        }
        for keyword in bind.body[-1].value.keywords
        if isinstance(keyword.value, ast.Dict)
    }
    return Pieces(marshal.dumps(_compiled(module, filename), _VERSION), definitions, results)


def _compiled(module: ast.Module, filename: str) -> CodeType:
    code: CodeType = compile(module, filename, "exec", _FLAGS, dont_inherit=True)
    return code


def _names(code: CodeType) -> Iterator[str]:
    """The globals and attributes that code and the functions inside of it mention."""
    yield from code.co_names
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield from _names(item)


def _defined(statement: ast.stmt) -> str:
    """The name that a statement of `__bind` defines."""
    match statement:
        case ast.FunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            raise SyntaxError(f"`{BIND}` has a statement in line {statement.lineno} that defines nothing")


def _plain(statement: ast.stmt) -> ast.stmt:
    """The statement as one of a module: what was a variable of `__bind` is a global there."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        return ast.copy_location(ast.Assign([statement.target], statement.value), statement)
    if isinstance(statement, ast.FunctionDef):
        statement.body = [
            ast.copy_location(ast.Global(item.names), item) if isinstance(item, ast.Nonlocal) else item
            for item in statement.body
        ]
    return statement


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
