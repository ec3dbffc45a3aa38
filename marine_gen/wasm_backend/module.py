"""The glue module and the stub module of one module, as text.

Names of modules and functions come from Wasm files: symbols are made of mangled ones, comments of printable ASCII, and
imports are numbered, so nothing of a name is ever part of the text's syntax. The output depends on its input alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from marine_gen.codegen.definitions import Definition, Definitions
from marine_gen.codegen.literals import wat_comment
from marine_gen.codegen.templating import render
from marine_gen.ir.model import CoreCallee
from marine_gen.passes.host_calls import host_call_codes
from marine_gen.passes.model import STAGING, FusedAdapter, Modules
from marine_gen.passes.pipeline import FusedModule
from marine_gen.wasm_backend.adapters import AdapterFunction, Row, SiteTable, wasm_params, wasm_results
from marine_gen.wasm_backend.batches import BatchFunction
from marine_gen.wasm_backend.copy import Copiers
from marine_gen.wasm_backend.expressions import const, get
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import Library
from marine_gen.wasm_backend.lower import Lowerers
from marine_gen.wasm_backend.pack import Packers
from marine_gen.wasm_backend.validate import Validators
from marine_runtime.abi import is_flat
from marine_runtime.adapters import DATA, FREE
from marine_runtime.types import CoreSignature, FunctionType, Records
from marine_runtime.wasm import signature_of


@dataclass(frozen=True, slots=True)
class FusedCode:
    """The output of the Wasm backend for one module.

    Attributes:
        glue: the glue module as Wasm text.
        stub: the stub module as Wasm text; empty when the module has no fused imports.
        entries: Wasm signature by exported function, numbered in this order: `entry.0`, `batch.0`, …
        imports: (namespace, name) of the fused imports, in the order of the stub's exports.
        hosts: the functions of the host that the glue imports, in order, by call-core index.
        needs: what the glue imports, in order: (module, export name), the name being None for its memory.
        sites: the site table.
        definitions: what the glue module defines, with what each definition requests: `entry.0`, `export.0`, …,
            `import.0`, … and their helpers.
    """

    glue: str
    stub: str
    entries: Mapping[str, CoreSignature]
    imports: tuple[tuple[str, str], ...]
    hosts: tuple[int, ...]
    needs: tuple[tuple[str, str | None], ...]
    sites: tuple[Row, ...]
    definitions: Definitions = field(compare=False)


def generate_glue(module: FusedModule, modules: Modules, ordinal: int, *, generator: str, digest: str) -> FusedCode:
    """The Wasm text for the fused adapters of `module`.

    Args:
        module: the module after all passes.
        modules: it and the modules before it.
        ordinal: its position in the service, which marks its positions.
        generator: name and version for the header.
        digest: sha256 of its Wasm file.
    """
    imports = GlueImports(modules)
    library = Library()
    validators = Validators(imports, library)
    copiers = Copiers(imports, library, validators)
    packed = Lowerers(imports, library, copiers), Packers(imports, library, copiers)
    sites = SiteTable(ordinal)
    exports, entries, table = [], [], []
    for index, (name, adapter) in enumerate(module.exports.items()):
        symbol = f"export.{index}"
        function = AdapterFunction(adapter, symbol, imports, library, validators, copiers, packed, sites)
        exports.append(function.write(f"export {name}{adapter.signature}"))
        entries.append(_define_entry(library, index, symbol, adapter, modules[adapter.module].records))
    for index, adapter in enumerate(module.imports.values()):
        function = AdapterFunction(adapter, f"import.{index}", imports, library, validators, copiers, packed, sites)
        table.append(function.write(f"import {adapter.function}{adapter.signature}"))
    needs: list[tuple[str, str | None]] = [(name, None) for name in imports.memories if name != STAGING]
    needs += [(owner, modules[owner].core[index].name) for owner, index in imports.functions]
    requested, written = list(library.requested()), [*exports, *table, *entries]
    others = {item.name for item in (*requested, *written)}
    helpers = [item for item in library.definitions if item.name not in others]
    context = {
        "generator": generator,
        "digest": digest,
        "imports": list(_imports(imports, modules, module.ir.name, len(table))),
        "definitions": [*requested, *sorted(helpers, key=lambda item: item.name), *written],
        "table": [f"${item.name}" for item in table],
    }
    return FusedCode(
        glue=render("marine_gen.wasm_backend", "glue.wat.j2", context),
        stub=_stub(module, generator) if module.imports else "",
        entries={
            name: CoreSignature(tuple(wasm_params(adapter)), tuple(wasm_results(adapter)))
            for name, adapter in module.exports.items()
        },
        imports=tuple(module.imports),
        hosts=tuple(imports.hosts),
        needs=tuple(needs),
        sites=tuple(sites.rows),
        definitions=library.definitions,
    )


def _imports(imports: GlueImports, modules: Modules, module: str, table_size: int) -> Iterator[str]:
    """Imports are numbered: the runtime gives them in the order of `FusedCode.needs`."""
    yield '(import "0" "staging" (memory $staging 1))'
    if table_size:
        yield f'(import "0" "table" (table $stub {table_size} funcref))'
    number = 0
    for name in imports.memories:
        if name != STAGING:
            yield f'(import "1" "{number}" (memory ${imports.symbol(name)} 0))  {wat_comment(f"memory of {name}")}'
            number += 1
    for (owner, index), symbol in imports.functions.items():
        callee = modules[owner].core[index]
        yield (
            f'(import "1" "{number}" (func ${symbol}{_signature(_core_params(callee), _core_results(callee.type))}))'
            f"  {wat_comment(f'{owner}: {callee.name}')}"
        )
        number += 1
    for number, item in enumerate(imports.hosts.values()):
        core = signature_of(*host_call_codes(item.type, imports.owner(module).records))
        declared = _signature(core.params, core.results)
        yield f'(import "2" "{number}" (func $host.{number}{declared}))  {wat_comment(item.name)}'


def _core_params(callee: CoreCallee) -> list[str]:
    return [str(param.type) for param in callee.type.params]


def _core_results(ty: FunctionType) -> list[str]:
    return [str(result) for result in ty.results]


def _signature(params: Sequence[str], results: Sequence[str], names: Sequence[str] = ()) -> str:
    declared = [f"${name} {ty}" for name, ty in zip(names, params, strict=True)] if names else list(params)
    text = "".join(f" (param {item})" for item in declared)
    return text + "".join(f" (result {ty})" for ty in results)


def _define_entry(library: Library, index: int, symbol: str, adapter: FusedAdapter, records: Records) -> Definition:
    """The host's way into an export adapter: one call, and many calls in one."""
    params, results = wasm_params(adapter), wasm_results(adapter)
    names = [f"p{position}" for position in range(len(params))]
    staged = any(not is_flat(value.type) for value in adapter.params)  # the host says where what it staged ends
    more = (["i32"], ["free"]) if staged else ([], [])
    context = {
        "index": index,
        "symbol": symbol,
        "word": FREE,
        "free": get("free") if staged else const(DATA),
        "signature": _signature([*params, *more[0]], results, [*names, *more[1]]),
        "arguments": "".join(f" {get(name)}" for name in names),
    }
    with library.definitions.definition(f"entry.{index}") as made:
        library.definitions.use(symbol)
        made.lines = render("marine_gen.wasm_backend", "entry.wat.j2", context).splitlines()
        made.lines += ["", *BatchFunction(adapter, records, library).write(f"batch.{index}", symbol)]
    return made


def _stub(module: FusedModule, generator: str) -> str:
    functions = []
    for index, adapter in enumerate(module.imports.values()):
        params, results = wasm_params(adapter), wasm_results(adapter)
        names = [f"p{position}" for position in range(len(params))]
        functions.append(
            {
                "index": index,
                "title": wat_comment(adapter.function),
                "signature": _signature(params, results, names),
                "type": _signature(params, results),
                "arguments": "".join(f" {get(name)}" for name in names),
            }
        )
    context = {"generator": generator, "functions": functions}
    return render("marine_gen.wasm_backend", "stub.wat.j2", context)
