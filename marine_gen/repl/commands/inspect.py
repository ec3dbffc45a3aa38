"""Commands that show what the service is, and change nothing."""

from __future__ import annotations

import os

from marine_gen.repl.command import Command, Word
from marine_gen.repl.reading import refuse_rest, take_named
from marine_gen.repl.session import Session
from marine_runtime.texts import os_reason


def _interface(session: Session, rest: str) -> None:
    refuse_rest(rest, INTERFACE.usage)
    session.output.data(str(session.service.interface), "Loaded modules interface:\n")


def _stats(session: Session, rest: str) -> None:
    refuse_rest(rest, STATS.usage)
    session.output.data(str(session.service.statistics()), "Loaded modules heap sizes:\n")


def _envs(session: Session, rest: str) -> None:
    module = _module(session, rest, ENVS)
    envs = session.service.wasi[module].envs
    if not envs:
        session.output.note(f"{module} don't have environment variables")
        return
    session.output.data("".join(f"{name}={value}\n" for name, value in envs.items()), "Environment variables:\n")


def _fs(session: Session, rest: str) -> None:
    module = _module(session, rest, FS)
    directories = session.service.wasi[module].mapped_dirs
    if not directories:
        session.output.note(f"{module} don't have mapped directories")
        return
    lines = [f"{alias} -> {path} ({_content(path)})\n" for alias, path in directories.items()]
    session.output.data("".join(lines), "Mapped directories:\n")


def _content(path: str) -> str:
    """A short listing of a directory."""
    try:
        count = len(os.listdir(path))
    except OSError as error:
        return os_reason(error)
    return "empty" if not count else "1 entry" if count == 1 else f"{count} entries"


def _module(session: Session, rest: str, command: Command) -> str:
    name, rest = take_named(rest, "Module name")
    refuse_rest(rest, command.usage)
    session.check_module(name)
    return name


_ONE = (Word.MODULE,)

INTERFACE = Command(("interface", "i"), "", "print public interface of all loaded modules", _interface)
STATS = Command(("stats", "s"), "", "print memory size of all loaded modules", _stats)
ENVS = Command(("envs", "e"), "<module_name>", "print environment variables of a module", _envs, _ONE)
FS = Command(("fs", "f"), "<module_name>", "print filesystem state of a module", _fs, _ONE)

COMMANDS = (INTERFACE, STATS, ENVS, FS)
