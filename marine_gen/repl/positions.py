"""The position of a value in the text of arguments, from the path that its error has (`$.items[3].name`).

The path names parameters and fields; the text may have them by position, so the types are followed as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from marine_runtime.types import Array, Field, FunctionType, IType, Record, Records
from marine_runtime.values import end_of_value, parse_first

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_GAP = re.compile(r"[\s,:]*")


def position_of(path: str, text: str, signature: FunctionType, records: Records) -> int | None:
    """The position in `text`, which is valid JSON, of the value at `path`; None when it is unknown."""
    steps = list(_STEP.finditer(path))
    if not steps or "".join(step[0] for step in steps) != path.removeprefix("$"):
        return None
    position = _GAP.match(text).end()  # type: ignore[union-attr]  # it matches anything
    members: Sequence[Field] = signature.params
    ty: IType | None = None
    for number, step in enumerate(steps):
        if number and isinstance(ty, Record):
            members = records[ty.id].fields
        if step[2] is not None:
            found = _child(text, position, int(step[2]))
            ty = ty.element if isinstance(ty, Array) else None
        else:
            index = next((at for at, item in enumerate(members) if item.name == step[1]), None)
            if index is None:
                return position
            ty = members[index].type
            if not number and text[position] not in "[{":  # the only argument, as it is
                found = position
            else:
                found = _child(text, position, index if text[position] == "[" else step[1])
        if found is None:
            return position  # it is not there, which is what the error says
        position = found
    return position


def _child(text: str, position: int, key: int | str) -> int | None:
    """The position of one element of the array, or member of the object, that begins at `position`."""
    found = None
    for name, start in _children(text, position):
        if name == key:
            found = start  # of equal keys the last one counts
    return found


def _children(text: str, position: int) -> Iterator[tuple[int | str, int]]:
    opened = text[position]
    if opened not in "[{":
        return
    position += 1
    index = 0
    while True:
        position = _GAP.match(text, position).end()  # type: ignore[union-attr]
        if text[position] in "]}":
            return
        name: int | str = index
        if opened == "{":
            name, position = parse_first(text, position)
            position = _GAP.match(text, position).end()  # type: ignore[union-attr]
        yield name, position
        position = end_of_value(text, position)
        index += 1
