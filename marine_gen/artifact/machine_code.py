"""Compiling a guest with Wasmtime, whose refusals become diagnostics with a place in the file of the module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError, SourceSpan
from marine_runtime.wasm import Module, RefusedModuleError

if TYPE_CHECKING:
    from marine_gen.artifact.compile import CompiledModule


class Compiles(Protocol):
    """A `WasmRuntime`, or something that compiles for one."""

    def compile(self, wasm: bytes) -> Module:
        """See `WasmRuntime.compile`."""

    def validate(self, wasm: bytes) -> None:
        """See `WasmRuntime.validate`."""


def compile_guest(runtime: Compiles, module: CompiledModule, charged: bytes | None = None) -> Module:
    """The machine code of `charged`, which is `module.charged()` where that is known.

    Raises:
        DiagnosticError: the module is not valid Wasm, or uses what services don't have.
    """
    charged = module.charged() if charged is None else charged
    try:
        return runtime.compile(charged)
    except RefusedModuleError as error:
        if charged is not module.wasm:  # its bytes have other places than those of the file
            validate_guest(runtime, module.name, module.wasm)
        raise refused(error, module.name) from None


def validate_guest(runtime: Compiles, name: str, wasm: bytes) -> None:
    """Check the file of a module without compiling it; raises as `compile_guest`."""
    try:
        runtime.validate(wasm)
    except RefusedModuleError as error:
        raise refused(error, name) from None


def refused(error: RefusedModuleError, source: str) -> DiagnosticError:
    """The diagnostic of what Wasmtime refuses."""
    code = Code.WASM_FEATURE if error.feature else Code.WASM_MALFORMED
    span = None if error.offset is None else SourceSpan(offset=error.offset)
    return DiagnosticError([Diagnostic(code, error.fact, source, span, help=error.advice)])
