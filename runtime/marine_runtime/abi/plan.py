"""The plan of a module: what linking needs to know about its adapters, and nothing of how they are executed.

A plan is data; it is made by the compiler, stored in `manifest.json`, and read back by the runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from marine_runtime.errors import LeftOutError, LoadError
from marine_runtime.lazy.data import dataclass, field
from marine_runtime.lazy.mapping import Lazy
from marine_runtime.lazy.typing import Any, TypeVar
from marine_runtime.types import Field, FunctionType, RecordType, from_json, to_json

T = TypeVar("T")

FORMAT = 5
"""Version of built directories: of the manifest, of plans, and of what generated Python imports and defines.

Any change of these raises it. A directory of another format is refused, and built again in the cache.
"""


@dataclass(frozen=True, slots=True)
class Callee:
    """An imported function that adapters call (docs/spec/binary.md#index-spaces): call-core entry `E + position`.

    Attributes:
        namespace: import name of the module that provides it.
        name: name of the function there.
        type: the signature that the importer declares.
    """

    namespace: str
    name: str
    type: FunctionType


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A function that the module exports or imports by an invalid adapter, which was left out.

    Attributes:
        namespace: empty for an export; for an import, the module that it is wanted from.
        name: name of the function.
        reason: the mistake, in one sentence with its code.
        details: everything that is wrong, as `marine-gen check` reports it.
    """

    namespace: str
    name: str
    reason: str
    details: str

    def error(self, module: str) -> LeftOutError:
        """The error of calling the function of `module`."""
        what = f"the import `{self.namespace}.{self.name}` of module" if self.namespace else f"`{self.name}` of module"
        return LeftOutError.of(f"{what} `{module}`", self.reason, self.details)

    def sentence(self, module: str) -> str:
        """The sentence that the function of `module` was left out."""
        if self.namespace:
            return (
                f"module `{module}`: the import `{self.namespace}.{self.name}` has an invalid adapter, and fails "
                f"when it is called: {self.reason}"
            )
        return f"module `{module}`: the function `{self.name}` has an invalid adapter, and is left out: {self.reason}"


@dataclass(frozen=True, slots=True)
class ModulePlan:
    """One module as the linker sees it.

    Attributes:
        name: the import name by which others refer to it.
        core: Wasm export names, by call-core index.
        callees: imported functions, following `core` in the call-core index space.
        imports: (namespace, name) of the Wasm imports that an import adapter provides.
        exports: signature by name of the functions that callers see.
        records: record declarations by type index.
        left_out: functions with invalid adapters; those exported are not in `exports`, nor those imported in `imports`.
    """

    name: str
    core: tuple[str, ...] = ()
    callees: tuple[Callee, ...] = ()
    imports: tuple[tuple[str, str], ...] = ()
    exports: Mapping[str, FunctionType] = field(default_factory=dict)
    records: Mapping[int, RecordType] = field(default_factory=dict)
    sdk_version: str = ""
    it_version: str = ""
    left_out: tuple[LeftOut, ...] = ()

    def callee(self, index: int) -> Callee:
        """The imported function with a call-core index."""
        return self.callees[index - len(self.core)]

    @property
    def unusable_exports(self) -> Mapping[str, LeftOut]:
        """The exported functions that were left out, by name."""
        return {item.name: item for item in self.left_out if not item.namespace}

    def unusable_export(self, name: str) -> LeftOut | None:
        """The exported function `name`, if it was left out."""
        return next((item for item in self.left_out if not item.namespace and item.name == name), None)

    def unusable_import(self, namespace: str, name: str) -> LeftOut | None:
        """The imported function, if its adapter was left out."""
        return next((item for item in self.left_out if (item.namespace, item.name) == (namespace, name)), None)

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON document."""
        return {
            "name": self.name,
            "it_version": self.it_version,
            "sdk_version": self.sdk_version,
            "core": list(self.core),
            "callees": [[item.namespace, item.name, _function_to_json(item.type)] for item in self.callees],
            "imports": [list(key) for key in self.imports],
            "exports": {name: _function_to_json(ty) for name, ty in self.exports.items()},
            "records": {
                str(index): {"name": record.name, "fields": _fields_to_json(record.fields)}
                for index, record in self.records.items()
            },
            "left_out": [[item.namespace, item.name, item.reason, item.details] for item in self.left_out],
        }

    @classmethod
    def from_json(cls, document: Any, *, intact: bool = False) -> ModulePlan:
        """The inverse of `to_json`.

        Args:
            document: a JSON document.
            intact: it is as it was written, so that a signature or a record is looked at when it is asked for.

        Raises:
            ValueError, KeyError, TypeError: the document is not a plan.
        """
        exports: Mapping[str, FunctionType]
        records: Mapping[int, RecordType]
        if intact:
            exports = Lazy(dict(document["exports"]), _export_from_json)
            records = Lazy({int(index): item for index, item in document["records"].items()}, _record_from_json)
        else:
            exports = {_text(name): _function_from_json(ty) for name, ty in document["exports"].items()}
            records = {int(index): _record(item) for index, item in document["records"].items()}
        return cls(
            name=_text(document["name"]),
            core=tuple(document["core"] if intact else map(_text, document["core"])),
            callees=tuple(
                Callee(_text(namespace), _text(name), _function_from_json(ty))
                for namespace, name, ty in document["callees"]
            ),
            imports=tuple((_text(namespace), _text(name)) for namespace, name in document["imports"]),
            exports=exports,
            records=records,
            sdk_version=_text(document["sdk_version"]),
            it_version=_text(document["it_version"]),
            left_out=tuple(LeftOut(*map(_text, item)) for item in document.get("left_out", ())),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {value!r}")
    value.encode()  # JSON admits lone surrogates, which nothing else does
    return value


def _fields_to_json(fields: tuple[Field, ...]) -> list[Any]:
    return [[item.name, to_json(item.type)] for item in fields]


def _fields_from_json(document: Any) -> tuple[Field, ...]:
    return tuple(Field(_text(name), from_json(ty)) for name, ty in document)


def _function_to_json(ty: FunctionType) -> dict[str, Any]:
    return {"params": _fields_to_json(ty.params), "results": [to_json(result) for result in ty.results]}


def _export_from_json(name: str, document: Any) -> FunctionType:
    return _read(f"the signature of `{name}`", _function_from_json, document)


def _record_from_json(index: int, document: Any) -> RecordType:
    return _read(f"record {index}", _record, document)


def _read(what: str, read: Callable[[Any], T], document: Any) -> T:
    """A row that is asked for, as `read` makes it of its document; raises LoadError."""
    try:
        return read(document)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise LoadError(f"{what} in a manifest is not as expected ({type(error).__name__}: {error})") from None


def _record(document: Any) -> RecordType:
    return RecordType(_text(document["name"]), _fields_from_json(document["fields"]))


def _function_from_json(document: Any) -> FunctionType:
    return FunctionType(_fields_from_json(document["params"]), tuple(map(from_json, document["results"])))
