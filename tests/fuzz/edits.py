"""Changes to a JSON document that bytes choose: each takes a place in it and puts something else there."""

from __future__ import annotations

import copy
from typing import Any

_ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2**31,
        2**32,
        2**64,
        1.5,
        1e308,
        "",
        "x",
        ".",
        "..",
        "/",
        "\0",
        "\ud800",
        "é",
        "string",
    ),
    *([], {}, [[]], [""], [1], {"": ""}, {"a": 1}, ["x", "y"], {"name": "s", "fields": []}, "i32", "u8", "array"),
)


def edited(document: Any, data: bytes) -> Any:
    """A copy of `document` with one change for every three bytes of `data`.

    The first byte and the second one choose the place, the third one what becomes of it: removed, repeated, moved from
    elsewhere in the document, or an odd value.
    """
    result = copy.deepcopy(document)
    for at in range(0, len(data) - 2, 3):
        high, low, what = data[at : at + 3]
        places = _places(result)
        if not places:
            break
        holder, key = places[(high * 256 + low) % len(places)]
        if what < len(_ODD):
            holder[key] = copy.deepcopy(_ODD[what])
        elif what < 80:
            del holder[key]
        elif what < 96 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif what < 112 and isinstance(holder, dict):
            holder[_word(what)] = holder.pop(key)
        elif isinstance(holder[key], str) and what < 128:
            holder[key] += _word(what)
        else:
            other, other_key = places[(high * 31 + low * 7 + what) % len(places)]
            holder[key] = copy.deepcopy(other[other_key])
    return result


def _word(number: int) -> str:
    return ("0", "-1", "name", "é", "\0", "\n", "9" * 5000, '"')[number % 8]


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of a document, outer ones first."""
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        item = waiting.pop()
        inner = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        for key, value in inner:
            found.append((item, key))
            waiting.append(value)
    return found
