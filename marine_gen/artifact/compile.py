"""From the bytes of one Wasm module to its plan, IR and generated code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from marine_gen.artifact.key import GENERATOR
from marine_gen.binary import extract
from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError, SourceSpan
from marine_gen.interfaces import Interfaces
from marine_gen.ir import LeftOutAdapter, ModuleIR, build_module, verify_module
from marine_gen.python_backend import Generated, generate
from marine_gen.text import print_interfaces
from marine_gen.wasm.late_start import defer_start
from marine_gen.wasm.lifting import Lifted, lifted, with_exports
from marine_gen.wasm.metadata import read_sdk_version
from marine_gen.wasm.sections import Binary, WasmModule, scanned
from marine_gen.wasm.semver import Version, parse_version
from marine_gen.wasm.signatures import read_signatures
from marine_gen.wasm.table_growth import charge_table_growth
from marine_runtime.abi import AbiHelper, LeftOut, ModulePlan

MIN_SDK = parse_version("0.6.0")
MIN_IT = parse_version("0.20.0")
"""The oldest modules that the ABI fits."""


@dataclass(frozen=True, slots=True)
class Fusible:
    """A module as the generators need it.

    Attributes:
        digest: the sha256 of its source, hexadecimal.
        lifted: the functions that fused glue may have in place of a call, by the names of their exports.
    """

    ir: ModuleIR
    digest: str = ""
    lifted: Mapping[str, Lifted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompiledModule:
    """Everything known about one module before it is instantiated.

    Attributes:
        binary: the module with its sections.
        digest: the sha256 of its bytes, hexadecimal.
        lifted: as `Fusible.lifted`.
    """

    name: str
    binary: WasmModule
    digest: str
    interfaces: Interfaces
    ir: ModuleIR
    plan: ModulePlan
    lifted: Mapping[str, Lifted]

    @property
    def wasm(self) -> bytes:
        """The module's bytes."""
        return self.binary.data

    @property
    def fusible(self) -> Fusible:
        """The facts that the generators need of it."""
        return Fusible(self.ir, self.digest, self.lifted)

    def generate(self, *, typed: bool = True) -> Generated:
        """The Python glue of the closures engine, and its types where they are wanted."""
        return generate(self.ir, generator=GENERATOR, digest=self.digest, typed=typed)

    def text(self) -> str:
        """The adapter text, with a final line feed."""
        return print_interfaces(self.interfaces) + "\n"

    def charged(self) -> bytes:
        """The bytes to compile to machine code: `wasm` itself, or with guards where its tables grow, a late start, and
        exports of what lifted functions need. They depend on the module alone, so its code can be shared.

        Raises:
            DiagnosticError: the code of the module can't be read.
        """
        try:
            charged = charge_table_growth(self.binary)
            started = defer_start(self.binary if charged is self.wasm else charged)
            return with_exports(self.binary if started is self.wasm else started, self.lifted)
        except DiagnosticError as error:
            raise error.with_source(self.name) from None


def compile_module(name: str, wasm: Binary, *, strict: bool = True) -> CompiledModule:
    """Read, check and type the adapters of a module.

    Args:
        name: the import name under which others refer to it.
        wasm: the module with its interface and SDK version sections.
        strict: refuse the module when an adapter is invalid, which is otherwise left out.

    Raises:
        DiagnosticError: with everything that is wrong.
    """
    try:
        binary = scanned(wasm)
        interfaces = extract(binary)
        sdk = read_sdk_version(binary)
        signatures = read_signatures(binary)
    except DiagnosticError as error:
        raise error.with_source(name) from None
    if signatures.shared_memory is not None:
        raise DiagnosticError([_shared_memory(name, signatures.shared_memory)])
    too_old = [
        Diagnostic(
            Code.VERSION_OLD,
            f"module `{name}` was made with {what} version {found}, at least {minimum} is required",
            source=name,
            help="rebuild the module with a newer SDK",
        )
        for what, found, minimum in (("SDK", sdk, MIN_SDK), ("IT", _version(interfaces.version), MIN_IT))
        if found < minimum
    ]
    if too_old:
        raise DiagnosticError(too_old)
    ir = build_module(name, interfaces, signatures, strict=strict)
    verify_module(ir)
    plan = ModulePlan(
        name=name,
        core=tuple(item.name for item in ir.core),
        callees=tuple(item.callee for item in ir.callees),
        imports=tuple(ir.imports),
        exports={function: adapter.signature for function, adapter in ir.exports.items()},
        records=ir.records,
        sdk_version=str(sdk),
        it_version=interfaces.version,
        left_out=tuple(left_out_of(ir)),
    )
    digest = hashlib.sha256(binary.data).hexdigest()
    return CompiledModule(name, binary, digest, interfaces, ir, plan, lifted_functions(binary, ir))


def _shared_memory(name: str, offset: int) -> Diagnostic:
    return Diagnostic(
        Code.WASM_FEATURE,
        "the module has a memory that threads share, which services don't have",
        name,
        SourceSpan(offset=offset),
        within="the memory section",
        help="build it without threads (clang: without `-pthread`)",
    )


def lifted_functions(binary: Binary, ir: ModuleIR) -> dict[str, Lifted]:
    """The functions of a module that fused glue may have in place of a call, by the names of their exports."""
    names = [item.name for item in ir.core]
    return lifted(binary, names[: len(AbiHelper)], names[len(AbiHelper) :])


def left_out_of(module: ModuleIR) -> list[LeftOut]:
    """The invalid adapters of a module, as its plan has them."""
    return list(map(_left_out, module.left_out))


def _left_out(adapter: LeftOutAdapter) -> LeftOut:
    first = adapter.findings[0]
    reason = f"{first.message} ({first.code.value})"
    return LeftOut(*adapter.key, reason, "\n".join(map(str, adapter.findings)))


def _version(text: str) -> Version:
    return parse_version(text)
