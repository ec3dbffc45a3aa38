"""Tables of rows that are read when they are asked for, so that large ones cost nothing to have.

A table is bytes: the number of its rows, the place of each row, the numbers of the rows in the order of their keys, and
the rows, a marshalled pair of key and value each. A key is found by bisection. Rows keep the order that they were
written in.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping

from marine_runtime.lazy.typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_VERSION = 2  # of marshal: later ones mark objects that are shared, which is not the same at every build
_WORD = 4


class RowTable(Mapping[K, V]):
    """A mapping in the form of bytes, as `pack_table` gives them. Its keys are all text, or all tuples of text, …

    Raises:
        ValueError: `data` is not a table.
    """

    __slots__ = ("_content", "_count", "_order", "_places")

    def __init__(self, data: bytes) -> None:
        self._count = int.from_bytes(data[:_WORD], "little")
        places, order = _WORD, _WORD * (self._count + 1)
        rows = _WORD * (2 * self._count + 1)
        if len(data) < rows:
            raise ValueError("a table is cut off")
        view = memoryview(data)
        self._places = view[places:order].cast("I")
        self._order = view[order:rows].cast("I")
        self._content = view[rows:]

    def row(self, number: int) -> tuple[K, V]:
        """Row `number`, in the order in which they were written."""
        key, value = marshal.loads(self._content[self._places[number] :])  # noqa: S302  # from where code comes from
        return key, value

    def __getitem__(self, key: K) -> V:
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            found, value = self.row(self._order[middle])
            if found == key:
                return value
            if found < key:  # type: ignore[operator]  # they are of one type
                low = middle + 1
            else:
                high = middle
        raise KeyError(key)

    def __iter__(self) -> Iterator[K]:
        return (self.row(number)[0] for number in range(self._count))

    def __len__(self) -> int:
        return self._count


def pack_table(rows: Mapping[Any, Any]) -> bytes:
    """The bytes of a table with these rows, whose keys can be compared and whose values `marshal` takes."""
    from array import array

    places, parts, place = array("I"), [], 0
    numbers = {key: number for number, key in enumerate(rows)}
    for row in rows.items():
        parts.append(marshal.dumps(row, _VERSION))
        places.append(place)
        place += len(parts[-1])
    order = array("I", (numbers[key] for key in sorted(numbers)))
    return b"".join([len(parts).to_bytes(_WORD, "little"), places.tobytes(), order.tobytes(), *parts])
