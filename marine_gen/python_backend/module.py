"""The generated module as a whole: collects all parts, fills the Jinja2 frame, makes the line table.

The output depends on the module alone: built twice, it is equal byte for byte. Marks in the code become a comment with
the adapter instruction and a row of the line table, which stands at the end so that it moves no line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from marine_gen.codegen.definitions import Definitions
from marine_gen.codegen.literals import docstring, python_string, python_tuple
from marine_gen.codegen.templating import render
from marine_gen.codegen.type_names import Aliases, Annotations
from marine_gen.codegen.writer import MARK, PYTHON, Writer
from marine_gen.ir.model import AdapterIR, Call, CoreCallee, ModuleIR, Side
from marine_gen.passes.host_calls import host_call_codes
from marine_gen.python_backend.adapters import AdapterBody, CoreFunctions
from marine_gen.python_backend.batches import StagedBatch
from marine_gen.python_backend.entries import write_entry
from marine_gen.python_backend.fused_calls import StagedCall
from marine_gen.python_backend.fused_side import FusedSide, site_expression
from marine_gen.python_backend.host_calls import HostCalls
from marine_gen.python_backend.lift_lower import Helpers
from marine_gen.python_backend.needs import (
    ADAPTERS,
    CALLEES,
    CALLS,
    CONSTANTS,
    CORE,
    ENTRIES,
    HELPERS,
    HOSTS,
    PUBLISHERS,
    READY,
    STAGED,
    Needs,
    own,
)
from marine_gen.python_backend.packed import PackedValues
from marine_gen.python_backend.records import DeclaredClasses
from marine_runtime.abi import Bytes, Flat, List, Struct, Text, shape
from marine_runtime.texts import identifiers
from marine_runtime.types import IType, reachable_records


@dataclass(frozen=True, slots=True)
class Paths:
    """The functions of a generated module that a call of an exported function may begin with.

    Attributes:
        entry: the function that users call.
        staged: the call through the fused glue; empty when the function is not fused.
        packed: the same with arguments that the entry packed; empty when none of its values is packed.
        batch: many calls in one entry into Wasm; empty when the function is not fused.
        closure: the export adapter in Python.
    """

    entry: str
    staged: str
    packed: str
    batch: str
    closure: str


@dataclass(frozen=True, slots=True)
class Generated:
    """The Python of one module.

    Attributes:
        source: the Python module.
        stub: its `.pyi`; empty when it is not `typed`.
        exports: the functions behind every exported function.
        imports: the function of every import adapter that is not fused.
        hosts: the functions that fused import adapters call, by call-core index.
        definitions: the definitions in `bind`, with what each requests; marks in their lines are comments already.
    """

    source: str
    stub: str
    exports: Mapping[str, Paths]
    imports: Mapping[tuple[str, str], str]
    hosts: Mapping[int, str]
    definitions: Definitions = field(compare=False)


def generate(
    module: ModuleIR,
    *,
    generator: str,
    digest: str,
    fused: FusedSide | None = None,
    classes: DeclaredClasses | None = None,
    typed: bool = True,
) -> Generated:
    """Generate the Python module for the adapters of `module`.

    Args:
        module: verified IR.
        generator: name and version for the header, as in `marine-gen 0.1.0`.
        digest: sha256 of the Wasm file that the adapters come from.
        fused: the functions of the module's fused glue; without it everything is closures.
        classes: the record classes, where `module` has only some of its adapters.
        typed: whether its `.pyi` is wanted.
    """
    found = classes or DeclaredClasses.of(module)
    return _Module(module, generator, digest, fused or FusedSide(), found).render(typed=typed)


def _passes_on(adapter: AdapterIR) -> bool:
    """Return whether an adapter calls functions of other modules, which get its values as they are."""
    return any(isinstance(item, Call) and not isinstance(item.callee, CoreCallee) for item in adapter.operations)


class _Module:
    def __init__(
        self, module: ModuleIR, generator: str, digest: str, fused: FusedSide, declared: DeclaredClasses
    ) -> None:
        self._module = module
        self._adapters = module.adapters
        self._fused = fused
        self._header = {"module": module.name, "generator": generator, "digest": digest, "doc": docstring}
        self._needs = Needs()
        self._core = CoreFunctions(self._needs, [item.name for item in module.core])
        self._helpers = Helpers(module.records, self._needs, "memory", self._core.allocate)
        callees = identifiers([item.name for item in module.callees])
        self._callees = {item.index: f"callee_{name}" for item, name in zip(module.callees, callees, strict=True)}
        self._exports = dict(zip(module.exports, identifiers(list(module.exports)), strict=True))
        imports = identifiers([adapter.function for adapter in module.imports.values()])
        self._imports = dict(zip(module.imports, imports, strict=True))
        self._classes = declared.names
        self._declares = declared.declared
        self._annotations = Annotations(module.records, self._classes)
        self._aliases = Aliases(self._classes.values())
        self._packed = PackedValues(module.records, self._classes, self._needs, (self._internal, self._annotations.of))
        self._hosts: list[tuple[int, tuple[str, str], str]] = []
        self._codes: dict[tuple[str, str], tuple[str, str]] = {}
        self._paths: dict[str, Paths] = {}

    def render(self, *, typed: bool) -> Generated:
        for number, adapter in enumerate(self._adapters):
            if adapter.side is Side.EXPORT or adapter.key not in self._fused.imports:  # those run inside Wasm
                self._write_adapter(number, adapter)
        self._write_exports()
        self._write_hosts()
        source = self._with_sites(_render("glue.py.j2", self._context()))
        hosts = {index: name for index, _, name in self._hosts}
        stub = self._stub() if typed else ""
        return Generated(source, stub, self._paths, self._import_functions(), hosts, self._needs.definitions)

    # Functions

    def _write_adapter(self, number: int, adapter: AdapterIR) -> None:
        if adapter.side is Side.EXPORT:
            name = own(f"export_{self._exports[adapter.function]}")
        else:
            name = own(f"import_{self._imports[adapter.key]}")
        with self._needs.definition(ADAPTERS, name) as definition:
            writer = Writer(PYTHON, 1)
            body = AdapterBody(adapter, number, writer, self._helpers, self._core, self._callees)
            with writer.block(f"def {name}{self._head(adapter, body)}:"):
                body.write()
            definition.lines = writer.lines
        if adapter.side is Side.IMPORT:
            codes = body.representation.codes
            self._codes[adapter.key] = codes(adapter.params), codes(adapter.returns)

    def _head(self, adapter: AdapterIR, body: AdapterBody) -> str:
        if adapter.side is Side.EXPORT:
            types = [value.type for value in adapter.params], [value.type for value in adapter.returns]
            return self._internal_head(body.params, *types)
        any_type = self._needs.support("Any")
        declared = ", ".join(f"{name}: {any_type}" for name in body.params)
        return f"({declared}) -> {any_type if adapter.returns else 'None'}"

    def _internal_head(self, names: Sequence[str], params: Sequence[IType], results: Sequence[IType]) -> str:
        """Parameters and result of a function over internal values."""
        declared = ", ".join(f"{name}: {self._internal(ty)}" for name, ty in zip(names, params, strict=True))
        returns = [self._internal(ty) for ty in results]
        result = returns[0] if len(returns) == 1 else f"tuple[{', '.join(returns)}]" if returns else "None"
        return f"({declared}) -> {result}"

    def _internal(self, ty: IType) -> str:
        """The annotation of an internal value: records are tuples."""
        part = shape(ty)
        match part:
            case Struct():
                return f"tuple[{self._needs.support('Any')}, ...]"
            case List(element=element):
                return f"list[{self._internal(element.type)}]"
            case Flat() | Text() | Bytes():
                return self._annotations.of(ty)
            case _:
                assert_never(part)

    def _write_exports(self) -> None:
        """Write the calls through the fused glue with their batches, then the entries."""
        staging = f"{own('staging')}.allocate"
        helpers = Helpers(self._module.records, self._needs, "staging_memory", lambda: staging, "staged_")
        packed = self._packed
        staged: dict[str, StagedCall] = {}
        for index, function in enumerate(self._fused.exports):
            signature = self._module.exports[function].signature
            written = StagedCall(self._exports[function], index, function, signature, helpers, packed)
            types = [item.type for item in signature.params]
            written.write(self._internal_head(written.params, types, signature.results))
            written.write_public(self._annotations.results(signature))
            staged[function] = written
        for function, adapter in self._module.exports.items():
            name = self._exports[function]
            closure = own(f"export_{name}")
            call = staged.get(function)
            publish = "" if call and call.publishes else self._publisher(function, adapter)
            batch = StagedBatch(call, packed).write(publish) if call else ""
            entry = write_entry(
                self._needs,
                name,
                function,
                adapter.signature,
                self._annotations,
                runs=call.entered if call else closure,
                publish=publish,
                packed=packed if call and (call.is_packed or not _passes_on(adapter)) else None,
            )
            self._paths[function] = Paths(
                entry, call.symbol if call else "", call.entered if call and call.is_packed else "", batch, closure
            )

    def _write_hosts(self) -> None:
        """Write the functions through which the glue calls the host."""
        calls = HostCalls(self._helpers, self._packed)
        callees = {item.index: item for item in self._module.callees}
        for index in self._fused.hosts:
            target = self._needs.binding(CALLEES, self._callees[index], f"{own('link')}.callee({index})")
            codes = host_call_codes(callees[index].type, self._module.records)
            self._hosts.append((index, codes, calls.write(callees[index], target)))

    def _publisher(self, function: str, adapter: AdapterIR) -> str:
        """The function that makes public values of the results, bound; empty when nothing has to be made."""
        if not reachable_records(list(adapter.signature.results), self._module.records):
            return ""
        name = own(f"publish_{self._exports[function]}")
        needs = self._needs
        with needs.definition(PUBLISHERS, name) as definition:
            public = self._annotations.results(adapter.signature)
            kind = f"{needs.standard('Callable')}[[{needs.support('Any')}], {public}]"
            made = f"{own('link')}.publisher({python_string(function)}) or (lambda value: value)"
            definition.lines = [f"{name}: {kind} = {made}"]
        return name

    def _import_functions(self) -> Mapping[tuple[str, str], str]:
        return {key: own(f"import_{self._imports[key]}") for key in self._codes}

    # The frame

    def _context(self) -> dict[str, object]:
        """Everything that the frame of the module says."""
        needs = self._needs
        bound = {name: needs.support(name) for name in ("BoundAdapters", "Link", "Sites")}
        if self._codes:
            bound["ImportAdapter"] = needs.support("ImportAdapter")
        if self._classes and self._declares:
            bound["dataclass"] = needs.standard("dataclass")
            bound["RecordBase"] = needs.support("RecordBase")
        if self._fused.exists:
            bound["Any"] = needs.support("Any")
        imports = self._import_functions()
        calls = {function: paths.staged for function, paths in self._paths.items() if paths.staged}
        sorted_lines = self._sorted_lines
        return {
            **self._header,
            **bound,
            "records": self._records() if self._declares else [],
            "type_aliases": self._aliases.items(),
            "codes": self._codes,
            "fused": self._fused,
            "hosts": self._hosts,
            "sites": [site_expression(row, needs) for row in self._fused.sites],
            "support_imports": needs.support_imports,
            "standard_imports": needs.standard_imports,
            "constants": sorted_lines(CONSTANTS),
            "bindings": [
                *needs.bindings,
                *(line for section in (CORE, CALLEES, CALLS, READY, PUBLISHERS) for line in sorted_lines(section)),
            ],
            "functions": [
                *sorted(needs.section(HELPERS), key=lambda item: item.name),
                *(item for section in (ADAPTERS, HOSTS, STAGED, ENTRIES) for item in needs.section(section)),
            ],
            "exports": {function: paths.closure for function, paths in self._paths.items()},
            "imports": [(key, *self._codes[key], name) for key, name in imports.items()],
            "entries": {function: paths.entry for function, paths in self._paths.items()},
            "calls": {function: paths.staged or paths.closure for function, paths in self._paths.items()}
            if calls
            else {},
            "batches": {function: paths.batch for function, paths in self._paths.items() if paths.batch},
        }

    def _sorted_lines(self, section: str) -> list[str]:
        return [
            line for item in sorted(self._needs.section(section), key=lambda item: item.name) for line in item.lines
        ]

    def _records(self) -> list[dict[str, object]]:
        """Everything the frame needs to declare the record dataclasses, in an order without forward references."""
        declared = []
        for index, name in self._classes.items():
            record = self._module.records[index]
            attributes = identifiers([item.name for item in record.fields])
            spell = self._aliases.within(attributes)
            spelled = [self._annotations.of(item.type, spell) for item in record.fields]
            declared.append(
                {
                    "name": name,
                    "index": index,
                    "doc": docstring(f"Record `{record.name}` of module `{self._module.name}`."),
                    "slots": python_tuple([python_string(attribute) for attribute in attributes]),
                    "fields": list(zip(attributes, spelled, strict=True)),
                }
            )
        return declared

    def _stub(self) -> str:
        methods = []
        spell = self._aliases.within(self._exports.values())
        for function, adapter in self._module.exports.items():
            params = identifiers([param.name for param in adapter.signature.params], {"self"})
            declared = [
                f"{param}: {self._annotations.of(item.type, spell)}"
                for param, item in zip(params, adapter.signature.params, strict=True)
            ]
            methods.append(
                {
                    "name": self._exports[function],
                    "params": ", ".join(["self", *declared]),
                    "returns": self._annotations.results(adapter.signature, spell),
                }
            )
        context = {
            **self._header,
            "records": self._records(),
            "methods": methods,
            "type_aliases": self._aliases.items(),
        }
        return _render("glue.pyi.j2", context)

    # The line table

    def _with_sites(self, source: str) -> str:
        """Turn marks into comments and add the line table."""
        lines: list[str] = []
        rows: list[str] = []
        for line in source.splitlines():
            if not line.startswith(MARK):
                lines.append(line)
                continue
            if line == f"{MARK}end":
                rows.append(f"    ({len(lines) + 1},),")
                continue
            adapter, at = self._marked(line)
            text = str(adapter.source[at])
            lines.append(_comment(at, text))
            side, function = python_string(adapter.side.value), python_string(adapter.function)
            rows.append(f"    ({len(lines)}, {side}, {function}, {at}, {python_string(text)}),")
        for definition in self._needs.section(ADAPTERS):
            definition.lines = [self._shown(line) for line in definition.lines if line != f"{MARK}end"]
        table = ["", f"__marine_sites__ = {own('Sites')}(", f"    {python_string(self._module.name)},", "    ("]
        return "\n".join([*lines, *table, *(f"    {row}" for row in rows), "    ),", ")"]) + "\n"

    def _shown(self, line: str) -> str:
        """A line with its mark, if it is one, as a comment."""
        if not line.startswith(MARK):
            return line
        adapter, at = self._marked(line)
        return _comment(at, str(adapter.source[at]))

    def _marked(self, line: str) -> tuple[AdapterIR, int]:
        """The adapter and the position of the instruction that a mark names."""
        number, at = map(int, line.removeprefix(MARK).split(":"))
        return self._adapters[number], at


def _comment(at: int, text: str) -> str:
    return f"        # #{at} {text}"


def _render(template: str, context: Mapping[str, object]) -> str:
    return render("marine_gen.python_backend", template, context, {"literal": python_string})
