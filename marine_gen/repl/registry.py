"""The commands there are. A file in `commands` has one or more of them in its `COMMANDS`; `FILES` has the order of the
help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_gen.repl.session import Session

FILES = ("services", "calls", "inspect", "settings", "code", "bench", "trace", "general")
"""The files in `commands`."""

_WIDTH = 53  # of the column of usages in the help


class Word(Enum):
    """What a word of a command line is, for completion."""

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
        arguments: what follows the name, as the help shows it.
        summary: one line for the help.
        run: does it, given the session and the rest of the line; raises CommandError or what the library raises.
        words: what the words behind the name are.
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
        """How it is used: `c/call <module_name> …`."""
        return f"{'/'.join(reversed(self.names))} {self.arguments}".rstrip()


@cache
def commands() -> Sequence[Command]:
    """All commands, in the order of the help."""
    return [item for file in FILES for item in import_module(f"marine_gen.repl.commands.{file}").COMMANDS]


@cache
def by_name() -> Mapping[str, Command]:
    """All commands by names and aliases."""
    return {name: item for item in commands() for name in item.names}


def help_text() -> str:
    """The list of commands (spec marine-runtime §9.2)."""
    lines = ["Commands:", ""]
    for item in commands():
        usage = item.usage + ("/Ctrl-D" if item.name == "quit" else "")
        lines.append(f"{usage:<{_WIDTH}} {item.summary}")
    lines += [
        "",
        "<args> and [call_params] should be in json; a value may go on in the next line while a bracket is open",
        "-nr before <args> leaves out the result",
    ]
    return "\n".join(lines)
