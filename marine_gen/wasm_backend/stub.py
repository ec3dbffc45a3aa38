"""The stub module of one module: what provides its fused imports before the glue exists.

An adapter that needs nothing of its importer, because no value lies in memory, is in the stub itself. The others are
calls through a table, which the glue fills. Until the glue is there, calling either is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from marine_gen.codegen.definitions import Definition
from marine_gen.codegen.literals import wat_comment
from marine_gen.codegen.templating import render
from marine_gen.ir.model import Call
from marine_gen.passes.model import STAGING, Copy, FusedAdapter, HostCall, Modules, Validate, Write
from marine_gen.wasm_backend.adapters import AdapterFunction, wasm_params, wasm_results
from marine_gen.wasm_backend.expressions import const, get
from marine_gen.wasm_backend.imports import GlueImports

LINKED = "linked"
"""The global of the stub that the glue sets; a direct adapter looks at it."""


@dataclass(frozen=True, slots=True)
class StubModule:
    """The stub while its module's adapters are written.

    Attributes:
        imports: the functions of other modules that its own adapters need.
        direct: its own adapters, by their numbers among the imports.
    """

    imports: GlueImports
    direct: dict[int, Definition] = field(default_factory=dict)

    def add(self, number: int, function: AdapterFunction, title: str) -> None:
        """Write an adapter into the stub."""
        self.direct[number] = function.write(title)

    def text(
        self, adapters: Sequence[FusedAdapter], defined: Sequence[Definition], generator: str, *, tail_calls: bool
    ) -> str:
        """The module as text.

        Args:
            adapters: all fused import adapters.
            defined: the definitions that its own adapters use.
            generator: name and version for the header.
            tail_calls: whether the compiler of the module has tail calls, which save a frame.
        """
        functions = []
        for number, adapter in enumerate(adapters):
            params, results = wasm_params(adapter), wasm_results(adapter)
            names = [f"p{position}" for position in range(len(params))]
            functions.append(
                {
                    "index": number,
                    "title": wat_comment(adapter.function),
                    "signature": signature_text(params, results, names),
                    "type": signature_text(params, results),
                    "arguments": "".join(f" {get(name)}" for name in names),
                    "lines": self.direct[number].lines if number in self.direct else None,
                }
            )
        for place, item in enumerate(item for item in functions if item["lines"] is None):
            item["place"] = place
        context = {
            "generator": generator,
            "call": "return_call_indirect" if tail_calls else "call_indirect",
            "functions": functions,
            "indirect": [item for item in functions if item["lines"] is None],
            "imports": list(guest_imports(self.imports)) if self.direct else [],
            "definitions": defined,
        }
        return render("marine_gen.wasm_backend", "stub.wat.j2", context)


def is_direct(adapter: FusedAdapter) -> bool:
    """True if an import adapter touches neither memory nor functions of its importer."""
    own = (Call, HostCall, Validate, Copy, Write)
    return not any(isinstance(step.operation, own) and step.module == adapter.module for step in adapter.steps)


def opening(number: int) -> list[str]:
    """The beginning of a direct adapter."""
    return [f"(if (i32.eqz (global.get ${LINKED})) (then (call $unbound {const(number)})))"]


def signature_text(params: Sequence[str], results: Sequence[str], names: Sequence[str] = ()) -> str:
    """Parameters, named or not, and results of a function."""
    declared = [f"${name} {ty}" for name, ty in zip(names, params, strict=True)] if names else list(params)
    text = "".join(f" (param {item})" for item in declared)
    return text + "".join(f" (result {ty})" for ty in results)


def guest_imports(imports: GlueImports) -> Iterator[str]:
    """The imports from guests: numbered, as the runtime gives them in the order of `GlueImports.needs`."""
    modules: Modules = imports.modules
    number = 0
    for name in imports.memories:
        if name != STAGING:
            yield f'(import "1" "{number}" (memory ${imports.symbol(name)} 0))  {wat_comment(f"memory of {name}")}'
            number += 1
    for (owner, index), symbol in imports.functions.items():
        callee = modules[owner].core[index]
        ty = signature_text([str(param.type) for param in callee.type.params], list(map(str, callee.type.results)))
        yield f'(import "1" "{number}" (func ${symbol}{ty}))  {wat_comment(f"{owner}: {callee.name}")}'
        number += 1
    for (owner, need), symbol in imports.items.items():
        said = f'(import "1" "{number}" ({need.word} ${symbol} {need.type}))'
        yield f"{said}  {wat_comment(f'{owner}: {need.name}')}"
        number += 1
