"""Arrays of records that callers pass, checked a field at a time.

It serves those that no generated code packs: tuples, and instances of another service's classes. Each step over all
elements is a loop in C, or nearly one; what is not of one kind gets one look at each element in `coerce`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from marine_runtime.lazy.typing import Any
from marine_runtime.types import RecordType
from marine_runtime.values.scalars import Bulk, all_of


class RecordClasses:
    """The classes whose instances are taken for one record.

    Attributes:
        ours: those that were seen, by `id`: a class need not be hashable.
        read: from an instance to the values of its fields.
    """

    __slots__ = ("_names", "_record", "ours", "read")

    def __init__(self, record: RecordType, names: Sequence[str], attributes: Sequence[str]) -> None:
        self._record = record
        self._names = tuple(names)
        self.ours: dict[int, type] = {}
        self.read = _reader(attributes)

    def __contains__(self, declared: type) -> bool:
        """Return whether it is a class of this module, or one that several modules and services share."""
        if id(declared) in self.ours:
            return True
        if (
            getattr(declared, "__marine_record__", None) is not self._record
            and getattr(declared, "__marine_fields__", None) != self._names
        ):
            return False
        self.ours[id(declared)] = declared
        return True

    def bulk(self, fields: Callable[[], Sequence[Bulk | None]]) -> Bulk:
        """The check of a whole array, for tuples, or instances of one class.

        Args:
            fields: gives the checks of the fields; it is asked once, when they are needed.
        """
        width = len(self._names)
        known: Sequence[Bulk | None] | None = None

        def bulk(items: list[Any]) -> list[Any] | None:
            nonlocal known
            if not items:
                return items
            cls = type(items[0])
            if (cls is not tuple and cls not in self) or not all_of(items, cls):
                return None
            if known is None:
                known = fields()
            if None in known:
                return None
            rows = items
            if cls is not tuple:
                try:
                    rows = [tuple(self.read(item)) for item in items]
                except Exception:  # the look at each says what it is
                    return None
            elif list(map(len, items)).count(width) != len(items):
                return None
            columns, changed = [], False
            for position, check in enumerate(known):
                given = [row[position] for row in rows]
                column = check(given) if check else None
                if column is None:
                    return None
                columns.append(column)
                changed = changed or column is not given
            return list(zip(*columns, strict=True)) if changed else rows

        return bulk


def _reader(names: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    if len(names) < 2:  # `attrgetter` returns a bare value then
        return lambda instance: [getattr(instance, name) for name in names]
    return attrgetter(*names)
