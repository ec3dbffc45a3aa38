"""Classes of commands: options that are given once, arguments that are numbers, arguments for another program."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import click


class StrictCommand(click.Command):
    """A command that refuses an option that is given twice, as only one of its values could count."""

    def make_parser(self, ctx: click.Context) -> Any:
        """See `click.Command.make_parser`."""
        parser = super().make_parser(ctx)
        parse = parser.parse_args

        def parse_once(args: list[str]) -> Any:
            found = parse(args=args)
            if not ctx.resilient_parsing:
                _refuse_repeated(found[2], ctx)
            return found

        parser.parse_args = parse_once  # type: ignore[method-assign]  # the parser is of this call alone
        return parser


def _refuse_repeated(order: Sequence[click.Parameter], ctx: click.Context) -> None:
    """Raise for the first option in `order` that holds one value and is there twice.

    Raises:
        click.UsageError: there is one.
    """
    for item in order:
        single = isinstance(item, click.Option) and not (item.multiple or item.is_flag or item.count)
        if single and sum(other is item for other in order) > 1:
            raise click.UsageError(f"{max(item.opts, key=len)} is given twice; leave one of them out", ctx)


class PassingCommand(StrictCommand):
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
            message = f"{error.message} Options of {self.receiver} go after `--`."
            raise click.NoSuchOption(error.option_name, message, error.possibilities, error.ctx) from None

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show that there may be arguments of the other program."""
        return [*super().collect_usage_pieces(ctx), f"[-- {self.passed}...]"]

    @classmethod
    def passed_arguments(cls, ctx: click.Context) -> Sequence[str]:
        """The arguments behind `--`."""
        found: Sequence[str] = ctx.meta.get(cls._KEY, ())
        return found


class TakesNegativeNumbers(StrictCommand):
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
