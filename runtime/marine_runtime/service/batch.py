"""Many calls of one function, in one entry into Wasm where the engine can do that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from marine_runtime.calls.guard import Guard
from marine_runtime.calls.options import CallOptions
from marine_runtime.calls.policy import Operations
from marine_runtime.config.checks import check_rows
from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.typing import Any
from marine_runtime.linking.context import LinkedModule

Row = Sequence[Any] | Mapping[str, Any]


class Batch:
    """The calls of one function of a linked module."""

    def __init__(self, linked: LinkedModule, function: str, operations: Operations, guard: Guard) -> None:
        self._linked, self._function = linked, function
        self._operations, self._guard = operations, guard
        self._signature = linked.plan.exports[function]

    def run(self, rows: Iterable[Row], options: CallOptions) -> list[Any]:
        """The result of each row, in order, or the exception that it raised.

        Raises:
            StateError: the service is closed, busy, or owned by another thread.
        """
        batch = self._linked.bound.batches.get(self._function)
        if batch is None:
            return self._one_by_one(rows, options)
        arranged, refused = self._arrange(list(check_rows(rows)))
        name = self._linked.plan.name
        with self._operations.around(name, self._function, options, calls=len(arranged)), self._guard.call():
            results = batch(arranged)
        if refused:
            others = iter(results)
            total = len(results) + len(refused)
            results = [refused[index] if index in refused else next(others) for index in range(total)]
        return results

    def _one_by_one(self, rows: Iterable[Row], options: CallOptions) -> list[Any]:
        self._guard.require_idle()
        rows = list(check_rows(rows))
        with self._operations.around(self._linked.plan.name, self._function, options, calls=len(rows)):
            return [self._attempt(row) for row in rows]

    def _attempt(self, row: Row) -> Any:
        """The result of one call, or the exception that it raised."""
        try:
            return self._linked.bound.entries[self._function](*self._arranged(row))
        except Exception as error:
            return error

    def _arrange(self, rows: list[Row]) -> tuple[list[Any], dict[int, ArgumentError]]:
        """The rows as sequences, and the errors of those that can't be, by position."""
        kinds, count = list(map(type, rows)), len(rows)
        if (lists := kinds.count(list)) == count or lists + kinds.count(tuple) == count:
            return rows, {}  # of a wrong length, perhaps: that is noticed by the batch
        arranged: list[Any] = []
        refused: dict[int, ArgumentError] = {}
        for position, row in enumerate(rows):
            try:
                arranged.append(row if type(row) in (list, tuple) else self._arranged(row))
            except ArgumentError as reason:
                refused[position] = reason
        return arranged, refused

    def _arranged(self, row: Row) -> Sequence[Any]:
        from marine_runtime.values.arguments import arrange

        return arrange(self._linked.plan.name, self._function, self._signature.params, row)
