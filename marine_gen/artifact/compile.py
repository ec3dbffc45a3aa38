"""From the bytes of one Wasm module to its plan, IR and generated code."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from marine_gen._version import __version__
from marine_gen.binary import extract
from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError
from marine_gen.interfaces import Interfaces
from marine_gen.ir import ModuleIR, build_module, verify_module
from marine_gen.python_backend import Generated, generate
from marine_gen.text import print_interfaces
from marine_gen.wasm.metadata import read_sdk_version
from marine_gen.wasm.sections import Binary, WasmModule, scanned
from marine_gen.wasm.semver import Version, parse_version
from marine_gen.wasm.signatures import read_signatures
from marine_gen.wasm.table_growth import charge_table_growth
from marine_runtime.abi import ModulePlan

GENERATOR = f"marine-gen {__version__}"

MIN_SDK = parse_version("0.6.0")
MIN_IT = parse_version("0.20.0")
"""The oldest modules that the ABI fits."""


@dataclass(frozen=True, slots=True)
class CompiledModule:
    """Everything known about one module before it is instantiated.

    Attributes:
        binary: the module with its sections.
        digest: the sha256 of its bytes, hexadecimal.
    """

    name: str
    binary: WasmModule
    digest: str
    interfaces: Interfaces
    ir: ModuleIR
    plan: ModulePlan

    @property
    def wasm(self) -> bytes:
        """The module's bytes."""
        return self.binary.data

    def generate(self) -> Generated:
        """The Python glue of the closures engine."""
        return generate(self.ir, generator=GENERATOR, digest=self.digest)

    def text(self) -> str:
        """The adapter text, with a final line feed."""
        return print_interfaces(self.interfaces) + "\n"

    def charged(self) -> bytes:
        """The bytes to compile to machine code: `wasm` itself, or with guards where its tables grow.

        Raises:
            DiagnosticError: the code of the module can't be read.
        """
        try:
            return charge_table_growth(self.binary)
        except DiagnosticError as error:
            raise error.with_source(self.name) from None


def compile_module(name: str, wasm: Binary) -> CompiledModule:
    """Read, check and type the adapters of a module.

    Args:
        name: the import name under which others refer to it.
        wasm: the module with its interface and SDK version sections.

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
    ir = build_module(name, interfaces, signatures)
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
    )
    return CompiledModule(name, binary, hashlib.sha256(binary.data).hexdigest(), interfaces, ir, plan)


def _version(text: str) -> Version:
    return parse_version(text)
