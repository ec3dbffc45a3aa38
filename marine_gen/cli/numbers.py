"""Types of numeric options: a value that is not a number, or out of range, is a usage error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from marine_gen.console.numbers import number_in, whole_number_in

if TYPE_CHECKING:
    NumberType = click.ParamType[float | int]
else:
    NumberType = click.ParamType  # older versions of click can't be asked for the type of its values

MAX_FUEL = 2**64 - 1


class Count(NumberType):
    """A whole number from `least` to `most`, or without an upper limit."""

    name = "number"

    def __init__(self, least: int, most: int | None = None) -> None:
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Refuse any other value."""
        number = whole_number_in(str(value))
        if number is None or number < self._least or (self._most is not None and number > self._most):
            wanted = f"of at least {self._least}" if self._most is None else f"from {self._least} to {self._most}"
            self.fail(f"{value!r} is not accepted; write a whole number {wanted}", param, ctx)
        return number


class Seconds(NumberType):
    """A number of seconds: at least `least` where that is given, else more than 0; at most `most`."""

    name = "seconds"

    def __init__(self, least: float | None = None, most: float | None = None) -> None:
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse any other value."""
        seconds = number_in(str(value))
        enough = seconds > 0 if self._least is None else seconds >= self._least
        if not enough or (self._most is not None and seconds > self._most):
            least = "more than 0" if self._least is None else f"at least {self._least:g}"
            most = "" if self._most is None else f" and at most {self._most:g}"
            self.fail(f"{value!r} is not accepted; write a number of seconds, {least}{most}", param, ctx)
        return seconds
