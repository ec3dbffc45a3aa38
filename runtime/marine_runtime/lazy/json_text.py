"""Reading JSON without the import of `json`, which takes as long as a first call."""

from __future__ import annotations

from marine_runtime.lazy.typing import Any, ClassVar, cast


class _Context:
    """The settings that the scanner of `json` takes from its decoder."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: ClassVar[dict[str, str]] = {}

    @staticmethod
    def parse_constant(_: str) -> Any:
        """NaN and infinities, which no document that is read here contains."""
        raise ValueError("no number of JSON")


def parse_json(text: str) -> Any:
    """The value of a JSON document, as `json.loads` gives it; raises what it raises."""
    if _scan is not None:
        try:
            value, end = _scan(text, 0)
            if not text[end:].strip(" \t\n\r"):
                return value
        except (StopIteration, ValueError):  # the position of an error is told by `json`
            pass
    import json

    return json.loads(text)


def _find_scanner() -> Any:
    try:
        from _json import make_scanner
    except ImportError:
        return None
    return make_scanner(cast("Any", _Context()))


_scan: Any = _find_scanner()
