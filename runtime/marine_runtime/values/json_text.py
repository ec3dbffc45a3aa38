"""JSON text to its document; errors have line and column."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable

from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.messages import printable
from marine_runtime.values.json_dropped import DroppedValueError, dropping_hook
from marine_runtime.values.json_spelling import spell_float
from marine_runtime.values.scalars import abbreviated

MAX_DEPTH = 128
"""Arrays and objects that an arguments document may nest."""

_CONSTANTS = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity')


class MinusZero(int):
    """`-0`: the integer 0, but a negative zero as a float."""


MINUS_ZERO = MinusZero()


class NotJsonError(ArgumentError):
    """A text is not JSON, or has a value that is not allowed.

    Attributes:
        problem: the mistake, without its place.
        position: the place in the text; None when it is not known.
    """

    def __init__(self, problem: str, text: str, position: int | None = None) -> None:
        """Take what is wrong with `text`, and the place that the message names by line and column."""
        place = "" if position is None else f"invalid JSON at {_place(text, position)}: "
        super().__init__(f"{place}{problem}{_advice(problem, text, position)}")
        self.problem, self.position = problem, position


def parse(text: str) -> Any:
    """The document that `text` is. Of equal keys the last one counts.

    Raises:
        NotJsonError: it is not JSON; the message has line and column. `NaN` and `Infinity` are not JSON.
        ArgumentError: it is not a string.
    """
    if not isinstance(text, str):
        raise ArgumentError(f"expected JSON text as str, got {kind(text)}")
    hook = dropping_hook(text, MAX_DEPTH)
    minus_zero = "-" in text and "-0" in text  # one character is found at the speed of memory, two are not
    if hook is None and not minus_zero:
        try:
            document, end = _SCAN(text, 0)
            if end == len(text):
                return document
        except (StopIteration, ValueError, RecursionError, _ConstantError):
            pass
    # The hook costs a call per number, so it is there only for texts that may need it.
    parse_int = _parse_int if minus_zero else None

    def load() -> Any:
        return json.loads(text, parse_int=parse_int, parse_constant=_refuse, object_pairs_hook=hook)

    return _read(load, text)


def parse_first(text: str, start: int = 0) -> tuple[Any, int]:
    """The document that begins at `start`, where no space is, and the position behind it.

    Raises:
        NotJsonError: as for `parse`. A value that goes on behind the end of the text has its position there, but for
            an open string, whose position is its start.
    """
    end = end_of_value(text, start)
    return parse(text[start:end]), end


def end_of_value(text: str, start: int = 0) -> int:
    """The position behind the JSON value that begins at `start`; its content is not checked.

    Raises:
        NotJsonError: there is no such value.
    """

    def scan() -> int:
        try:
            return _SCAN(text, start)[1]
        except StopIteration as error:
            raise json.JSONDecodeError("Expecting value", text, error.value) from None

    return int(_read(scan, text))


def _read(read: Callable[[], Any], text: str) -> Any:
    """The outcome of `read`, with every fault of `text` as one error."""
    try:
        return read()
    except DroppedValueError as error:
        raise NotJsonError(str(error), text) from None
    except json.JSONDecodeError as error:
        message = error.msg.removesuffix(" (decode using utf-8-sig)")  # advice for Python alone
        raise NotJsonError(message[:1].lower() + message[1:], text, error.pos) from None
    except _ConstantError as error:
        constant = next(match for match in _CONSTANTS.finditer(text) if match[0][0] != '"')
        raise NotJsonError(f"{error} is not a JSON number", text, constant.start()) from None
    except RecursionError:
        raise NotJsonError(f"the JSON text is nested more than {MAX_DEPTH} levels deep", text) from None
    except ValueError:
        # All that is left is the interpreter's limit on the digits of an int.
        limit = sys.get_int_max_str_digits()
        number = re.search(rf"\d{{{limit + 1},}}", text)
        raise NotJsonError(f"a number has more than {limit} digits", text, number and number.start()) from None


class _ConstantError(Exception):
    pass


def _refuse(constant: str) -> Any:
    raise _ConstantError(constant)


_SCAN: Callable[[str, int], tuple[Any, int]] = vars(json.JSONDecoder(parse_constant=_refuse))["scan_once"]
"""The scanner behind `json.loads`, for texts without space around the document and without errors."""


def _parse_int(digits: str) -> int:
    return MINUS_ZERO if digits == "-0" else int(digits)


def _advice(problem: str, text: str, position: int | None) -> str:
    """Advice where a word is not quoted."""
    word = problem == "expecting value" and position is not None and text[position : position + 1]
    return "; strings are in double quotes" if word and (word.isalpha() or word == "'") else ""


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
