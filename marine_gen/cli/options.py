"""Parameters that several commands take, and the types that read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    TextType = click.ParamType[str]
else:
    TextType = click.ParamType  # older versions of click can't be asked for the type of its values

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


class _Place(click.Path):
    """A path that is not empty; `Path` would take the current directory for an empty one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty path."""
        if value == "":
            self.fail("the path is empty; `.` is the current directory", param, ctx)
        return super().convert(value, param, ctx)


class _Folder(_Place):
    """A directory to write files to, which stdout is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse `-`."""
        if value == "-":
            self.fail("a directory can't go to stdout; name one, `./-` if that is its name", param, ctx)
        return super().convert(value, param, ctx)


FILE = _Place(path_type=Path)
"""Any path. Whether it can be read is found when it is read: a missing file is a failure, not wrong usage."""

FOLDER = _Folder(path_type=Path)
"""A directory to write to."""

OUTPUT = _Place(path_type=Path, allow_dash=True)
"""A file to write; `-` is stdout."""


class EngineType(TextType):
    """The name of an engine; the list of engines is loaded only when the name is checked."""

    name = "engine"

    def __init__(self, *, ahead_of_time: bool = False) -> None:
        self._ahead_of_time = ahead_of_time

    def choices(self) -> Sequence[str]:
        """The engines to choose from."""
        if self._ahead_of_time:
            from marine_gen.artifact import BUILT_ENGINES

            return BUILT_ENGINES
        from marine_gen.artifact import ENGINES

        return ENGINES

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The text of help pages."""
        return f"[{'|'.join(self.choices())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse anything but the name of an engine."""
        if value not in self.choices():
            self.fail(f"{value!r} is not an engine; choose {', '.join(self.choices())}", param, ctx)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The engines that start with what was typed."""
        return [CompletionItem(name) for name in self.choices() if name.startswith(incomplete)]


class SemanticVersion(TextType):
    """A semantic version."""

    name = "semver"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse anything but a semantic version."""
        from marine_gen.wasm import parse_version

        try:
            return str(parse_version(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def output_option(function: _Decorated) -> _Decorated:
    """`--output`, None when not given."""
    return click.option(
        "-o",
        "--output",
        type=OUTPUT,
        metavar="OUT",
        help="Wasm module to write, `-` for stdout; by default the input is replaced.",
    )(function)


def strict_option(function: _Decorated) -> _Decorated:
    """`--strict`."""
    text = "Treat warnings as errors: invalid adapters, and settings without effect."
    return click.option("--strict", is_flag=True, help=text)(function)


def default_engine() -> str:
    """The engine that is taken when none is asked for."""
    from marine_gen.artifact import ENGINES

    return ENGINES[0]


def engine_option(function: _Decorated) -> _Decorated:
    """`--engine`, None when not given."""
    return click.option("--engine", type=EngineType(), help="Engine that runs the adapters.")(function)


def host_file_option(function: _Decorated) -> _Decorated:
    """`--host-file`."""
    return click.option(
        "--host-file",
        type=FILE,
        metavar="FILE.py",
        help="Python file with functions for modules to import: a ServiceHost `host`, or a mapping `host_functions`.",
    )(function)


def trace_option(function: _Decorated) -> _Decorated:
    """`--trace` as `trace_file`, None when not given."""
    return click.option(
        "--trace", "trace_file", type=FILE, metavar="FILE.json", help="Record the calls for Perfetto; calls get slower."
    )(function)


def examples(*lines: str) -> str:
    """An epilog with example commands, kept as they are."""
    heading = "Example:" if len(lines) == 1 else "Examples:"
    return "\n".join(["\b", heading, *(f"  {line}" for line in lines)])
