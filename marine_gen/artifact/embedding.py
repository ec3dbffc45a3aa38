"""Adapters into the module that they were made for, checked against it first."""

from __future__ import annotations

from dataclasses import replace

from marine_gen.artifact.compile import compile_module
from marine_gen.binary import embed
from marine_gen.diagnostics import DiagnosticError
from marine_gen.interfaces import Interfaces
from marine_gen.reflect.exports import check_exports
from marine_gen.wasm import embed_sdk_version, read_signatures


def embed_adapters(name: str, wasm: bytes, interfaces: Interfaces, sdk_version: str) -> bytes:
    """The module with its adapters and the version of its SDK, instead of those that it has.

    Args:
        name: the import name of the module, for findings.
        wasm: the module.
        interfaces: its adapters.
        sdk_version: the version of the SDK that it was built with.

    Raises:
        DiagnosticError: `wasm` is not a module, or the adapters do not fit it.
    """
    if findings := check_exports(interfaces, read_signatures(wasm)):
        raise DiagnosticError(findings)
    embedded = embed_sdk_version(embed(wasm, interfaces), sdk_version)
    try:
        compile_module(name, embedded)
    except DiagnosticError as error:
        # Places would be in a section that is written nowhere.
        raise DiagnosticError([replace(item, source="", span=None) for item in error.diagnostics]) from None
    return embedded
