"""Commands that show or change how calls are run: the engine, the time limit."""

from __future__ import annotations

from marine_gen.console.numbers import number_in
from marine_gen.repl.command import Command, Word
from marine_gen.repl.failure import CommandError, because, interrupted
from marine_gen.repl.reading import refuse_rest, take_word
from marine_gen.repl.session import LONGEST_TIMEOUT, Session
from marine_gen.repl.spelling import duration
from marine_runtime import MarineError
from marine_runtime.texts import suggestion


def _engine(session: Session, rest: str) -> None:
    from marine_gen.artifact import ENGINES

    name, rest = take_word(rest)
    refuse_rest(rest, ENGINE.usage)
    if not name:
        session.output.data(f"{session.engine}, {session.service.call_layer} calls", "engine: ")
        return
    if name not in ENGINES:
        raise CommandError(f"there is no engine `{name}`{suggestion(name, ENGINES)}; available: {', '.join(ENGINES)}")
    try:
        elapsed = session.reload(name)
    except KeyboardInterrupt:
        raise interrupted("loading") from None
    except MarineError as error:
        raise because("loading failed with", error) from None
    session.output.note(f"modules were reloaded with engine {name}, their state is lost\nelapsed time: {elapsed}")


def _timeout(session: Session, rest: str) -> None:
    word, rest = take_word(rest)
    refuse_rest(rest, TIMEOUT.usage)
    if word:
        session.timeout = _seconds(word)
    session.output.data(duration(round(session.timeout * 10**9)), "a call may take ")


def _seconds(text: str) -> float:
    value = number_in(text)
    if not 0 < value <= LONGEST_TIMEOUT:
        raise CommandError(f"`{text}` is not a number of seconds up to {LONGEST_TIMEOUT:g}")
    return value


ENGINE = Command(("engine",), "[engine]", "print the engine, or reload modules with one", _engine, (Word.ENGINE,))
TIMEOUT = Command(("timeout",), "[seconds]", "print or set the time that a call may take", _timeout, (Word.FREE,))

COMMANDS = (ENGINE, TIMEOUT)
