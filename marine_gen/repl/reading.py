"""Reading a command line: words, then JSON values as they stand.

Words are separated by white space; a word in double quotes is a JSON string, for names and paths with spaces. What is
left is one text, so blanks inside JSON stay. A value may go on over several lines while one of its brackets is open.
"""

from __future__ import annotations

import json
import re
from typing import Any

from marine_gen.repl.failure import CommandError
from marine_runtime import ArgumentError
from marine_runtime.values import parse

_WORD = re.compile(r"\S+")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*("|$)', re.MULTILINE)
_LONGEST_EXCERPT = 160
_DECODER = json.JSONDecoder()


def take_word(text: str) -> tuple[str, str]:
    """The first word of `text`, and what follows it; an empty word at the end.

    Raises:
        CommandError: a quoted word is not a JSON string.
    """
    text = text.lstrip()
    if text.startswith('"'):
        try:
            word, end = _DECODER.raw_decode(text)
        except ValueError as error:
            raise CommandError(f"the quoted word is not a JSON string: {_sentence(error)}") from None
        return str(word), text[end:].lstrip()
    match = _WORD.match(text)
    return (match[0], text[match.end() :].lstrip()) if match else ("", "")


def take_named(text: str, what: str) -> tuple[str, str]:
    """As `take_word`, for a word that has to be there; `what` begins the message when it is not.

    Raises:
        CommandError: there is no word.
    """
    word, rest = take_word(text)
    if not word:
        raise CommandError(f"{what} should be specified")
    return word, rest


def take_function(text: str) -> tuple[str, str, str]:
    """Module, function, and what follows them.

    Raises:
        CommandError: one of them is missing.
    """
    module, text = take_named(text, "Module name")
    function, text = take_named(text, "Function name")
    return module, function, text


def unfinished(text: str) -> bool:
    """True if a bracket of the JSON in `text` is still open, so that the value goes on in the next line."""
    depth = 0
    position = 0
    while position < len(text):
        character = text[position]
        if character == '"':
            match = _STRING.match(text, position)
            if match is None or not match[1]:
                return False  # a string can't go on in another line: the error is to be shown now
            position = match.end()
            continue
        depth += (character in "[{") - (character in "]}")
        if depth < 0:
            return False
        position += 1
    return depth > 0


def take_json(text: str, what: str) -> tuple[str, str]:
    """The text of the JSON value at the beginning of `text`, and what follows it.

    Args:
        text: one or more values.
        what: what the message of a failure calls the value.

    Raises:
        CommandError: there is no valid value; the message marks the place.
    """
    text = text.strip()
    if not text:
        raise CommandError(f"invalid {what}: EOF while parsing a value at line 1 column 0")
    try:
        _, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise CommandError(marked(f"invalid {what}: {_sentence(error)}", text, error.pos)) from None
    except RecursionError:
        raise CommandError(f"invalid {what}: it is nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits
        raise CommandError(f"invalid {what}: {error}") from None
    value = text[:end]
    read_json(value, what)
    return value, text[end:].lstrip()


def read_json(text: str, what: str) -> Any:
    """The document that `text` is, under the rules for arguments.

    Raises:
        CommandError: it is not JSON, `NaN` for example.
    """
    try:
        return parse(text)
    except ArgumentError as error:
        raise CommandError(f"invalid {what}: {str(error).removeprefix('invalid JSON at ')}") from None


def refuse_rest(rest: str, usage: str) -> None:
    """Raise a CommandError when something is left of a command line."""
    if rest.strip():
        raise CommandError(f"too much: `{rest.strip()}`; the command is `{usage}`")


def _sentence(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        problem = error.msg[:1].lower() + error.msg[1:]
        return f"{problem.removesuffix(' starting at').removesuffix(' at')} at line {error.lineno} column {error.colno}"
    return str(error)


def marked(message: str, text: str, position: int) -> str:
    """`message`, the line of `text` with `position`, and a caret under that."""
    start = text.rfind("\n", 0, position) + 1
    line = text[start:].split("\n", 1)[0]
    column = position - start
    if len(line) > _LONGEST_EXCERPT:
        cut = max(column - _LONGEST_EXCERPT // 2, 0)
        line, column = line[cut : cut + _LONGEST_EXCERPT], column - cut
    shown = "".join(character if character.isprintable() else " " for character in line)
    return f"{message}\n  {shown}\n  {' ' * column}^"
