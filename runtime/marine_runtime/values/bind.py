"""`Binder`: the arguments of a Python call, by position and by name, as internal values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.messages import NEEDS_ROOM, counted, printable
from marine_runtime.types import FunctionType, Records
from marine_runtime.values.coerce import Coercers, Members
from marine_runtime.values.scalars import Mismatch


class Binder:
    """Turns the arguments of Python calls of one function into internal values.

    Args:
        signature: the function's parameters.
        records: the records of its module.
        function: its name, for messages.
        coercers: those of the module, to share compiled types between functions.
    """

    def __init__(
        self, signature: FunctionType, records: Records, *, function: str, coercers: Coercers | None = None
    ) -> None:
        self._coercers = coercers or Coercers(records)
        self._owner = f"{printable(function)}()"
        self._members = Members(signature.params, "argument", self._owner)
        try:
            self._parameters = [self._coercers.of(param.type) for param in signature.params]
        except RecursionError:
            raise ArgumentError(f"a parameter type of {self._owner} is nested too deeply{NEEDS_ROOM}") from None

    @property
    def names(self) -> list[str]:
        """The parameters' Python names."""
        return list(self._members.identifiers)

    def __call__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The internal arguments of a call.

        Raises:
            ArgumentError: a value does not fit its parameter.
            TypeError: the number or the names are wrong, as Python has it for a function that is written out.
        """
        parameters = self._parameters
        result: list[Any] = []
        try:
            if kwargs or len(args) != len(parameters):
                args = self._arrange(args, kwargs)
            try:
                for coercer, value in zip(parameters, args, strict=True):
                    result.append(coercer(value, 1))
            except Mismatch as mismatch:
                mismatch.steps.append(self._members.steps[len(result)])
                raise
        except Mismatch as mismatch:
            raise ArgumentError(str(mismatch), mismatch.path()) from mismatch.__cause__
        except RecursionError:
            step = "".join(self._members.steps[len(result) : len(result) + 1])
            raise ArgumentError(str(self._coercers.too_deep()), f"${step}") from None
        return result

    def argument(self, position: int, value: Any) -> Any:
        """One argument as an internal value; generated entries ask for those that need a closer look.

        Raises:
            ArgumentError: it does not fit its parameter.
        """
        step = self._members.steps[position]
        try:
            return self._parameters[position](value, 1)
        except Mismatch as mismatch:
            mismatch.steps.append(step)
            raise ArgumentError(str(mismatch), mismatch.path()) from mismatch.__cause__
        except RecursionError:
            raise ArgumentError(str(self._coercers.too_deep()), f"${step}") from None

    def _arrange(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        wanted = len(self._parameters)
        if len(args) > wanted:
            raise TypeError(f"{self._owner} takes {counted(wanted, 'argument')}, got {len(args)}")
        try:
            return self._members.arrange(kwargs, args)
        except Mismatch as mismatch:
            raise TypeError(str(mismatch)) from None
