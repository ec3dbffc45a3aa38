"""Options of making a component, as users write them."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import TypeVar

from marine_gen.component_backend.model import CallParametersSource, ComponentOptions, Key, Logger
from marine_runtime import ArgumentError

_Choice = TypeVar("_Choice", bound=Enum)


def component_options(
    *,
    package: str = "",
    logger: str = "stderr",
    call_parameters: str = "import",
    stub_imports: Collection[str] = (),
    fault_import: bool = False,
    strict: bool = False,
) -> ComponentOptions:
    """The options.

    Raises:
        ArgumentError: one has a value that it can't have.
    """
    if not isinstance(package, str):
        raise ArgumentError(f"`package` must be a string, not {type(package).__name__}")
    if isinstance(stub_imports, str):
        raise ArgumentError("`stub_imports` must be a collection of names, not one name: write `[name]`")
    if not isinstance(stub_imports, Collection):
        raise ArgumentError(f"`stub_imports` must be a collection of names, not {type(stub_imports).__name__}")
    return ComponentOptions(
        package,
        _chosen(Logger, logger, "logger"),
        _chosen(CallParametersSource, call_parameters, "call_parameters"),
        frozenset(map(_key, stub_imports)),
        fault_import,
        strict,
    )


def _chosen(choices: type[_Choice], value: str, option: str) -> _Choice:
    names = [item.value for item in choices]
    if value not in names:
        raise ArgumentError(f"`{option}` must be {', '.join(f'`{item}`' for item in names)}, not {value!r:.80}")
    return choices(value)


def _key(name: str) -> Key:
    """The import that `NAMESPACE.NAME` says; a namespace has no dots, a name may."""
    namespace, dot, function = name.partition(".") if isinstance(name, str) else ("", "", "")
    if not dot or not namespace or not function:
        raise ArgumentError(f"an import must be written as NAMESPACE.NAME, such as `host.curl`, not {name!r:.80}")
    return namespace, function
