"""The `interface-types` section of a module: read the only one, or replace it.

Embedding removes old copies first: two sections make a module unloadable.
"""

from __future__ import annotations

from marine_gen.binary.decode import decode
from marine_gen.binary.encode import encode
from marine_gen.interfaces import Interfaces
from marine_gen.wasm.sections import Binary, append_custom_section, remove_custom_sections, unique_custom_section

SECTION = "interface-types"


def extract(wasm: Binary) -> Interfaces:
    """The interfaces that a module carries.

    Raises:
        DiagnosticError: the container is malformed (WASM_…), the section is absent (SECTION_MISSING), repeated
            (SECTION_DUPLICATE) or malformed (IT_…).
    """
    help_line = "the module has no adapters yet: generate them, or embed an adapter text"
    return decode(unique_custom_section(wasm, SECTION, help_line), SECTION)


def embed(wasm: Binary, interfaces: Interfaces) -> bytes:
    """The module with `interfaces` as its only interface section, at the end.

    Raises:
        DiagnosticError: the container is malformed, or `interfaces` cannot be encoded (IT_LIMIT, IT_VERSION).
    """
    payload = encode(interfaces)
    return append_custom_section(remove_custom_sections(wasm, {SECTION}), SECTION, payload)
