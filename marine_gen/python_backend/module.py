"""The generated module as a whole: collects all parts, fills the Jinja2 frame, makes the line table.

The output depends on the module alone: built twice, it is equal byte for byte. Marks in the code become a comment with
the adapter instruction and a row of the line table, which stands at the end so that it moves no line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from marine_gen.codegen.templating import render
from marine_gen.ir.model import AdapterIR, ModuleIR, Side
from marine_gen.python_backend.adapters import AdapterBody, CoreFunctions
from marine_gen.python_backend.aliases import Aliases
from marine_gen.python_backend.entries import Annotations, OwnNames, docstring, write_entry
from marine_gen.python_backend.fused_calls import FusedSide, StagedCall, wire_codes
from marine_gen.python_backend.lift_lower import Helpers
from marine_gen.python_backend.writer import MARK, Writer, literal
from marine_runtime.names import identifiers
from marine_runtime.types import Array, IType, Record, Records, reachable_records
from marine_runtime.values import class_names

_TOKEN = re.compile(r"""\"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\#[^\n]*|([A-Za-z_]\w*)""")
"""A string, a comment, or a word; names that come from a Wasm file must not count as words when they are data."""

_STANDARD = {
    "array": ["from array import array"],
    "Callable": ["from collections.abc import Callable"],
    "dataclass": ["from dataclasses import dataclass"],
    "Struct": ["from struct import Struct"],
    "StructError": ["from struct import error as StructError  # noqa: N812"],
    "Any": ["from typing import Any"],
}
"""Imports from the standard library, by the word that needs them."""


@dataclass(frozen=True, slots=True)
class Generated:
    """What the closures backend makes of one module.

    Attributes:
        source: the Python module.
        stub: its `.pyi`.
    """

    source: str
    stub: str


def generate(module: ModuleIR, *, generator: str, digest: str, fused: FusedSide | None = None) -> Generated:
    """Generate the Python module for the adapters of `module`.

    Args:
        module: verified IR.
        generator: name and version for the header, as in `marine-gen 0.1.0`.
        digest: sha256 of the Wasm file that the adapters come from.
        fused: what the module's fused glue offers; without it everything is closures.
    """
    return _Module(module, generator, digest, fused or FusedSide()).render()


class _Module:
    def __init__(self, module: ModuleIR, generator: str, digest: str, fused: FusedSide) -> None:
        self._module = module
        self._fused = fused
        self._staged = Helpers(module.records, "staging_memory", "staging.allocate", "staged_")
        self._calls: list[StagedCall] = []
        self._header = {"module": module.name, "generator": generator, "digest": digest}
        self._helpers = Helpers(module.records)
        self._core = CoreFunctions([f"core_{name}" for name in identifiers([item.name for item in module.core])])
        callees = identifiers([item.name for item in module.callees])
        self._callees = {item.index: f"callee_{name}" for item, name in zip(module.callees, callees, strict=True)}
        self._exports = dict(zip(module.exports, identifiers(list(module.exports)), strict=True))
        imports = identifiers([adapter.function for adapter in module.imports.values()])
        self._imports = dict(zip(module.imports, imports, strict=True))
        self._classes = class_names(_used_records(module))
        self._annotations = Annotations(module.records, self._classes)
        self._aliases = Aliases(self._classes.values())

    def render(self) -> Generated:
        writer = Writer(1)
        codes: dict[tuple[str, str], tuple[str, str]] = {}
        used_callees: set[int] = set()
        for number, adapter in enumerate(self._module.adapters):
            if adapter.side is Side.IMPORT and adapter.key in self._fused.imports:
                continue  # runs inside Wasm
            body = AdapterBody(adapter, number, writer, self._helpers, self._core, self._callees)
            writer.line()
            with writer.block(self._head(adapter, body)):
                body.write()
            used_callees.update(
                operation.callee.index
                for operation in adapter.operations
                if hasattr(operation, "callee") and operation.callee.index in self._callees
            )
            if adapter.side is Side.IMPORT:
                codes[adapter.key] = (
                    body.representation.codes(adapter.params),
                    body.representation.codes(adapter.returns),
                )
        calls = self._write_calls()
        own = OwnNames()
        entries, published = self._entries(own)
        allocate = self._core.name(0, "II", "I") if self._helpers.uses_allocate else ""
        code = writer.text()
        functions = {**self._helpers.functions, **self._staged.functions}
        ready = {**self._helpers.ready, **self._staged.ready}
        structs = {**self._helpers.structs, **self._staged.structs}
        batch_structs = [item for call in self._calls for item in call.structs]
        helpers = [line for _, lines in sorted(functions.items()) for line in ["", *lines]]
        text = "\n".join([code, calls, *helpers, *ready.values(), *self._fused.sites])
        words = {found[1] for found in _TOKEN.finditer(text) if found[1]} | own.used
        words |= {"Any", "Callable"} if published else set()
        words |= {"Any"} if self._fused.exists else set()
        words |= {"Struct"} if structs or batch_structs else set()
        words |= {"StructError"} if structs else set()
        words |= {"dataclass"} if self._classes else set()
        context = {
            **self._header,
            "doc": docstring,
            "records": self._records(),
            "type_aliases": self._aliases.items(),
            "structs": [*sorted(structs.items()), *batch_structs],
            "glue_imports": sorted(
                {"BoundAdapters", "Link", "Sites"}
                | self._helpers.imports
                | self._staged.imports
                | (words & {"ArgumentError", "BatchCode", "CallError", "get_ident", "locate", "to_f32"})
                | ({"ImportAdapter"} if codes else set())
            ),
            "standard_imports": [line for word, lines in _STANDARD.items() if word in words for line in lines],
            "type_imports": sorted(words & {"Array", "Prim", "Record"}),
            "uses": words,
            "core": sorted((name, *key) for key, name in self._core.bound.items()),
            "callees": sorted((self._callees[index], index) for index in used_callees),
            "allocate": allocate,
            "ready": sorted(ready.items()),
            "helpers": helpers,
            "adapters": code,
            "calls": calls,
            "fused": self._fused,
            "fused_calls": [(call.name, call.index, *wire_codes(call.signature)) for call in self._calls],
            "fused_exports": {function: self._exports[function] for function in self._fused.exports},
            "entries": entries,
            "published": published,
            "exports": self._exports,
            "imports": [(key, self._imports[key], *found) for key, found in codes.items()],
        }
        return Generated(self._with_sites(_render("glue.py.j2", context)), self._stub())

    def _head(self, adapter: AdapterIR, body: AdapterBody) -> str:
        if adapter.side is Side.EXPORT:
            params = zip(body.params, adapter.params, strict=True)
            declared = ", ".join(f"{name}: {self._internal(value.type)}" for name, value in params)
            results = [self._internal(value.type) for value in adapter.returns]
            returns = results[0] if len(results) == 1 else f"tuple[{', '.join(results)}]" if results else "None"
            return f"def export_{self._exports[adapter.function]}({declared}) -> {returns}:"
        declared = ", ".join(f"{name}: Any" for name in body.params)
        return f"def import_{self._imports[adapter.key]}({declared}) -> {'Any' if adapter.returns else 'None'}:"

    def _internal(self, ty: IType) -> str:
        """The annotation of an internal value: records are tuples."""
        if isinstance(ty, Record):
            return "tuple[Any, ...]"
        if isinstance(ty, Array) and isinstance(ty.element, (Array, Record)):
            return f"list[{self._internal(ty.element)}]"
        return self._annotations.of(ty)

    def _write_calls(self) -> str:
        """The calls through the fused glue, and their batch forms."""
        writer = Writer(1)
        for index, function in enumerate(self._fused.exports):
            adapter = self._module.exports[function]
            call = StagedCall(self._exports[function], index, adapter.signature, self._staged)
            self._calls.append(call)
            params = zip(call.params, adapter.signature.params, strict=True)
            declared = ", ".join(f"{name}: {self._internal(item.type)}" for name, item in params)
            results = [self._internal(result) for result in adapter.signature.results]
            returns = results[0] if len(results) == 1 else f"tuple[{', '.join(results)}]" if results else "None"
            writer.line()
            call.write(writer, f"def call_{call.name}({declared}) -> {returns}:")
            writer.line()
            call.write_batch(writer, function)
        return writer.text()

    def _entries(self, own: OwnNames) -> tuple[str, list[tuple[str, str, str]]]:
        writer = Writer(1)
        published: list[tuple[str, str, str]] = []
        for function, adapter in self._module.exports.items():
            has_records = bool(reachable_records(list(adapter.signature.results), self._module.records))
            writer.line()
            write_entry(
                writer,
                self._exports[function],
                function,
                adapter.signature,
                self._annotations,
                own,
                runs="call" if function in self._fused.exports else "export",
                has_records=has_records,
            )
            if has_records:
                published.append((self._exports[function], function, self._annotations.results(adapter.signature)))
        return writer.text(), published

    def _records(self) -> list[dict[str, object]]:
        """Everything the frame needs to declare the record dataclasses, in an order without forward references."""
        declared = []
        for index, name in self._classes.items():
            record = self._module.records[index]
            attributes = identifiers([item.name for item in record.fields])
            spelled = [self._aliases.spell(self._annotations.of(item.type), attributes) for item in record.fields]
            declared.append(
                {
                    "name": name,
                    "index": index,
                    "doc": docstring(f"Record `{record.name}` of module `{self._module.name}`."),
                    "fields": list(zip(attributes, spelled, strict=True)),
                }
            )
        return declared

    def _stub(self) -> str:
        methods = []
        names = list(self._exports.values())
        for function, adapter in self._module.exports.items():
            params = identifiers([param.name for param in adapter.signature.params], {"self"})
            declared = [
                f"{param}: {self._aliases.spell(self._annotations.of(item.type), names)}"
                for param, item in zip(params, adapter.signature.params, strict=True)
            ]
            methods.append(
                {
                    "name": self._exports[function],
                    "params": ", ".join(["self", *declared]),
                    "returns": self._aliases.spell(self._annotations.results(adapter.signature), names),
                }
            )
        records = self._records()
        context = {
            **self._header,
            "records": records,
            "methods": methods,
            "type_aliases": self._aliases.items(),
        }
        return _render("glue.pyi.j2", context)

    def _with_sites(self, source: str) -> str:
        """Turn marks into comments and add the line table."""
        lines: list[str] = []
        rows: list[str] = []
        for line in source.splitlines():
            if not line.startswith(MARK):
                lines.append(line)
                continue
            mark = line[1:]
            if mark == "end":
                rows.append(f"    ({len(lines) + 1},),")
                continue
            number, at = map(int, mark.split(":"))
            adapter = self._module.adapters[number]
            text = str(adapter.source[at])
            lines.append(f"        # #{at} {text}")
            side, function = literal(adapter.side.value), literal(adapter.function)
            rows.append(f"    ({len(lines)}, {side}, {function}, {at}, {literal(text)}),")
        table = ["", "__marine_sites__ = Sites(", f"    {literal(self._module.name)},", "    ("]
        table += [f"    {row}" for row in rows]
        table += ["    ),", ")"]
        if self._fused.exists:
            table += [
                "FUSED_SITES: tuple[tuple[Any, ...], ...] = (",
                *(f"    {row}," for row in self._fused.sites),
                ")",
            ]
        return "\n".join([*lines, *table]) + "\n"


def _used_records(module: ModuleIR) -> Records:
    """The records that exported signatures mention; others never become public."""
    roots = [param.type for adapter in module.exports.values() for param in adapter.signature.params]
    roots += [result for adapter in module.exports.values() for result in adapter.signature.results]
    return {index: module.records[index] for index in sorted(reachable_records(roots, module.records))}


def _render(template: str, context: Mapping[str, object]) -> str:
    return render("marine_gen.python_backend", template, context, {"literal": literal})
