"""JSON text to the document that it is, with the place of what is not JSON."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from typing import Any

from marine_runtime.errors import ArgumentError
from marine_runtime.messages import printable
from marine_runtime.values.json_dropped import DroppedValueError, dropping_hook
from marine_runtime.values.json_spelling import spell_float
from marine_runtime.values.scalars import abbreviated

MAX_DEPTH = 128
"""Arrays and objects that an arguments document may nest."""

_CONSTANTS = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity')


class MinusZero(int):
    """`-0`: the integer 0, but a negative zero as a float."""


MINUS_ZERO = MinusZero()


def parse(text: str) -> Any:
    """The document that `text` is. Of equal keys the last one counts.

    Raises:
        ArgumentError: it is not JSON; the message has line and column. `NaN` and `Infinity` are not JSON.
    """
    if not isinstance(text, str):
        raise ArgumentError(f"expected JSON text as str, got {kind(text)}")
    hook = dropping_hook(text, MAX_DEPTH)
    if hook is None and "-0" not in text:
        try:
            document, end = _SCAN(text, 0)
            if end == len(text):
                return document
        except (StopIteration, ValueError, RecursionError, _NotJsonError):
            pass
    try:
        # The hook costs a call per number, so it is there only for texts that may need it.
        parse_int = _parse_int if "-0" in text else None
        return json.loads(text, parse_int=parse_int, parse_constant=_refuse, object_pairs_hook=hook)
    except DroppedValueError as error:
        raise ArgumentError(str(error)) from None
    except json.JSONDecodeError as error:
        problem = error.msg[:1].lower() + error.msg[1:]
        raise ArgumentError(f"invalid JSON at line {error.lineno}, column {error.colno}: {problem}") from None
    except _NotJsonError as error:
        constant = next(match for match in _CONSTANTS.finditer(text) if match[0][0] != '"')
        raise ArgumentError(f"invalid JSON at {_place(text, constant.start())}: {error} is not a JSON number") from None
    except RecursionError:
        raise ArgumentError(f"the JSON text is nested more than {MAX_DEPTH} levels deep") from None
    except ValueError:
        # All that is left is the interpreter's limit on the digits of an int.
        limit = sys.get_int_max_str_digits()
        number = re.search(rf"\d{{{limit + 1},}}", text)
        place = f" at {_place(text, number.start())}" if number else ""
        raise ArgumentError(f"invalid JSON{place}: a number has more than {limit} digits") from None


class _NotJsonError(Exception):
    pass


def _refuse(constant: str) -> Any:
    raise _NotJsonError(constant)


_SCAN: Callable[[str, int], tuple[Any, int]] = vars(json.JSONDecoder(parse_constant=_refuse))["scan_once"]
"""The scanner behind `json.loads`, for texts without space around the document and without errors."""


def _parse_int(digits: str) -> int:
    return MINUS_ZERO if digits == "-0" else int(digits)


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"


def kind(value: object) -> str:
    """The kind of a value of a document, for a message."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case MinusZero():
            return "-0"
        case float():
            return spell_float(value) if math.isfinite(value) else "a number that is out of range"
        case int():
            return abbreviated(value)
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    return printable(type(value).__name__)
