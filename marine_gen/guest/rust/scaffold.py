"""The first files of a crate: a module that builds as it is, its configuration, and tests that call it from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from marine_gen.codegen.templating import render
from marine_gen.generate import SDK_VERSION
from marine_gen.guest.scaffold import check_name
from marine_runtime import ArgumentError
from marine_runtime.texts import identifier, quoted

_LINES = (Path(__file__).parent / "reserved.txt").read_text(encoding="ascii").splitlines()
_RESERVED = frozenset(word for line in _LINES if not line.startswith("#") for word in line.split())

_FILES = {
    "Cargo.toml": "Cargo.toml.j2",
    "Config.toml": "Config.toml.j2",
    "src/main.rs": "main.rs.j2",
    "tests/test_{}.py": "test.py.j2",
    ".gitignore": "gitignore.j2",
}


def new_rust_guest(name: str) -> Mapping[str, str]:
    """The text of every file of the crate `name`, by its path, which begins with the directory `name`.

    Raises:
        ArgumentError: `name` can't be the name of a crate and of its module.
    """
    check_name(name)
    if name in _RESERVED:
        raise ArgumentError(f"{quoted(name)} can't name a crate, as cargo refuses it; choose another name")
    attribute = identifier(name)
    context = {"name": name, "attribute": attribute, "sdk_version": SDK_VERSION}
    return {
        f"{name}/{path.format(attribute)}": render("marine_gen.guest.rust", template, context)
        for path, template in _FILES.items()
    }
