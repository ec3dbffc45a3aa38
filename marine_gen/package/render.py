"""Names and text of the files. The output depends on the service's name and the plans of its modules alone.

Names that come from Wasm files go through `marine_runtime.texts.names`, as they do at run time, and are literals and
docstrings otherwise. Where a class has a member that is called like a type, the type gets a second name.
"""

from __future__ import annotations

import builtins
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from marine_gen.codegen.literals import docstring, docstring_line, python_string, python_tuple
from marine_gen.codegen.templating import render
from marine_gen.codegen.type_names import Aliases, Annotations
from marine_gen.package.records import SharedRecord, shared_records
from marine_runtime.abi import FORMAT, ModulePlan
from marine_runtime.artifact import MODULE_MEMBERS, MODULES_MEMBERS
from marine_runtime.texts import identifier, identifiers
from marine_runtime.types import FunctionType

RESERVED_FILES = frozenset({"client", "manifest", "pool"})
"""Stems of files of the package; those of modules are other ones."""

_RESERVED = frozenset((*dir(builtins), "annotations", "load", "open_pool", "pool"))
"""Names that no class gets: what Python means by them, and what users find in every package."""

_IMPORTS = ("Declared", "Modules", "Service", "load", "loader", "require_format")
"""The names of `marine_runtime.support` that every package imports."""

_MAX_PLACES = 4
_MAX_NAME = 60  # a service without a name of its own has that of all its modules, joined


@dataclass(frozen=True, slots=True)
class Package:
    """The files that make a directory a package, as text.

    Attributes:
        init: `__init__.py`, with all classes and `load`.
        pool: `pool.py`, which a program without a pool does not import.
        client: `client.py`, for a service that is served elsewhere; it needs the extra `client`.
    """

    init: str
    pool: str
    client: str


def generate_package(name: str, plans: Sequence[ModulePlan], *, generator: str) -> Package:
    """Generate the package of a service.

    Args:
        name: the name of the service, after which its class is named.
        plans: the Wasm modules in load order.
        generator: name and version for the header, as in `marine-gen 0.1.0`.
    """
    return _Package(name, plans, generator).render()


class _Package:
    def __init__(self, name: str, plans: Sequence[ModulePlan], generator: str) -> None:
        self._name, self._plans, self._generator = name, plans, generator
        spelled = _capitals(name, "Service")
        self._service = identifier(spelled if len(spelled) <= _MAX_NAME else "MarineService", _RESERVED)
        self._modules = identifier(f"{self._service}Modules", {*_RESERVED, self._service})
        self._pool = identifier(f"{self._service}Pool", {*_RESERVED, self._service, self._modules})
        self._client = identifier(
            f"{self._service}Client", {*_RESERVED, self._service, self._modules, self._pool, "RemoteService"}
        )
        self._records = shared_records(plans)
        wanted = [item.type.name for item in self._records] + [_capitals(plan.name, "Module") for plan in plans]
        chosen = identifiers(wanted, {*_RESERVED, self._service, self._modules, self._pool})
        self._record_names, self._handles = chosen[: len(self._records)], chosen[len(self._records) :]
        classes: dict[str, dict[int, str]] = {plan.name: {} for plan in plans}
        for record, spelled in zip(self._records, self._record_names, strict=True):
            for module, index in record.places:
                classes[module][index] = spelled
        self._classes = classes
        self._annotations = {plan.name: Annotations(plan.records, classes[plan.name]) for plan in plans}
        self._aliases = Aliases([self._service, self._modules, self._pool, *chosen])

    def render(self) -> Package:
        attributes = identifiers([plan.name for plan in self._plans], MODULES_MEMBERS)
        spell = self._aliases.within(attributes)
        pairs = list(zip(self._plans, self._handles, strict=True))
        public = ["load", self._service, self._modules, *self._record_names, *self._handles]
        context = {
            "generator": self._generator,
            "title": self._name,
            "doc": docstring,
            "public": sorted(public),
            "format": FORMAT,
            "imports": self._imports(),
            "service": self._service,
            "modules": self._modules,
            "pool": self._pool,
            "client": self._client,
            "records": [
                self._record(item, spelled) for item, spelled in zip(self._records, self._record_names, strict=True)
            ],
            "handles": [
                {"name": handle, "module": plan.name, "methods": self._methods(plan)} for plan, handle in pairs
            ],
            "attributes": [
                (attribute, spell(handle)) for attribute, handle in zip(attributes, self._handles, strict=True)
            ],
            "declared": [(plan.name, handle, sorted(self._classes[plan.name].items())) for plan, handle in pairs],
        }
        context["aliases"] = self._aliases.items()
        filled = [
            render("marine_gen.package", template, context, {"literal": python_string})
            for template in ("package.py.j2", "pool.py.j2", "client.py.j2")
        ]
        return Package(*filled)

    def _imports(self) -> list[str]:
        of_modules = ("DeclaredModule", "ModuleHandle") if self._plans else ()
        return sorted((*_IMPORTS, *of_modules, *(("RecordBase",) if self._records else ())))

    def _record(self, record: SharedRecord, spelled: str) -> dict[str, object]:
        fields = record.type.fields
        attributes = identifiers([item.name for item in fields])
        annotations = self._annotations[record.plan.name]
        spell = self._aliases.within(attributes)
        types = [annotations.of(item.type, spell) for item in fields]
        return {
            "name": spelled,
            "doc": docstring(f"Record `{record.type.name}` of {_listed([module for module, _ in record.places])}."),
            "slots": python_tuple([python_string(attribute) for attribute in attributes]),
            "names": python_tuple([python_string(item.name) for item in fields]),
            "fields": list(zip(attributes, types, strict=True)),
        }

    def _methods(self, plan: ModulePlan) -> list[dict[str, str]]:
        names = identifiers(list(plan.exports), MODULE_MEMBERS)
        members = {*names, *MODULE_MEMBERS}
        return [
            self._method(plan, function, signature, name, members)
            for name, (function, signature) in zip(names, plan.exports.items(), strict=True)
        ]

    def _method(
        self, plan: ModulePlan, function: str, signature: FunctionType, name: str, members: set[str]
    ) -> dict[str, str]:
        annotations, spell = self._annotations[plan.name], self._aliases.within(members)
        params = identifiers([param.name for param in signature.params])
        receiver = identifier("self", params)  # a parameter may be called so, and keeps its name
        declared = [
            f"{param}: {annotations.of(item.type, spell)}" for param, item in zip(params, signature.params, strict=True)
        ]
        call = f"{receiver}._call({', '.join([python_string(function), *params])})"
        return {
            "name": name,
            "params": ", ".join([receiver, *declared]),
            "returns": annotations.results(signature, spell),
            "listing": docstring_line(annotations.listing(function, signature)).rstrip(),
            "place": docstring_line(f"Export adapter of `{function}` in the Wasm module `{plan.name}`."),
            "body": f"return {call}" if signature.results else call,
        }


def _capitals(name: str, kind: str) -> str:
    """A class name: `curl_service` and `Service` give `CurlService`, `facade` and `Module` give `FacadeModule`."""
    parts = re.split(r"[^0-9A-Za-z]+", unicodedata.normalize("NFKC", name))
    text = "".join(part[:1].upper() + part[1:] for part in parts)
    return text if text.endswith(kind) and text != kind else f"{text}{kind}"


def _listed(modules: Sequence[str]) -> str:
    """Module names for a docstring, each once."""
    names = [f"`{name}`" for name in dict.fromkeys(modules)]
    if len(names) == 1:
        return f"module {names[0]}"
    if len(names) > _MAX_PLACES:
        names[_MAX_PLACES - 1 :] = [f"{len(names) - _MAX_PLACES + 1} others"]
    return f"modules {', '.join(names[:-1])} and {names[-1]}"
