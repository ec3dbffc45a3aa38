"""Commands from a pipe or a file: no prompts, data on stdout, messages on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from marine_gen.repl.dispatch import execute, goes_on
from marine_gen.repl.session import Session
from marine_runtime import ArgumentError


def obey(session: Session) -> None:
    """Run the lines of stdin; a failing command does not stop those behind it.

    Raises:
        ArgumentError: stdin is not UTF-8.
    """
    for line in _lines():
        execute(session, line)
        if not session.running:
            return


def _lines() -> Iterator[str]:
    """The lines of stdin, those of one value joined; a byte order mark before the first one does not count."""
    if sys.stdin is None:
        return
    text = ""
    encoding = "utf-8-sig"
    for raw in sys.stdin.buffer:
        try:
            line = raw.decode(encoding)
        except UnicodeDecodeError as error:
            raise ArgumentError(f"the commands on stdin are not UTF-8 (byte {error.start} of a line)") from None
        encoding = "utf-8"
        text += line.rstrip("\r\n") + "\n"
        if not goes_on(text):
            yield text.rstrip("\n")
            text = ""
    if text:
        yield text.rstrip("\n")
