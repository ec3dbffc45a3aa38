"""Completion of a command line: commands, modules, functions, files, and names of fields inside JSON.

Inside JSON the scanner follows brackets and keys up to the cursor, and the types along them, so fields are those of
the record that is being written. This knows no terminal: candidates are texts with the number of characters that they
replace.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from prompt_toolkit.completion import CompleteEvent, PathCompleter
from prompt_toolkit.document import Document

from marine_gen.artifact import ENGINES
from marine_gen.repl.command import Word
from marine_gen.repl.registry import by_name, commands
from marine_gen.repl.session import Session
from marine_runtime import ArgumentError, ModuleInterface
from marine_runtime.types import Array, Field, IType, Prim, Record, describe
from marine_runtime.values import parse

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{},:]|[^\s"\[\]{},:]+')
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"?|\S+')
_PLAIN = re.compile(r'[^\s"]+')


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion.

    Attributes:
        text: the inserted text.
        replaces: the number of characters before the cursor that it replaces.
        about: a short explanation.
    """

    text: str
    replaces: int
    about: str = ""


def complete(session: Session, text: str) -> Iterator[Completion]:
    """The ways to go on behind `text`."""
    given, partial = _split(text)
    if not given:
        for item in commands():
            if item.name.startswith(partial):
                yield Completion(item.name, len(partial), item.summary)
        return
    command = by_name().get(given[0])
    if command is None or not command.words:
        return
    position = len(given) - 1
    if Word.ARGUMENTS in command.words and position >= command.words.index(Word.ARGUMENTS):
        yield from _in_arguments(session, text)
    elif position < len(command.words):
        yield from _words(session, command.words[position], given, partial)


def _split(text: str) -> tuple[list[str], str]:
    """The words before the one at the cursor, and what there is of that one."""
    found = list(_WORD.finditer(text))
    words = [match[0] for match in found]
    if not found or found[-1].end() < len(text):
        return words, ""
    return words[:-1], words[-1]


def _words(session: Session, kind: Word, given: Sequence[str], partial: str) -> Iterator[Completion]:
    if kind is Word.PATH:
        for item in PathCompleter(expanduser=False).get_completions(Document(partial), CompleteEvent()):
            yield Completion(
                item.text, -item.start_position, "directory" if item.display_text.endswith("/") else "file"
            )
        return
    modules = session.service.interface.modules
    choices: dict[str, str] = {}
    if kind is Word.MODULE:
        choices = {_quoted(name): _counted(len(item.functions)) for name, item in modules.items()}
    elif kind is Word.FUNCTION:
        module = modules.get(_unquoted(given[1]))
        if module is not None:
            choices = {_quoted(name): module.signature(name) for name in module.functions}
    elif kind is Word.ENGINE:
        choices = dict.fromkeys(ENGINES, "engine")
    elif kind is Word.COMMAND:
        choices = {item.name: item.summary for item in commands()}
    for name, about in choices.items():
        if name.startswith(partial):
            yield Completion(name, len(partial), about)


@dataclass(slots=True)
class _Level:
    """One bracket that is open.

    Attributes:
        array: whether it is an array.
        index: the number of commas so far.
        key: the key whose value comes now; None where a key comes.
        keys: the keys so far.
    """

    array: bool
    index: int = 0
    key: str | None = None
    keys: list[str] = field(default_factory=list)


def _in_arguments(session: Session, text: str) -> Iterator[Completion]:
    """Keys of the object that is open at the cursor, and values where few are possible."""
    _, first, second, *arguments = _WORD.finditer(text)
    module = session.service.interface.modules.get(_unquoted(first[0]))
    if module is None or _unquoted(second[0]) not in module.functions:
        return
    params = module.functions[_unquoted(second[0])].params
    levels, partial, last = _scan(text[arguments[0].start() :] if arguments else "")
    if levels and not levels[-1].array and levels[-1].key is None:
        if last in ("{", ",") or partial:
            for member in _members(params, module, levels):
                name = json.dumps(member.name, ensure_ascii=False)
                if member.name not in levels[-1].keys and name.startswith(partial):
                    yield Completion(f"{name}: ", len(partial), describe(member.type, module.records))
        return
    ty = _type_at(params, module, levels)
    if ty is Prim.BOOLEAN and (partial or last in ("[", ",", ":")):
        for value in ("true", "false"):
            if value.startswith(partial):
                yield Completion(value, len(partial), "bool")


def _scan(text: str) -> tuple[list[_Level], str, str]:
    """The open brackets at the end of `text`, the beginning of a key or value there, and what is before that."""
    levels: list[_Level] = []
    pieces = list(_PIECE.finditer(text))
    partial = ""
    if pieces and pieces[-1].end() == len(text) and _begun(pieces[-1][0]):
        partial = pieces.pop()[0]
    for match in pieces:
        piece = match[0]
        if piece in ("[", "{"):
            levels.append(_Level(piece == "["))
        elif not levels:
            continue
        elif piece in ("]", "}"):
            levels.pop()
        elif piece == ",":
            levels[-1].index += 1
            levels[-1].key = None
        elif piece.startswith('"') and not levels[-1].array and levels[-1].key is None:
            levels[-1].key = _unquoted(piece)
            levels[-1].keys.append(levels[-1].key)
    return levels, partial, pieces[-1][0] if pieces else ""


def _begun(piece: str) -> bool:
    """True if a piece may go on: a word, or a string without its end."""
    if piece.startswith('"'):
        return len(piece) == 1 or not piece.endswith('"') or piece.endswith('\\"')
    return piece not in "[]{},:"


def _members(params: Sequence[Field], module: ModuleInterface, levels: Sequence[_Level]) -> Sequence[Field]:
    """The content of the innermost bracket: parameters, or fields of a record."""
    if len(levels) == 1:
        return params
    ty = _type_at(params, module, levels[:-1])
    return module.records[ty.id].fields if isinstance(ty, Record) else ()


def _type_at(params: Sequence[Field], module: ModuleInterface, levels: Sequence[_Level]) -> IType | None:
    """The type of the value that comes now in the innermost of `levels`."""
    ty: IType | None = None
    for depth, level in enumerate(levels):
        if depth and isinstance(ty, Array):
            ty = ty.element if level.array else None
            continue
        members = params if not depth else module.records[ty.id].fields if isinstance(ty, Record) else ()
        if level.array:
            ty = members[level.index].type if level.index < len(members) else None
        else:
            ty = next((item.type for item in members if item.name == level.key), None)
        if ty is None:
            return None
    return ty


def _quoted(name: str) -> str:
    """A name as a word of a command line."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _unquoted(word: str) -> str:
    if word.startswith('"'):
        try:
            return str(parse(word))
        except ArgumentError:
            return word
    return word


def _counted(count: int) -> str:
    return "1 function" if count == 1 else f"{count} functions"
