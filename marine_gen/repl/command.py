"""One command of the interactive loop, and the kinds of words that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from marine_gen.repl.session import Session


class Word(Enum):
    """The kind of one word of a command line, for completion."""

    MODULE = "module"
    FUNCTION = "function"
    PATH = "path"
    ENGINE = "engine"
    COMMAND = "command"
    ARGUMENTS = "arguments"
    FREE = "free"


CALL_WORDS = (Word.MODULE, Word.FUNCTION, Word.ARGUMENTS)
"""The words of a command that takes a call."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        names: its name, then its alias if it has one.
        arguments: the words behind the name, as the help shows them.
        summary: one line for the help.
        run: does it, given the session and the rest of the line; raises CommandError or what the library raises.
        words: the kinds of the words behind the name.
    """

    names: tuple[str, ...]
    arguments: str
    summary: str
    run: Callable[[Session, str], None]
    words: tuple[Word, ...] = ()

    @property
    def name(self) -> str:
        """Its full name."""
        return self.names[0]

    @property
    def usage(self) -> str:
        """One line about its use: `c/call <module_name> …`."""
        return f"{'/'.join(reversed(self.names))} {self.arguments}".rstrip()
