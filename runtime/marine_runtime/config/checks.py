"""Checks of arguments that embedders pass to the API, with messages that name the argument."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

from marine_runtime.errors import ArgumentError, ConfigError
from marine_runtime.lazy.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def check_path(value: Any, what: str) -> Path:
    """`value` as a path; `what` is its name in messages, here and below.

    Raises:
        ArgumentError: it is not a path, or is empty.
    """
    from pathlib import Path

    return Path(check_place(value, what))


def check_place(value: Any, what: str) -> str:
    """The same as text."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise ArgumentError(f"{what} must be a path, not {type(value).__name__}")
    if not os.fspath(value):
        raise ArgumentError(f"{what} is empty; `.` is the current directory")
    return os.fspath(value)


def check_name(name: str, what: str) -> str:
    """The name of a service or a module, which may come from a file; `what` is that it is the name of.

    Raises:
        ArgumentError: it can't be encoded as UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ArgumentError(
            f"the name of {what} is {name!a}, which can't be encoded as UTF-8: rename it, or the file that has it"
        ) from None
    return name


def check_boolean(value: Any, what: str) -> bool:
    """`value` if it is a boolean.

    Raises:
        ArgumentError: it is something else, which may mean the opposite of what it says, as `"no"` does.
    """
    if not isinstance(value, bool):
        raise ArgumentError(f"{what} must be True or False, not {value!r:.80}")
    return value


def check_mapping(value: Any, what: str) -> Mapping[str, Any]:
    """`value` if it is a mapping whose keys are texts.

    Raises:
        ArgumentError: it is something else.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ArgumentError(f"{what} must be a mapping with strings as keys, not {type(value).__name__}")
    return value


def check_rows(value: Any) -> Iterable[Any]:
    """`value` if it can be the rows of a batch: any iterable but a text or bytes.

    Raises:
        ArgumentError: it is something else.
    """
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise ArgumentError(f"the rows of a batch must be an iterable of argument lists, not {type(value).__name__}")
    return value


def check_seconds(value: Any, what: str, *, zero: bool = False) -> float:
    """`value` as seconds, when it is a finite number more than 0, or 0 where `zero` allows that.

    Raises:
        ArgumentError: it is something else.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and (value >= 0 if zero else value > 0) and value <= sys.float_info.max:
        return float(value)
    wanted = "a number of seconds, 0 or more" if zero else "a positive number of seconds"
    shown = repr(value)
    raise ArgumentError(f"{what} must be {wanted}, not {shown if len(shown) < 80 else 'a number of so many digits'}")


_OTHER_FORMATS = {".yaml": "YAML", ".yml": "YAML", ".json": "JSON"}


def refuse_other_formats(path: Path) -> None:
    """Refuse a file whose name says that it describes a service to other tools.

    Raises:
        ConfigError: it is such a file.
    """
    if found := _OTHER_FORMATS.get(path.suffix.lower()):
        raise ConfigError(
            f"`{path}` is a {found} file, and services are described in TOML: "
            "give a `.toml` file with a [[module]] table for each module, in the order in which they are loaded"
        )
