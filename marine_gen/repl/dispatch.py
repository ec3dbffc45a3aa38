"""Running one command line: find its command, run it, report its failure. Lines come from `terminal` or `pipe`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from marine_gen.repl.command import Command, Word
from marine_gen.repl.failure import CommandError, because
from marine_gen.repl.reading import take_values, take_word, unfinished
from marine_gen.repl.registry import by_name
from marine_gen.repl.session import Session


def execute(session: Session, line: str) -> None:
    """Run one command line; a failure is written, and remembered in `session.failed`. Ctrl-C ends the command."""
    if not line.strip():
        return
    if not line.startswith(" "):
        session.lines.append(line)
    with _reporting(session):
        word, rest = take_word(line)
        _command(word).run(session, rest)


def goes_on(text: str) -> bool:
    """True if `text` is the beginning of a command: a JSON value is open, and no empty line ends it."""
    words = text.split(None, 1)
    if len(words) < 2 or text.endswith("\n\n"):
        return False
    command = by_name().get(words[0])
    if command is None or Word.ARGUMENTS not in command.words:
        return False
    try:
        return unfinished(take_values(words[1]))
    except CommandError:  # of a quoted word
        return False


def _command(word: str) -> Command:
    from marine_runtime.texts import suggestion

    command = by_name().get(word)
    if command is None:
        raise CommandError(f"there is no command `{word}` (`help` lists all){suggestion(word, list(by_name()))}")
    return command


@contextmanager
def _reporting(session: Session) -> Iterator[None]:
    """Write every failure inside the block; Ctrl-C is one."""
    try:
        yield
    except CommandError as error:
        _fail(session, error)
    except KeyboardInterrupt:
        _fail(session, CommandError("interrupted: Ctrl-C"))
    except BrokenPipeError:
        raise
    except Exception as error:
        _fail(session, because("error", error))


def _fail(session: Session, error: CommandError) -> None:
    session.failed = True
    session.output.warn(str(error))
    if session.newly_broken():
        session.output.warn(
            "a call was interrupted and nothing was rolled back: modules can be called, in the state that it left; "
            f"`engine {session.engine}` reloads them"
        )
