"""Commands about the session itself."""

from __future__ import annotations

from marine_gen.repl.command import Command, Word
from marine_gen.repl.failure import CommandError
from marine_gen.repl.reading import refuse_rest, take_word
from marine_gen.repl.registry import by_name, help_text
from marine_gen.repl.session import Session


def _history(session: Session, rest: str) -> None:
    refuse_rest(rest, HISTORY.usage)
    for line in session.lines:
        session.output.data(line)


def _help(session: Session, rest: str) -> None:
    name, rest = take_word(rest)
    refuse_rest(rest, HELP.usage)
    if not name:
        session.output.data(help_text())
        return
    command = by_name().get(name)
    if command is None:
        raise CommandError(f"there is no command `{name}` (`help` lists all)")
    session.output.data(f"{command.usage}\n  {command.summary}")


def _quit(session: Session, rest: str) -> None:
    refuse_rest(rest, QUIT.usage)
    session.running = False


HISTORY = Command(("history",), "", "print the lines so far", _history)
HELP = Command(("help", "h"), "[command]", "print this message", _help, (Word.COMMAND,))
QUIT = Command(("quit", "q"), "", "exit", _quit)

COMMANDS = (HISTORY, HELP, QUIT)
