"""The command that records calls for Perfetto, as `marine-gen run --trace` does."""

from __future__ import annotations

from pathlib import Path

from marine_gen.repl.command import Command, Word
from marine_gen.repl.failure import CommandError, because, interrupted
from marine_gen.repl.reading import refuse_rest, take_word
from marine_gen.repl.session import Session
from marine_runtime import MarineError


def _trace(session: Session, rest: str) -> None:
    word, rest = take_word(rest)
    refuse_rest(rest, TRACE.usage)
    if word:
        _start(session, Path(word))
    else:
        _stop(session)


def _start(session: Session, path: Path) -> None:
    if session.tracer is not None:
        raise CommandError("calls are already being recorded; `trace` stops the recording and writes the file")
    try:
        session.record(path)
    except KeyboardInterrupt:
        raise interrupted("loading") from None
    except MarineError as error:
        raise because("recording failed with", error) from None
    session.output.note("modules were reloaded, their state is lost; calls are recorded until `trace` writes the file")


def _stop(session: Session) -> None:
    tracer = session.tracer
    if tracer is None:
        raise CommandError("nothing is being recorded; `trace FILE.json` starts a recording")
    try:
        session.stop_recording()
    except MarineError as error:
        raise because("recording failed with", error) from None
    crossings = [event for event in tracer.document()["traceEvents"] if event["ph"] == "X"]
    session.output.note(
        f"{len(crossings)} crossings were written; `engine {session.engine}` reloads the modules without it"
    )


TRACE = Command(("trace",), "[path]", "record calls for Perfetto; without a path, write the file", _trace, (Word.PATH,))

COMMANDS = (TRACE,)
