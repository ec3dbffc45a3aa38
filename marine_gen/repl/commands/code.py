"""Commands that show what modules are compiled to. Views of one adapter are those of `marine-gen explain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from marine_gen.repl.command import Command, Word
from marine_gen.repl.failure import CommandError
from marine_gen.repl.reading import refuse_rest, take_named, take_word
from marine_gen.repl.session import Session

if TYPE_CHECKING:
    from marine_gen.inspect.views import Subject, View


def _explain(session: Session, rest: str) -> None:
    from marine_gen.artifact import BACKENDS
    from marine_gen.inspect.show import show, title_of
    from marine_gen.inspect.views import views

    subject = _subject(session, rest, EXPLAIN)
    if subject is None:
        raise CommandError("Function name should be specified")
    show(title_of(subject), list(views(subject, BACKENDS[session.engine].form)))


def _source(session: Session, rest: str) -> None:
    from marine_gen.artifact import AdapterForm
    from marine_gen.inspect.views import views

    subject = _subject(session, rest, SOURCE)
    if subject is None:
        module, _ = take_word(rest)
        session.output.data(session.work.compiled[_position(session, module)].generate().source)
        return
    session.output.data(_part(list(views(subject, AdapterForm.PYTHON)), "Python"))


def _wat(session: Session, rest: str) -> None:
    from marine_gen.artifact import AdapterForm
    from marine_gen.artifact.fuse import fuse
    from marine_gen.inspect.views import views

    subject = _subject(session, rest, WAT)
    if subject is not None:
        session.output.data(_part(list(views(subject, AdapterForm.WASM)), "Wasm"))
        return
    module, _ = take_word(rest)
    fused = fuse(session.work.compiled)[_position(session, module)]
    if fused is None:
        raise CommandError(f"nothing of module `{module}` is fused")
    session.output.data(fused.code.glue)


def _subject(session: Session, rest: str, command: Command) -> Subject | None:
    """The adapter that a command line names: `module function`, or `module namespace.function` for an import."""
    from marine_gen.inspect.views import Subject
    from marine_runtime.texts import suggestion

    module, rest = take_named(rest, "Module name")
    function, rest = take_word(rest)
    refuse_rest(rest, command.usage)
    session.check_module(module)
    if not function:
        return None
    compiled = session.work.compiled
    position = _position(session, module)
    adapters = compiled[position].ir.adapters
    for adapter in adapters:
        if adapter.function == function:
            return Subject([item.fusible for item in compiled], position, adapter)
    hint = suggestion(function, [adapter.function for adapter in adapters])
    raise CommandError(f"function with name `{function}` is missing{hint}")


def _position(session: Session, module: str) -> int:
    return list(session.work.sources).index(module)


def _part(parts: Sequence[View], title: str) -> str:
    """The text of one view; where an adapter is not fused, the reason is the failure."""
    for part in parts:
        if part.title == title:
            return part.text
        if part.title == "Not fused":
            raise CommandError(f"not fused: {part.text.split(';')[0]}")
    raise CommandError("there is no such code")


_WORDS = (Word.MODULE, Word.FUNCTION)

EXPLAIN = Command(
    ("explain", "x"), "<module_name> <func_name>", "show what an adapter is compiled to", _explain, _WORDS
)
SOURCE = Command(("source",), "<module_name> [func_name]", "print the generated Python", _source, _WORDS)
WAT = Command(("wat", "w"), "<module_name> [func_name]", "print the generated Wasm", _wat, _WORDS)

COMMANDS = (EXPLAIN, SOURCE, WAT)
