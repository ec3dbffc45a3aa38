"""The model of a picture of a service: cards with rows, and edges between rows.

Nothing here knows about places or colours. Names are those of the Wasm files, made printable; texts may be of any
length. Whether the host really provides an import is not looked at: the embedder decides that when it loads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import assert_never

from marine_gen.artifact import BACKENDS, CompiledModule
from marine_gen.ir.model import (
    AdapterIR,
    Call,
    Constant,
    Convert,
    CoreCallee,
    Lift,
    Lower,
    ModuleIR,
    Side,
    Size,
    StoreBlock,
)
from marine_gen.passes import Copy, HostCall, ServiceIR, Validate, Write, fuse_service
from marine_gen.passes.model import AnyStep
from marine_gen.wasm.signatures import CoreImport, read_signatures
from marine_runtime import ServiceConfig
from marine_runtime.abi import BY_EXPORT, HOST_NAMESPACES, AbiHelper, ModulePlan
from marine_runtime.host import BUILT_IN, WASI_NAMESPACES
from marine_runtime.texts import shortened
from marine_runtime.types import FunctionType, IType, Records, describe

_RELEASE = AbiHelper.RELEASE_OBJECTS.export
_PYTHON = "a function of a module in Python"
_LONGEST = 4000  # characters of a tooltip or detail's title

Excerpts = Callable[[int, AdapterIR], Sequence[tuple[str, str]]]
"""Title and text of what there is to read about an adapter of the module at some position."""

Key = tuple[str, Side, str]
"""One adapter: module, side, function (`namespace.name` for imports)."""


class NodeKind(Enum):
    """The meaning of an edge."""

    FUSED = "fused call"
    ADAPTED = "call through adapters in Python"
    HOST = "host function"
    BINARY = "mounted binary"
    DIRECTORY = "mapped directory"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a card that edges begin or end at.

    Attributes:
        key: unique in the graph.
        text: its text, such as a function with its signature.
        steps: the steps of a call; empty where there are no adapters.
        cost: the measured figure as text; empty when nothing was measured.
        note: more about it.
        excerpts: title and text of what there is to read.
    """

    key: str
    text: str
    steps: str = ""
    cost: str = ""
    note: str = ""
    excerpts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A module, or a group of things that the host provides.

    Attributes:
        offers: rows that edges lead to.
        wants: its imported functions.
        uses: other things that it uses of the host: directories, WASI.
        column: 0 for modules that nobody imports from; edges lead to higher columns.
    """

    key: str
    title: str
    subtitle: str
    offers: tuple[Row, ...]
    wants: tuple[Row, ...] = ()
    uses: tuple[Row, ...] = ()
    column: int = 0
    is_module: bool = True

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them, from the top."""
        return (*self.offers, *self.wants, *self.uses)


@dataclass(frozen=True, slots=True)
class Edge:
    """From a row of `wants` or `uses` to a row of `offers`, by their keys."""

    start: str
    end: str
    kind: NodeKind


@dataclass(frozen=True, slots=True)
class Graph:
    """A service to be drawn.

    Attributes:
        engine: the engine whose steps are shown.
        measured: the way in which the costs were measured; empty when there are none.
    """

    name: str
    engine: str
    cards: tuple[Card, ...]
    edges: tuple[Edge, ...]
    measured: str = ""

    @property
    def rows(self) -> dict[str, tuple[Card, Row]]:
        """Every row with its card, by key."""
        return {row.key: (card, row) for card in self.cards for row in card.rows}


def build_graph(
    name: str,
    compiled: Sequence[CompiledModule],
    config: ServiceConfig,
    engine: str,
    *,
    excerpts: Excerpts | None = None,
    folder: Path | None = None,
    costs: Mapping[Key, str] | None = None,
    measured: str = "",
) -> Graph:
    """The graph of a service whose modules fit together (`compile_service` checked that).

    Args:
        name: the name of the service.
        compiled: its modules in load order.
        config: their settings.
        engine: the engine whose steps are shown.
        excerpts: the code to show for an adapter; none by default.
        folder: paths of the host that are in it are shown from there.
        costs: the measured figures.
        measured: how.
    """
    return _Builder(name, compiled, config, engine, excerpts, folder, costs or {}, measured).graph()


@dataclass(slots=True)
class _Host:
    """The rows of what the host provides, by group, each thing once."""

    groups: dict[NodeKind, dict[str, Row]] = field(
        default_factory=lambda: {NodeKind.HOST: {}, NodeKind.BINARY: {}, NodeKind.DIRECTORY: {}}
    )

    def row(self, kind: NodeKind, text: str, note: str) -> str:
        """The key of a thing."""
        rows = self.groups[kind]
        if text not in rows:
            rows[text] = Row(f"{kind.name.lower()}-{len(rows)}", text, note=note)
        return rows[text].key


class _Builder:
    def __init__(
        self,
        name: str,
        compiled: Sequence[CompiledModule],
        config: ServiceConfig,
        engine: str,
        excerpts: Excerpts | None,
        folder: Path | None,
        costs: Mapping[Key, str],
        measured: str,
    ) -> None:
        self._name, self._compiled, self._config, self._engine = name, compiled, config, engine
        self._excerpts, self._folder, self._costs, self._measured = excerpts, folder, costs, measured
        self._fused: ServiceIR | None = fuse_service([item.ir for item in compiled]) if BACKENDS[engine].fuses else None
        self._exports = {
            (item.name, function): f"m{position}-e{index}"
            for position, item in enumerate(compiled)
            for index, function in enumerate(item.ir.exports)
        }
        self._host = _Host()
        self._edges: list[Edge] = []

    def graph(self) -> Graph:
        columns = _columns([item.plan for item in self._compiled])
        cards = [self._module(position, columns[item.name]) for position, item in enumerate(self._compiled)]
        last = 1 + max((card.column for card in cards), default=0)
        titles = {
            NodeKind.HOST: "host functions",
            NodeKind.BINARY: "mounted binaries",
            NodeKind.DIRECTORY: "mapped directories",
        }
        for kind, rows in self._host.groups.items():
            if rows:
                key = f"host-{kind.name.lower()}"
                cards.append(Card(key, titles[kind], "of the host", tuple(rows.values()), column=last, is_module=False))
        name = printable(self._name)
        return Graph(name, self._engine, tuple(cards), tuple(self._edges), self._measured)

    def _module(self, position: int, column: int) -> Card:
        module = self._compiled[position]
        offers = [
            self._function(position, adapter, self._exports[module.name, name])
            for name, adapter in module.ir.exports.items()
        ]
        wants: list[Row] = []
        for adapter in module.ir.imports.values():
            row = self._function(position, adapter, f"m{position}-w{len(wants)}")
            wants.append(row)
            for callee in callees(adapter):
                end = self._exports.get(callee) or self._host.row(NodeKind.HOST, printable(".".join(callee)), _PYTHON)
                self._edges.append(
                    Edge(row.key, end, NodeKind.ADAPTED if row.note or not self._fused else NodeKind.FUSED)
                )
        core = read_signatures(module.binary).imports
        outside = [item for item in core if (item.namespace, item.name) not in module.ir.imports]
        for item in outside:
            if item.namespace not in WASI_NAMESPACES:
                wants.append(self._host_import(module.name, item, f"m{position}-w{len(wants)}"))
        uses: list[Row] = []
        for guest, place in self._config.module(module.name).mapped_dirs.items():
            key = f"m{position}-u{len(uses)}"
            uses.append(Row(key, f"directory {printable(guest)}"))
            end = self._host.row(NodeKind.DIRECTORY, self._path(place), "a directory of the host that modules may use")
            self._edges.append(Edge(key, end, NodeKind.DIRECTORY))
        if wasi := sum(item.namespace in WASI_NAMESPACES for item in outside):
            note = "native functions of the runtime, each with the module's own view of the machine"
            uses.append(Row(f"m{position}-u{len(uses)}", f"WASI, {wasi} function{'s' * (wasi != 1)}", note=note))
        subtitle = f"{len(module.wasm):,} bytes, SDK {printable(module.plan.sdk_version)}"
        return Card(f"m{position}", printable(module.name), subtitle, tuple(offers), tuple(wants), tuple(uses), column)

    def _function(self, position: int, adapter: AdapterIR, key: str) -> Row:
        """The row of an exported or imported function."""
        ir = self._compiled[position].ir
        signature, records = adapter.signature, ir.records
        if adapter.side is Side.IMPORT:  # whose adapter has the raw signature; people want the other
            wanted = [item for item in ir.callees if (item.callee.namespace, item.callee.name) in callees(adapter)]
            signature = wanted[0].type if wanted else signature
        steps, note = self._steps(ir, adapter)
        return Row(
            key,
            printable(_signature(adapter.function, signature, records)),
            steps,
            self._costs.get((ir.name, adapter.side, adapter.function), ""),
            note,
            tuple(self._excerpts(position, adapter)) if self._excerpts else (),
        )

    def _steps(self, ir: ModuleIR, adapter: AdapterIR) -> tuple[str, str]:
        """The steps that `engine` takes, and why they are not fused where that is so."""
        if self._fused is not None:
            module = self._fused.modules[ir.name]
            exported = adapter.side is Side.EXPORT
            why = module.unfused.get(f"{adapter.side.value} {adapter.function}")
            if why is None:
                fused = module.exports[adapter.function] if exported else module.imports[adapter.key]
                records = {item.name: item.ir.records for item in self._compiled}
                operations = [(step.operation, records.get(step.module, ir.records)) for step in fused.steps]
                return summary(operations), ""
            return summary([(item, ir.records) for item in adapter.operations]), printable(f"not fused: {why}")
        return summary([(item, ir.records) for item in adapter.operations]), ""

    def _path(self, place: str) -> str:
        """A path of the host, relative to the directory of the service if it is inside."""
        path = Path(place)
        if self._folder is not None and path.is_absolute() and path.is_relative_to(self._folder):
            return printable(f"./{path.relative_to(self._folder).as_posix()}")
        return printable(place)

    def _host_import(self, module: str, item: CoreImport, key: str) -> Row:
        text = f"{item.namespace}.{item.name}"
        settings = self._config.module(module)
        of_the_host = item.namespace in HOST_NAMESPACES
        if of_the_host and item.name in BUILT_IN:  # which win over mounted binaries of that name
            end, kind = self._host.row(NodeKind.HOST, printable(text), BUILT_IN[item.name].description), NodeKind.HOST
        elif of_the_host and item.name in settings.mounted_binaries:
            binary = settings.mounted_binaries[item.name]
            path = binary if isinstance(binary, str) else binary.path
            end, kind = self._host.row(NodeKind.BINARY, self._path(path), "a program of the host"), NodeKind.BINARY
        else:
            note = "given by the program that loads the service"
            end, kind = self._host.row(NodeKind.HOST, printable(text), note), NodeKind.HOST
        self._edges.append(Edge(key, end, kind))
        params, results = (", ".join(types) for types in (item.signature.params, item.signature.results))
        shown = f"{text}({params})" + (f" → {results}" if results else "")
        return Row(key, printable(shown), note="no adapter: values cross in Python, by the generic codec")


def callees(adapter: AdapterIR) -> list[tuple[str, str]]:
    """The functions of other modules that an adapter calls, as (module, function), each once."""
    found = [
        (operation.callee.callee.namespace, operation.callee.callee.name)
        for operation in adapter.operations
        if isinstance(operation, Call) and not isinstance(operation.callee, CoreCallee)
    ]
    return list(dict.fromkeys(found))


def _columns(plans: Sequence[ModulePlan]) -> dict[str, int]:
    """Column by module: right of everything that imports from it. Modules import from earlier ones only."""
    columns = {plan.name: 0 for plan in plans}
    for plan in reversed(plans):
        for callee in plan.callees:
            if callee.namespace in columns:  # the others are modules in Python
                columns[callee.namespace] = max(columns[callee.namespace], columns[plan.name] + 1)
    return columns


def summary(operations: Sequence[tuple[AnyStep, Records]]) -> str:
    """A summary of an adapter: values that move, calls and releases, without the bookkeeping between.

    Checks, conversions of numbers, `allocate` and the result cells go without saying.
    """
    steps = [step for operation, records in operations if (step := _step(operation, records))]
    counted = [(step, len(list(same))) for step, same in groupby(steps)]
    return ", ".join(f"{step} ×{count}" if count > 1 else step for step, count in counted) or "pass on"


def _step(operation: AnyStep, records: Records) -> str:
    def of(ty: IType) -> str:
        return printable(describe(ty, records))

    match operation:
        case Copy(type=ty):
            return f"copy {of(ty)}"
        case Write():
            return f"copy {of(operation.operands[1].type)}"
        case Lift():
            return f"lift {of(operation.results[0].type)}"
        case Lower(type=ty):
            return f"lower {of(ty)}"
        case StoreBlock():
            return f"lower {of(operation.operands[1].type)}"
        case Call(callee=CoreCallee(name=name)):
            return "release" if name == _RELEASE else "" if name in BY_EXPORT else "call"
        case Call(callee=callee) | HostCall(callee=callee):
            return printable(f"call {callee.name}")
        case Validate() | Constant() | Convert() | Size():
            return ""
        case _:
            assert_never(operation)


def _signature(name: str, signature: FunctionType, records: Records) -> str:
    params = ", ".join(f"{item.name}: {describe(item.type, records)}" for item in signature.params)
    results = ", ".join(describe(item, records) for item in signature.results)
    return f"{name}({params})" + (f" → {results}" if results else "")


def printable(text: str) -> str:
    """`text` on one line, for a document: what can't be seen, or must not be in XML, as an escape; not too long."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in shortened(text, _LONGEST)
    )
