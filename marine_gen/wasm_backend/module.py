"""The glue module and the stub module of one module, as text.

Names of modules and functions come from Wasm files: symbols are made of mangled ones, comments of printable ASCII, and
imports are numbered, so nothing of a name is ever part of the text's syntax. The output depends on its input alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from marine_gen.codegen.templating import render
from marine_gen.ir.model import CoreCallee
from marine_gen.passes.model import STAGING, FusedAdapter, Modules
from marine_gen.passes.pipeline import FusedModule
from marine_gen.wasm_backend.adapters import AdapterFunction, Row, SiteTable, wasm_params, wasm_results
from marine_gen.wasm_backend.copy import Copiers
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.validate import Validators
from marine_gen.wasm_backend.writer import comment, get
from marine_runtime.adapters import BATCH_DONE, BATCH_RESIDENT, DATA, FAULT_KIND, FAULT_VALUES, Fault
from marine_runtime.types import CoreSignature, FunctionType
from marine_runtime.wasm import FACTOR, FLOOR


@dataclass(frozen=True, slots=True)
class FusedCode:
    """What the fused backend makes of one module.

    Attributes:
        glue: the glue module as Wasm text.
        stub: the stub module as Wasm text; empty when the module has no fused imports.
        entries: Wasm signature by exported function, numbered in this order: `entry.0`, `batch.0`, …
        imports: (namespace, name) of the fused imports, in the order of the stub's exports.
        needs: what the glue imports, in order: (module, export name), the name being None for its memory.
        sites: the site table.
    """

    glue: str
    stub: str
    entries: Mapping[str, CoreSignature]
    imports: tuple[tuple[str, str], ...]
    needs: tuple[tuple[str, str | None], ...]
    sites: tuple[Row, ...]


def generate_glue(module: FusedModule, modules: Modules, ordinal: int, *, generator: str, digest: str) -> FusedCode:
    """The Wasm text for the fused adapters of `module`.

    Args:
        module: the module after all passes.
        modules: it and the modules before it.
        ordinal: its position in the service, which marks its positions.
        generator: name and version for the header.
        digest: sha256 of its Wasm file.
    """
    places = GlueImports(modules)
    checks = Validators(places)
    copies = Copiers(places, checks)
    sites = SiteTable(ordinal)
    functions = []
    entries = []
    for index, (name, adapter) in enumerate(module.exports.items()):
        symbol = f"export.{index}"
        lines = AdapterFunction(adapter, symbol, places, checks, copies, sites).write()
        functions.append({"title": _title(f"export {name}{adapter.signature}"), "lines": lines})
        entries.append(_entry(index, symbol, adapter))
    table = []
    for index, adapter in enumerate(module.imports.values()):
        table.append(f"$import.{index}")
        lines = AdapterFunction(adapter, f"import.{index}", places, checks, copies, sites).write()
        functions.append({"title": _title(f"import {adapter.function}{adapter.signature}"), "lines": lines})
    helpers = [line for name in [*sorted(checks.functions)] for line in ["", *checks.functions[name]]]
    helpers += [line for name in sorted(copies.functions) for line in ["", *copies.functions[name]]]
    needs: list[tuple[str, str | None]] = [(name, None) for name in places.memories if name != STAGING]
    needs += [(owner, modules[owner].core[index].name) for owner, index in places.functions]
    context = {
        "generator": generator,
        "digest": digest,
        "imports": list(_imports(places, modules, len(table))),
        "layout": {
            "kind": FAULT_KIND,
            "numbers": FAULT_VALUES,
            "staging": int(Fault.STAGING),
            "done": BATCH_DONE,
            "resident": BATCH_RESIDENT,
            "data": DATA,
        },
        "uses_stage": any("(call $stage " in line for line in helpers),
        "bounds": sorted(places.symbol(name) for name in checks.bounds),
        "metered": sorted(places.symbol(name) for name in checks.metered),
        "meter": {"factor": FACTOR, "floor": FLOOR},
        "utf8": sorted(places.symbol(name) for name in checks.utf8),
        "helpers": helpers,
        "functions": functions,
        "entries": entries,
        "table": table,
    }
    return FusedCode(
        glue=render("marine_gen.wasm_backend", "glue.wat.j2", context),
        stub=_stub(module, generator) if module.imports else "",
        entries={
            name: CoreSignature(tuple(wasm_params(adapter)), tuple(wasm_results(adapter)))
            for name, adapter in module.exports.items()
        },
        imports=tuple(module.imports),
        needs=tuple(needs),
        sites=tuple(sites.rows),
    )


def _imports(places: GlueImports, modules: Modules, table_size: int) -> Iterator[str]:
    """Imports are numbered: the runtime gives them in the order of `FusedCode.needs`."""
    yield '(import "0" "staging" (memory $staging 1))'
    if table_size:
        yield f'(import "0" "table" (table $stub {table_size} funcref))'
    number = 0
    for name in places.memories:
        if name != STAGING:
            yield f'(import "1" "{number}" (memory ${places.symbol(name)} 0))  {comment(f"memory of {name}")}'
            number += 1
    for (owner, index), symbol in places.functions.items():
        callee = modules[owner].core[index]
        yield (
            f'(import "1" "{number}" (func ${symbol}{_signature(_core_params(callee), _core_results(callee.type))}))'
            f"  {comment(f'{owner}: {callee.name}')}"
        )
        number += 1


def _core_params(callee: CoreCallee) -> list[str]:
    return [str(param.type) for param in callee.type.params]


def _core_results(ty: FunctionType) -> list[str]:
    return [str(result) for result in ty.results]


def _signature(params: Sequence[str], results: Sequence[str], names: Sequence[str] = ()) -> str:
    declared = [f"${name} {ty}" for name, ty in zip(names, params, strict=True)] if names else list(params)
    text = "".join(f" (param {item})" for item in declared)
    return text + "".join(f" (result {ty})" for ty in results)


def _entry(index: int, symbol: str, adapter: FusedAdapter) -> dict[str, object]:
    """What the frame needs for the host's way into an export adapter."""
    params, results = wasm_params(adapter), wasm_results(adapter)
    names = [f"p{position}" for position in range(len(params))]
    loads = "".join(f" ({ty}.load $staging offset={8 * i} {get('in')})" for i, ty in enumerate(params))
    stores = []
    for position in reversed(range(len(results))):
        ty = results[position]
        stores.append(f"(local.set $r{position})")
        stores.append(f"({ty}.store $staging offset={8 * position} {get('out')} {get(f'r{position}')})")
    return {
        "index": index,
        "symbol": symbol,
        "signature": _signature(params, results, names),
        "arguments": "".join(f" {get(name)}" for name in names),
        "batch_locals": " ".join(f"(local $r{position} {ty})" for position, ty in enumerate(results)),
        "batch_loads": loads,
        "batch_stores": stores,
        "in_size": 8 * len(params),
        "out_size": 8 * len(results),
    }


def _stub(module: FusedModule, generator: str) -> str:
    functions = []
    for index, adapter in enumerate(module.imports.values()):
        params, results = wasm_params(adapter), wasm_results(adapter)
        names = [f"p{position}" for position in range(len(params))]
        functions.append(
            {
                "index": index,
                "title": _title(adapter.function),
                "signature": _signature(params, results, names),
                "type": _signature(params, results),
                "arguments": "".join(f" {get(name)}" for name in names),
            }
        )
    context = {"generator": generator, "functions": functions}
    return render("marine_gen.wasm_backend", "stub.wat.j2", context)


def _title(text: str) -> str:
    return comment(text).removeprefix(";; ")
