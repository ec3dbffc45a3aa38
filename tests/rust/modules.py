"""Modules as cargo writes them: with a description, without adapters."""

from __future__ import annotations

import json

from marine_gen.generate.sections import PREFIXES
from marine_gen.wasm import append_custom_section, remove_custom_sections
from tests.guests.descriptions import GUESTS_FOLDER

GREETING = (GUESTS_FOLDER / "greeting.wasm").read_bytes()

BARE = remove_custom_sections(GREETING, {"interface-types", "__fluence_sdk_version"})


def described(name: str = "greeting", argument: str = "Utf8String") -> bytes:
    """A module as cargo writes it: with a description, without adapters."""
    signature = {
        "name": name,
        "arguments": [{"name": "name", "ty": {argument: "ByValue"}}],
        "output_types": [{"Utf8String": "ByValue"}],
    }
    item = {"ast_type": "Function", "signature": signature}
    return append_custom_section(BARE, f"{PREFIXES[0]}{name}", json.dumps(item).encode())
