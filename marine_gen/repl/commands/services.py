"""Commands that change what is loaded: services and modules."""

from __future__ import annotations

from pathlib import Path

from marine_gen.repl.command import Command, Word
from marine_gen.repl.failure import CommandError, because, interrupted
from marine_gen.repl.reading import refuse_rest, take_named, take_word
from marine_gen.repl.session import Session
from marine_runtime import MarineError, ModuleConfig


def _new(session: Session, rest: str) -> None:
    path, rest = take_word(rest)
    refuse_rest(rest, NEW.usage)
    try:
        session.open(Path(path) if path else None)
    except (MarineError, OSError) as error:
        raise because("failed to create a new application service", error) from None


def _load(session: Session, rest: str) -> None:
    name, rest = take_named(rest, "Module name")
    path, rest = take_named(rest, "Module path")
    refuse_rest(rest, LOAD.usage)
    try:
        if Path(path).exists() and not Path(path).is_file():  # reading a device may never end
            raise CommandError(f"failed to read wasm module: `{path}` is not a file")
        session.read(Path(path))
        wasm = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the path
        raise because("failed to read wasm module", error) from None
    except MarineError as error:
        raise because("loading failed with", error) from None
    # As in Marine: the logger is there, and of its targets only the one without a number.
    config = ModuleConfig(logging_mask=0)
    try:
        with session.clock() as elapsed:
            session.load(name, wasm, config)
    except KeyboardInterrupt:
        raise interrupted("loading") from None
    except MarineError as error:
        raise because("loading failed with", error) from None
    session.output.note(f"module successfully loaded into App service\nelapsed time: {elapsed()}")


def _unload(session: Session, rest: str) -> None:
    name, rest = take_named(rest, "Module name")
    refuse_rest(rest, UNLOAD.usage)
    try:
        session.check_module(name)
    except CommandError as error:
        raise CommandError(f"unloading failed with: {error}") from None
    importers = session.work.importers(name)
    with session.clock() as elapsed:
        session.work.unload(name)
    session.output.note(f"module successfully unloaded from App service\nelapsed time: {elapsed()}")
    if importers:
        listed = ", ".join(f"`{item}`" for item in importers)
        session.output.note(f"note: {listed} still calls the unloaded module, even if another module gets its name")


NEW = Command(("new", "n"), "[config_path]", "create a new service (current will be removed)", _new, (Word.PATH,))
LOAD = Command(("load", "l"), "<module_name> <module_path>", "load a new Wasm module", _load, (Word.FREE, Word.PATH))
UNLOAD = Command(("unload", "u"), "<module_name>", "unload a Wasm module", _unload, (Word.MODULE,))

COMMANDS = (NEW, LOAD, UNLOAD)
