"""The first files of a new module: its interface and a C source, which build as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from marine_gen.codegen.templating import render
from marine_runtime import ArgumentError
from marine_runtime.texts import identifier, quoted

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def new_guest(name: str) -> Mapping[str, str]:
    """The text of every file of the module `name`, by file name.

    Raises:
        ArgumentError: `name` can't be the name of a module and of its files.
    """
    check_name(name)
    context = {"name": name, "header": f"{identifier(name)}_glue.h"}
    return {
        f"{name}.idl": render("marine_gen.guest", "new.idl.j2", context),
        f"{name}.c": render("marine_gen.guest", "new.c.j2", context),
    }


def check_name(name: str) -> None:
    """Refuse what can't be the name of a module and of its files.

    Raises:
        ArgumentError: `name` has other characters, or too many.
    """
    if not _NAME.fullmatch(name) or len(name) > 64:
        raise ArgumentError(f"{quoted(name)} can't name a module: write a letter, then letters, digits, `_` or `-`")
