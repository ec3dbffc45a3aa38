"""What `service.modules` is: modules and their functions, as attributes and by name. Calls themselves are elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marine_runtime.errors import ArgumentError, MarineError
from marine_runtime.linker import Linked
from marine_runtime.names import identifiers
from marine_runtime.operations import Operations


class ModuleHandle:
    """The exported functions of one module, as attributes (names made valid identifiers) or by exact name."""

    def __init__(self, name: str, linked: Linked, operations: Operations) -> None:
        self._name = name
        self._functions = {
            function: operations.wrap(name, function, entry) for function, entry in linked.bound.entries.items()
        }
        self.records = {linked.plan.records[index].name: cls for index, cls in linked.glue.record_classes.items()}
        attributes = identifiers(list(self._functions), {"records"})
        for attribute, entry in zip(attributes, self._functions.values(), strict=True):
            setattr(self, attribute, entry)

    def __getitem__(self, function: str) -> Any:
        try:
            return self._functions[function]
        except KeyError:
            raise _unknown(f"function `{function}` in module `{self._name}`", self._functions) from None

    def __getattr__(self, function: str) -> Any:
        if function.startswith("__"):
            raise AttributeError(function)
        raise AttributeError(str(_unknown(f"function `{function}` in module `{self._name}`", self._functions)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def __repr__(self) -> str:
        return f"<module {self._name}: {', '.join(self._functions)}>"


class Modules:
    """The modules of a service, as attributes (names made valid identifiers) or by exact name."""

    def __init__(self, handles: Mapping[str, ModuleHandle]) -> None:
        self._handles = dict(handles)
        for attribute, handle in zip(identifiers(list(self._handles)), self._handles.values(), strict=True):
            setattr(self, attribute, handle)

    def __getitem__(self, module: str) -> ModuleHandle:
        try:
            return self._handles[module]
        except KeyError:
            raise _unknown(f"module `{module}`", self._handles) from None

    def __getattr__(self, module: str) -> Any:
        if module.startswith("__"):
            raise AttributeError(module)
        raise AttributeError(str(_unknown(f"module `{module}`", self._handles)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._handles)

    def __len__(self) -> int:
        return len(self._handles)

    def __repr__(self) -> str:
        return f"<modules {', '.join(self._handles)}>"


def _unknown(what: str, known: Mapping[str, Any]) -> MarineError:
    names = ", ".join(f"`{name}`" for name in known) or "none"
    return ArgumentError(f"there is no {what}; there is: {names}")
