"""Reading a command line: words, then JSON values as they stand.

Words are separated by white space; a word in double quotes is a JSON string, for names and paths with spaces. What is
left is one text, so blanks inside JSON stay. A value may go on over several lines while one of its brackets is open.
"""

from __future__ import annotations

import re

from marine_gen.repl.failure import CommandError
from marine_runtime.values import NotJsonError, end_of_value, parse_first

_WORD = re.compile(r"\S+")
_LONGEST_EXCERPT = 160


def take_word(text: str) -> tuple[str, str]:
    """The first word of `text`, and what follows it; an empty word at the end.

    Raises:
        CommandError: a quoted word is not a JSON string.
    """
    text = text.lstrip()
    if text.startswith('"'):
        try:
            word, end = parse_first(text)
        except NotJsonError as error:
            raise CommandError(f"the quoted word is not a JSON string: {_sentence(error, text)}") from None
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


NO_RESULT = "-nr"
"""A word before the arguments of a call, whose result is then left out."""


def take_flag(text: str) -> tuple[bool, str]:
    """True if `text` begins with `NO_RESULT`; and the rest of it."""
    word = text.split(None, 1)[:1]
    return (True, text.lstrip()[len(NO_RESULT) :]) if word == [NO_RESULT] else (False, text)


def take_values(text: str) -> str:
    """The rest of a call behind module, function and flag.

    Raises:
        CommandError: a quoted word is not a JSON string.
    """
    for _ in range(2):
        _, text = take_word(text)
    return take_flag(text)[1]


def unfinished(text: str) -> bool:
    """True if the last of the JSON values in `text` is still open, so that it may go on in the next line."""
    rest = text.strip()
    while rest:
        try:
            rest = rest[end_of_value(rest) :].lstrip()
        except NotJsonError as error:
            # A string can't go on in another line, so its error is to be shown now.
            return error.position is not None and error.position >= len(rest)
    return False


def take_json(text: str, what: str) -> tuple[str, str]:
    """The text of the JSON value at the beginning of `text`, and what follows it.

    Args:
        text: one or more values.
        what: the name of the value in the message of a failure.

    Raises:
        CommandError: there is no valid value; the message marks the place.
    """
    text = text.strip()
    if not text:
        raise CommandError(f"invalid {what}: EOF while parsing a value at line 1 column 0")
    try:
        _, end = parse_first(text)
    except NotJsonError as error:
        message = f"invalid {what}: {_sentence(error, text)}"
        raise CommandError(message if error.position is None else marked(message, text, error.position)) from None
    return text[:end], text[end:].lstrip()


def refuse_rest(rest: str, usage: str) -> None:
    """Raise a CommandError when something is left of a command line."""
    if rest.strip():
        raise CommandError(f"unexpected words `{rest.strip()}`; the command is `{usage}`")


def _sentence(error: NotJsonError, text: str) -> str:
    problem = error.problem.removesuffix(" starting at").removesuffix(" at")
    if error.position is None:
        return problem
    line = text.count("\n", 0, error.position) + 1
    return f"{problem} at line {line} column {error.position - text.rfind(chr(10), 0, error.position)}"


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
