"""Commands from a pipe or a file: no prompts, data on stdout, messages on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from marine_gen.repl.reading import unfinished
from marine_gen.repl.registry import Word, by_name
from marine_gen.repl.session import Session
from marine_runtime.errors import ArgumentError


def obey(session: Session) -> None:
    """Run the lines of stdin; a failing command does not stop those behind it.

    Raises:
        ArgumentError: stdin is not UTF-8.
    """
    for line in _lines():
        session.execute(line)
        if not session.running:
            return


def _lines() -> Iterator[str]:
    """The lines of stdin, those of one value joined."""
    if sys.stdin is None:
        return
    text = ""
    for raw in sys.stdin.buffer:
        try:
            text += raw.decode()
        except UnicodeDecodeError as error:
            raise ArgumentError(f"the commands on stdin are not UTF-8 (byte {error.start} of a line)") from None
        if not goes_on(text):
            yield text.rstrip("\r\n")
            text = ""
    if text:
        yield text.rstrip("\r\n")


def goes_on(text: str) -> bool:
    """Whether `text` is the beginning of a command: a JSON value is open, and no empty line ends it."""
    if text.endswith("\n\n"):
        return False
    word, _, rest = text.lstrip().partition(" ")
    command = by_name().get(word)
    return command is not None and Word.ARGUMENTS in command.words and unfinished(rest)
