"""The glue module and the stub module of one module, as text.

Names of modules and functions come from Wasm files: symbols are made of mangled ones, comments of printable ASCII, and
imports are numbered, so nothing of a name is ever part of the text's syntax. The output depends on its input alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from marine_gen.codegen.definitions import Definition, Definitions
from marine_gen.codegen.literals import wat_comment
from marine_gen.codegen.templating import render
from marine_gen.passes.host_calls import host_call_codes
from marine_gen.passes.model import FusedAdapter, Modules
from marine_gen.passes.pipeline import FusedModule
from marine_gen.wasm_backend.adapters import AdapterFunction, Row, SiteTable, Writers, wasm_params, wasm_results
from marine_gen.wasm_backend.batches import BatchFunction
from marine_gen.wasm_backend.copy import Copiers
from marine_gen.wasm_backend.expressions import const, get
from marine_gen.wasm_backend.guests import Guests, LiftedFunctions
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import OF_COMPONENT, Caller, Library
from marine_gen.wasm_backend.lower import Lowerers
from marine_gen.wasm_backend.pack import Packers
from marine_gen.wasm_backend.stub import LINKED, StubModule, guest_imports, is_direct, opening, signature_text
from marine_gen.wasm_backend.validate import Validators
from marine_runtime.abi import is_flat
from marine_runtime.adapters import DATA, FREE
from marine_runtime.types import CoreSignature, Records
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
        needs: the imports of the glue, in order: (module, export name), the name being None for its memory.
        stub_needs: the imports of the stub, in the same form.
        sites: the site table.
        definitions: the definitions of the glue module, with what each requests: `entry.0`, `export.0`, …,
            `import.0`, … and their helpers.
    """

    glue: str
    stub: str
    entries: Mapping[str, CoreSignature]
    imports: tuple[tuple[str, str], ...]
    hosts: tuple[int, ...]
    needs: tuple[tuple[str, str | None], ...]
    stub_needs: tuple[tuple[str, str | None], ...]
    sites: tuple[Row, ...]
    definitions: Definitions = field(compare=False)


def generate_glue(
    module: FusedModule,
    modules: Modules,
    ordinal: int,
    lifted: LiftedFunctions,
    *,
    generator: str,
    digest: str,
    caller: Caller = Caller.PYTHON,
    first_site: int = 0,
) -> FusedCode:
    """The Wasm text for the fused adapters of `module`.

    Args:
        module: the module after all passes.
        modules: it and the modules before it.
        ordinal: its position in the service, which marks its positions.
        lifted: the functions of guests that may stand in place of calls.
        generator: name and version for the header.
        digest: sha256 of its Wasm file.
        caller: the caller of the export adapters.
        first_site: the number of the first row of its site table.
    """
    imports = GlueImports(modules)
    library = Library(caller)
    writers = _writers(imports, library, lifted)
    sites = SiteTable(ordinal, first_site)
    exports, entries, table = [], [], []
    for index, (name, adapter) in enumerate(module.exports.items()):
        symbol = f"export.{index}"
        function = AdapterFunction(adapter, symbol, imports, library, writers, sites)
        exports.append(function.write(f"export {name}{adapter.signature}"))
        entries.append(_define_entry(library, index, symbol, adapter, modules[adapter.module].records))
    stub = StubModule(GlueImports(modules))
    direct = _writers(stub.imports, library, lifted)
    for index, adapter in enumerate(module.imports.values()):
        title = f"import {adapter.function}{adapter.signature}"
        if caller is Caller.PYTHON and is_direct(adapter):  # the stub of a component has nothing but the table
            parts = stub.imports, library, direct, sites, opening(index)
            stub.add(index, AdapterFunction(adapter, f"import.{index}", *parts), title)
            continue
        function = AdapterFunction(adapter, f"import.{index}", imports, library, writers, sites)
        table.append(function.write(title))
    lent = _reached(library, stub.direct.values())
    requested, written = list(library.requested()), [*exports, *table, *entries, *stub.direct.values()]
    others = {item.name for item in (*requested, *written)}
    helpers = [item for item in library.definitions if item.name not in others]
    context = {
        "generator": generator,
        "digest": digest,
        "imports": [
            *_imports(imports, module.ir.name, len(table), linked=bool(stub.direct)),
            *_of_component(caller),
        ],
        "definitions": [*requested, *sorted(helpers, key=lambda item: item.name), *exports, *table, *entries],
        "linked": bool(stub.direct),
        "table": [f"${item.name}" for item in table],
    }
    return FusedCode(
        glue=render("marine_gen.wasm_backend", "glue.wat.j2", context),
        # The host of a component may have a compiler without tail calls.
        stub=stub.text(tuple(module.imports.values()), lent, generator, tail_calls=caller is Caller.PYTHON)
        if module.imports
        else "",
        entries={
            name: CoreSignature(tuple(wasm_params(adapter)), tuple(wasm_results(adapter)))
            for name, adapter in module.exports.items()
        },
        imports=tuple(module.imports),
        hosts=tuple(imports.hosts),
        needs=tuple(imports.needs()),
        stub_needs=tuple(stub.imports.needs()) if stub.direct else (),
        sites=tuple(sites.rows),
        definitions=library.definitions,
    )


def _writers(imports: GlueImports, library: Library, lifted: LiftedFunctions) -> Writers:
    guests = Guests(imports, lifted)
    copiers = Copiers(imports, library, guests)
    packed = Lowerers(imports, library, copiers), Packers(imports, library, copiers)
    return guests, Validators(imports, library), copiers, packed


def _reached(library: Library, roots: Iterable[Definition]) -> list[Definition]:
    """The names that definitions use, each once, without themselves."""
    names = {root.name for root in roots}
    found = {item.name: item for name in sorted(names) for item in library.definitions.reached(name)}
    return [item for name, item in sorted(found.items()) if name not in names]


def _imports(imports: GlueImports, module: str, table_size: int, *, linked: bool) -> Iterator[str]:
    """Module 0 is the service; what the glue needs of guests follows."""
    yield '(import "0" "staging" (memory $staging 1))'
    if table_size:
        yield f'(import "0" "table" (table $stub {table_size} {table_size} funcref))'
    if linked:
        yield f'(import "0" "{LINKED}" (global ${LINKED} (mut i32)))'
    yield from guest_imports(imports)
    for number, item in enumerate(imports.hosts.values()):
        core = signature_of(*host_call_codes(item.type, imports.owner(module).records))
        declared = signature_text(core.params, core.results)
        yield f'(import "2" "{number}" (func $host.{number}{declared}))  {wat_comment(item.name)}'


def _of_component(caller: Caller) -> Iterator[str]:
    """The imports of the glue of a component."""
    if caller.in_component:
        for name, definition in OF_COMPONENT.items():
            yield f'(import "0" "{name}" {definition})'


def _define_entry(library: Library, index: int, symbol: str, adapter: FusedAdapter, records: Records) -> Definition:
    """The host's way into an export adapter: one call, and many calls in one."""
    params, results = wasm_params(adapter), wasm_results(adapter)
    names = [f"p{position}" for position in range(len(params))]
    of_python = library.caller is Caller.PYTHON
    # Python says where what it staged ends.
    staged = of_python and any(not is_flat(value.type) for value in adapter.params)
    more = (["i32"], ["free"]) if staged else ([], [])
    context = {
        "index": index,
        "symbol": symbol,
        "word": FREE,
        "free": get("free") if staged else const(DATA),  # check: fused room behind arguments
        "signature": signature_text([*params, *more[0]], results, [*names, *more[1]]),
        "arguments": "".join(f" {get(name)}" for name in names),
        "resets": of_python,
    }
    with library.definitions.definition(f"entry.{index}") as made:
        library.definitions.use(symbol)
        made.lines = render("marine_gen.wasm_backend", "entry.wat.j2", context).splitlines()
        if of_python:
            made.lines += ["", *BatchFunction(adapter, records, library).write(f"batch.{index}", symbol)]
    return made
