"""Calls of guests: their own code in place where it can be lifted and there is room, else a call.

Lifted code is a *region*, a block that begins with an unused constant: the mark with the index of the owner's
memory. It is what the verifier finds regions by. Its locals are those of no other code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from marine_gen.ir.model import CoreCallee
from marine_gen.wasm.lifting import Lifted
from marine_gen.wasm_backend.code import FunctionCode
from marine_gen.wasm_backend.expressions import const, get
from marine_gen.wasm_backend.imports import GlueImports
from marine_runtime.abi import AbiHelper

MARK = 0x6D670000
"""The constant at the start of a region, to which the index of a memory is added: `mg` in ASCII."""

MARKED = 1 << 16
"""There are so many of them."""

LiftedFunctions = Mapping[str, Mapping[str, Lifted]]
"""The functions that can be lifted, by module and export."""

_NAME = re.compile(r"@([LBMGTF])(\d*)")


class Guests:
    """Calls of the core functions of guests."""

    def __init__(self, imports: GlueImports, functions: LiftedFunctions) -> None:
        self._imports = imports
        self._functions = functions

    def call(
        self, code: FunctionCode, module: str, callee: CoreCallee, arguments: Sequence[str], results: Sequence[str] = ()
    ) -> None:
        """Call a function with the values of expressions, and put its results into the locals `results`."""
        found = self._functions.get(module, {}).get(callee.name)
        if found is not None and code.room >= (cost := 1 + found.size // _PART):
            code.spend(cost)
            self._region(code, module, found, arguments, results)
            return
        text = f"(call {self._imports.function(module, callee)}{''.join(f' {item}' for item in arguments)})"
        if len(results) == 1:
            code.line(f"(local.set ${results[0]} {text})")
            return
        code.line(text)
        for name in reversed(results):
            code.line(f"(local.set ${name})")

    def allocate(self, code: FunctionCode, module: str, size: str, tag: str) -> str:
        """Call the `allocate` of a module; the expression for what it gave."""
        block = code.local("block")
        self.call(code, module, self._imports.owner(module).core[AbiHelper.ALLOCATE], [size, tag], [block])
        return get(block)

    def _region(
        self, code: FunctionCode, module: str, function: Lifted, arguments: Sequence[str], results: Sequence[str]
    ) -> None:
        """The function's own code, in a block of its own."""
        memory = self._imports.memory(module)
        names = [code.local("lifted", ty) for ty in function.locals]
        for name, argument in zip(names, arguments, strict=False):
            code.line(f"(local.set ${name} {argument})")
        labels = {"0": code.label("lifted")}
        symbols = {need.operand: self._imports.item(module, need) for need in function.needs} | {"@M": memory}

        def symbol(found: re.Match[str]) -> str:
            kind, number = found.groups()
            if kind == "L":
                return f"${names[int(number)]}"
            if kind == "B":
                if number not in labels:
                    labels[number] = code.label("lifted")
                return labels[number]
            return symbols[found[0]]

        lines = [_NAME.sub(symbol, line) if "@" in line else line for line in function.lines]
        result = "".join(f" (result {ty})" for ty in function.signature.results)
        heads = [f"local.set ${results[0]}"] if results else []
        with code.block(*heads, f"block {labels['0']}{result}"):
            code.line(f"(drop {const(MARK + self._imports.memory_index(module))})")
            for line in lines:
                code.line(line)


_PART = 100  # bytes of lifted code that take the room of a part
