"""A module in Python: others import its functions through their adapters, as from any module.

It is linked by the same names and signatures as a compiled module, but there is nothing to compile: importers call it
with interface values. The fused engine calls it from the glue, see `marine_gen.passes.host_calls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from marine_runtime.abi.plan import ModulePlan
from marine_runtime.adapters.contract import Adapter, BoundAdapters, Link
from marine_runtime.adapters.entry import make_entry
from marine_runtime.calls.guard import Guard
from marine_runtime.errors import ArgumentError, Site
from marine_runtime.host.function import HostFunction, as_host_function, over_values
from marine_runtime.lazy.typing import Any, Protocol, TypeVar, assert_never
from marine_runtime.texts.messages import listed, quoted, suggestion
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType
from marine_runtime.values.records import make_record_classes
from marine_runtime.values.scalars import abbreviated
from marine_runtime.wasm.api import Codes

_CALL = "(Python function)"


class _Planned(Protocol):
    @property
    def plan(self) -> ModulePlan: ...


_Named = TypeVar("_Named", bound=_Planned)


class PythonModule:
    """A module of a service that is written in Python.

    Attributes:
        name: the name by which other modules import it.
        functions: its functions by name; annotated callables became host functions.
        plan: the facts that linking needs.
    """

    def __init__(self, name: str, functions: Mapping[str, HostFunction | Callable[..., Any]]) -> None:
        """Take functions with annotations, or with explicit types (`HostFunction.of`).

        Raises:
            ArgumentError: a function has no types, or types that modules do not know; a name is none; or these are no
                functions by name.
        """
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"the name of a module must be a non-empty string, not {abbreviated(name)}")
        if not isinstance(functions, Mapping):
            raise ArgumentError(
                f"module `{name}` needs a mapping of names to functions, not {type(functions).__name__}"
            )
        for key in functions:
            if not isinstance(key, str):
                raise ArgumentError(
                    f"the name of a function of module `{name}` must be a string, not {abbreviated(key)}"
                )
        self.name = name
        self.functions = {
            key: as_host_function(item, f"function `{key}` of module `{name}`") for key, item in functions.items()
        }
        numbering = _Numbering()
        exports = {key: numbering.signature(item) for key, item in self.functions.items()}
        self.plan = ModulePlan(name, exports=exports, records=numbering.records)

    def __repr__(self) -> str:
        return f"<Python module {self.name}: {', '.join(self.functions)}>"

    def bind(self, guard: Guard, classes: Mapping[int, type]) -> BoundAdapters:
        """Its functions as export adapters and as entries of one service; entries give instances of `classes`."""
        adapters = {key: _adapter(self.name, key, item) for key, item in self.functions.items()}
        entries = {
            key: make_entry(key, self.plan.exports[key], self.plan.records, classes, guard, adapter)
            for key, adapter in adapters.items()
        }
        return BoundAdapters(exports=adapters, entries=entries)


def in_order(
    parts: Sequence[_Named], modules: Sequence[PythonModule], order: Sequence[str] = ()
) -> list[_Named | PythonModule]:
    """Compiled and Python modules together, as `order` names them; what it does not name keeps its place in front.

    Raises:
        ArgumentError: one of `modules` is something else, or `order` names a module that there is not.
    """
    check_python_modules(modules)
    everything: list[_Named | PythonModule] = [*modules, *parts]
    check_order(order, [item.plan.name for item in everything])
    positions = {name: position for position, name in enumerate(order)}
    return sorted(everything, key=lambda item: positions.get(item.plan.name, -1))


def check_python_modules(modules: Iterable[object]) -> None:
    """Refuse values that are not Python modules.

    Raises:
        ArgumentError: with the type of the first.
    """
    if isinstance(modules, PythonModule) or not isinstance(modules, Iterable):
        name = "a PythonModule" if isinstance(modules, PythonModule) else type(modules).__name__
        raise ArgumentError(f"`python_modules` must be a list of PythonModule objects, not {name}")
    for module in modules:
        if not isinstance(module, PythonModule):
            raise ArgumentError(f"`python_modules` has {type(module).__name__}: every item must be a PythonModule")


def check_order(order: object, names: Sequence[str] | None = None) -> None:
    """Refuse an invalid order of modules; with `names`, also unknown modules.

    Raises:
        ArgumentError: it is not a sequence of names, repeats one, or names an unknown module.
    """
    if isinstance(order, str) or not isinstance(order, Sequence):
        raise ArgumentError(f"`order` must be a list of module names, not {abbreviated(order)}")
    for position, name in enumerate(order):
        if not isinstance(name, str):
            raise ArgumentError(f"`order` must be a list of module names, and has {abbreviated(name)}")
        if name in order[:position]:
            raise ArgumentError(f"`order` names {quoted(name)} twice")
        if names is not None and name not in names:
            hint = suggestion(name, names)
            raise ArgumentError(
                f"`order` names {quoted(name)}, which is not a module{hint} (modules are: {listed(names)})"
            )


class PythonGlue:
    """The glue of a Python module in a running service, see `marine_runtime.adapters.contract.Glue`."""

    def __init__(self, module: PythonModule) -> None:
        self._module = module
        self.engine = "python"
        self.fused = None
        self.import_codes: Mapping[tuple[str, str], tuple[Codes, Codes]] = {}
        self.record_classes = make_record_classes(module.plan.records, module.name)

    def bind(self, link: Link) -> BoundAdapters:
        """Tie the functions to a service."""
        return self._module.bind(link.guard, self.record_classes)


def _adapter(module: str, name: str, host: HostFunction) -> Adapter:
    return over_values(host, name, Site(module, name, "export", 0, _CALL))


class _Numbering:
    """Gives the records of several functions numbers of one module; what is declared twice alike is one record."""

    def __init__(self) -> None:
        self.records: dict[int, RecordType] = {}
        self._known: dict[type | RecordType, int] = {}

    def signature(self, host: HostFunction) -> FunctionType:
        """The type of `host` with the module's numbers."""
        numbers: dict[int, int] = {}

        def moved(ty: IType) -> IType:
            match ty:
                case Array(element=element):
                    return Array(moved(element))
                case Record(id=index):
                    return Record(number(index))
                case Prim():
                    return ty
                case _:
                    assert_never(ty)

        def number(identifier: int) -> int:
            if identifier in numbers:
                return numbers[identifier]
            cls, declared = host.classes.get(identifier), host.records[identifier]
            if cls is not None and cls in self._known:
                numbers[identifier] = self._known[cls]
                return numbers[identifier]
            numbers[identifier] = fresh = len(self.records)
            self.records[fresh] = declared  # keeps the place while its fields are moved
            record = RecordType(declared.name, tuple(Field(item.name, moved(item.type)) for item in declared.fields))
            self.records[fresh] = record
            if cls is None and record in self._known and fresh == len(self.records) - 1:
                del self.records[fresh]
                numbers[identifier] = self._known[record]
            else:
                self._known[cls or record] = fresh
            return numbers[identifier]

        params = tuple(Field(item.name, moved(item.type)) for item in host.type.params)
        return FunctionType(params, tuple(map(moved, host.type.results)))
