"""The modules of a service or a pool, as attributes or by exact name, and the classes that declare them.

A generated package declares a class for each module, for all modules together and for each record (`Declared`). Their
instances get the functions of one service as attributes, so that a call costs the same with and without the classes.
How a function runs is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from marine_runtime.abi.plan import LeftOut
from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.data import dataclass, field
from marine_runtime.lazy.mapping import Lazy
from marine_runtime.lazy.typing import TYPE_CHECKING, Any, TypeVar
from marine_runtime.texts.messages import listed
from marine_runtime.texts.names import identifiers

MODULE_MEMBERS = ("records", "_attributes", "_call", "_functions", "_left_out", "_name", "_refusing")
MODULES_MEMBERS = ("_handles",)
"""Attributes of `ModuleHandle` and `Modules`, which functions and modules of these names do not get."""

T = TypeVar("T")


class ModuleHandle:
    """The exported functions of one module, as attributes (names made valid identifiers) or by exact name.

    Attributes:
        records: the record classes of the module by the records' names.
    """

    def __init__(
        self,
        name: str,
        functions: Mapping[str, Callable[..., Any]],
        records: Mapping[str, type],
        left_out: Mapping[str, LeftOut] | None = None,
    ) -> None:
        self._name = name
        self._functions = functions
        self._left_out = left_out or {}
        self.records = records
        # Otherwise an attribute is made when it is asked for; a method of a declared class would be found before it.
        if type(self) is not ModuleHandle or not isinstance(functions, Lazy):
            for attribute, function in self._attributes().items():
                setattr(self, attribute, functions[function])

    def _attributes(self) -> dict[str, str]:
        """The functions by the names of their attributes."""
        names = list(self._functions)
        return dict(zip(identifiers(names, MODULE_MEMBERS), names, strict=True))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._attributes()})

    def __getitem__(self, function: str) -> Any:
        # A name that is none, such as a list, is not there either.
        if isinstance(function, str):
            if function in self._functions:
                return self._functions[function]
            if function in self._left_out:
                return self._refusing(function)
        raise unknown(f"function `{function}` in module `{self._name}`", self._functions)

    if not TYPE_CHECKING:  # a declared class has the functions that it declares and no others

        def __getattr__(self, function: str) -> Any:
            if function.startswith("__"):
                raise AttributeError(function)
            if isinstance(self.__dict__.get("_functions"), Lazy) and (found := self._attributes().get(function)):
                made = self._functions[found]
                setattr(self, function, made)
                return made
            if function in self.__dict__.get("_left_out", ()):
                return self._refusing(function)
            raise AttributeError(str(unknown(f"function `{function}` in module `{self._name}`", self._functions)))

    def _refusing(self, function: str) -> Callable[..., Any]:
        """The place of a function that was left out."""

        def refuse(*_: Any, **__: Any) -> Any:
            raise self._left_out[function].error(self._name)

        return refuse

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def __repr__(self) -> str:
        return f"<module {self._name}: {', '.join(self._functions)}>"

    def _call(self, function: str, *args: Any) -> T:  # type: ignore[type-var]  # whatever the caller declares
        """The body of methods of declared classes. On instances the function itself hides its method."""
        result: T = self._functions[function](*args)
        return result


class Modules:
    """The modules of a service, as attributes (names made valid identifiers) or by exact name."""

    def __init__(self, handles: Mapping[str, ModuleHandle], order: Sequence[str] = ()) -> None:
        """Take the handles in load order; those in `order` get the same attributes whatever the others are called."""
        self._handles = dict(handles)
        others = [name for name in handles if name not in order]
        declared = identifiers(order, MODULES_MEMBERS)
        attributes = [*declared, *identifiers(others, {*MODULES_MEMBERS, *declared})]
        for attribute, name in zip(attributes, [*order, *others], strict=True):
            setattr(self, attribute, self._handles[name])

    def __getitem__(self, module: str) -> ModuleHandle:
        try:
            return self._handles[module]
        except (KeyError, TypeError):
            raise unknown(f"module `{module}`", self._handles) from None

    if not TYPE_CHECKING:  # as above

        def __getattr__(self, module: str) -> Any:
            if module.startswith("__"):
                raise AttributeError(module)
            raise AttributeError(str(unknown(f"module `{module}`", self._handles)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._handles)

    def __len__(self) -> int:
        return len(self._handles)

    def __repr__(self) -> str:
        return f"<modules {', '.join(self._handles)}>"


@dataclass(frozen=True, slots=True)
class DeclaredModule:
    """The classes of one module.

    Attributes:
        handle: has a method for each function.
        records: the record classes by type index; those that exported signatures mention.
    """

    handle: type[ModuleHandle]
    records: Mapping[int, type] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declared:
    """The classes of a service; by default nothing is declared.

    Attributes:
        modules: has an attribute for each module.
        of: the classes of each module by its name, in load order. A service may have more modules than these.
    """

    modules: type[Modules] = Modules
    of: Mapping[str, DeclaredModule] = field(default_factory=dict)

    def records(self, module: str) -> Mapping[int, type] | None:
        """The record classes of a module by type index; None when it is not declared."""
        return self.of[module].records if isinstance(module, str) and module in self.of else None

    def handle(
        self,
        module: str,
        functions: Mapping[str, Callable[..., Any]],
        records: Mapping[str, type],
        left_out: Mapping[str, LeftOut],
    ) -> ModuleHandle:
        """The handle of a module with those functions and records, by exact name."""
        kind = self.of[module].handle if module in self.of else ModuleHandle
        return kind(module, functions, records, left_out)

    def together(self, handles: Mapping[str, ModuleHandle]) -> Modules:
        """All modules of a service."""
        return self.modules(handles, [name for name in self.of if name in handles])


UNDECLARED = Declared()


def unknown(what: str, known: Mapping[str, Any]) -> ArgumentError:
    """The error of a module or function that is not there; `known` has those that are."""
    return ArgumentError(f"there is no {what}; available: {listed(known)}")
