"""Assembles the interface section of a described module: types, imports, adapters, exports.

The order in which types are numbered is exactly that of the reference, so equal descriptions give equal sections.
"""

from __future__ import annotations

from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.generate.adapters import export_adapter, import_adapter, raw_signature
from marine_gen.generate.model import Description, Signature
from marine_gen.generate.records import TypeSpace
from marine_gen.interfaces import Adapter, Export, Implementation, Import, Interfaces
from marine_runtime.abi import HOST_NAMESPACES, AbiHelper
from marine_runtime.types import FunctionType

VERSION = "0.28.0"
"""The interface-types version that generated sections declare."""

SDK_VERSION = "0.14.0"
"""The version of the SDK whose conventions generated adapters follow."""


def generate(description: Description, version: str = VERSION) -> Interfaces:
    """The interfaces of a described module.

    Raises:
        DiagnosticError: the description names records that it does not declare, or declares records or functions that
            can't exist; all findings together.
    """
    space = TypeSpace()
    exports = [Export(helper.export, space.add(helper.declared)) for helper in AbiHelper]
    helper_names = {export.name for export in exports}
    adapters: list[Adapter] = []
    implementations: list[Implementation] = []
    imports: list[Import] = []

    space.declare(description.records)
    taken = set(helper_names)
    for signature in description.functions:
        within = f"function `{signature.name}`"
        if signature.name in taken:
            owner = "an ABI helper of every module" if signature.name in helper_names else "another function"
            space.report(Code.ADAPTER_DUPLICATE, f"`{signature.name}` is the name of {owner}", within, "rename it")
            continue
        taken.add(signature.name)
        function = _translate(space, signature, within)
        adapter_type, core_type = space.add(function), space.add(function)
        exports.append(Export(signature.name, core_type))
        adapters.append(Adapter(adapter_type, export_adapter(function, len(exports) - 1)))
        implementations.append(Implementation(core_type, adapter_type))

    for module in description.imports:
        if module.is_host:
            continue
        if module.is_unknown_host:
            message = f"the host provides no namespace `{module.namespace}`"
            known = ", ".join(f"`{namespace}`" for namespace in HOST_NAMESPACES)
            space.report(Code.SECTION_CONTENT, message, f"import from `{module.namespace}`", f"use one of {known}")
            continue
        for imported in module.functions:
            function = _translate(space, imported.signature, f"import `{module.namespace}.{imported.name}`")
            raw = raw_signature(function)
            interface_type, adapter_type, core_type = space.add(function), space.add(raw), space.add(raw)
            imports += [Import(module.namespace, imported.name, ty) for ty in (interface_type, core_type)]
            adapters.append(Adapter(adapter_type, import_adapter(function, len(exports) + len(imports) // 2 - 1)))
            implementations.append(Implementation(core_type, adapter_type))

    if space.findings:
        raise DiagnosticError(space.findings)
    types = tuple(ty for ty in space.types if ty is not None)
    assert len(types) == len(space.types), "a reserved record number without a finding was left over"
    return Interfaces(version, types, tuple(imports), tuple(adapters), tuple(exports), tuple(implementations))


def _translate(space: TypeSpace, signature: Signature, within: str) -> FunctionType:
    params = space.members(signature.params, within)
    if signature.result is None:
        return FunctionType(params)
    return FunctionType(params, (space.resolve(signature.result, f"{within}, result"),))
