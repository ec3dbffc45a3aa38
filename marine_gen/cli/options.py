"""Parameters that several commands take, and the types that read them."""

from __future__ import annotations

import re
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

FILE = click.Path(path_type=Path)
"""Any path. Whether it can be read is found when it is read: a missing file is a failure, not wrong usage."""


class PassingCommand(click.Command):
    """A command that keeps the arguments behind `--` apart, for the program that it runs."""

    passed = "ARGS"
    """Their name on the help page."""

    receiver = "the program"
    """The program that they go to, in messages."""

    _KEY = "marine_gen.passed"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments of the other program away."""
        if "--" in args:
            position = args.index("--")
            ctx.meta[self._KEY] = args[position + 1 :]
            args = args[:position]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            message = f"{error.message} Options of {self.receiver} stand behind `--`."
            raise click.NoSuchOption(error.option_name, message, error.possibilities, error.ctx) from None

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show that there may be arguments of the other program."""
        return [*super().collect_usage_pieces(ctx), f"[-- {self.passed}...]"]

    @classmethod
    def passed_arguments(cls, ctx: click.Context) -> Sequence[str]:
        """The arguments behind `--`."""
        found: Sequence[str] = ctx.meta.get(cls._KEY, ())
        return found


class EngineType(TextType):
    """The name of an engine; the engines there are get asked for only when the name is looked at."""

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
        """Refuse what is not an engine."""
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
        """Refuse what is not a semantic version."""
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
        type=click.Path(path_type=Path, allow_dash=True),
        metavar="OUT",
        help="Wasm module to write, `-` for stdout; by default the input is replaced.",
    )(function)


def strict_option(function: _Decorated) -> _Decorated:
    """`--strict`."""
    text = "Refuse modules with invalid adapters, which are otherwise left out."
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
        help="Python file that defines what modules may import: a ServiceHost `host`, or a mapping `host_functions`.",
    )(function)


def trace_option(function: _Decorated) -> _Decorated:
    """`--trace` as `trace_file`, None when not given."""
    return click.option(
        "--trace", "trace_file", type=FILE, metavar="FILE.json", help="Record the calls for Perfetto; costs speed."
    )(function)


class TakesNegativeNumbers(click.Command):
    """A command whose last argument may be a negative number, as JSON values are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep negative numbers apart from options; those behind an option that takes a value belong to it."""
        valued = {
            name
            for param in self.params
            if isinstance(param, click.Option) and not (param.is_flag or param.count)
            for name in param.opts
        }
        end = args.index("--") if "--" in args else len(args)
        numbers = [
            position
            for position in range(end)
            if _NEGATIVE.fullmatch(args[position]) and not (position and args[position - 1] in valued)
        ]
        others = [item for position, item in enumerate(args[:end]) if position not in numbers]
        arguments = [args[position] for position in numbers] + args[end + 1 :]
        return super().parse_args(ctx, [*others, *(["--", *arguments] if arguments else [])])


_NEGATIVE = re.compile(r"-\.?\d[\d.eE+-]*")


def examples(*lines: str) -> str:
    """An epilog with example commands, kept as they are."""
    heading = "Example:" if len(lines) == 1 else "Examples:"
    return "\n".join(["\b", heading, *(f"  {line}" for line in lines)])
