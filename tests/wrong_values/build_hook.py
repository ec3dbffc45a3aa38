"""Tables of the build hook with something wrong in them, as TOML."""

from __future__ import annotations

import tomllib

from marine_gen.hatch.options import KEYS, SERVICE_KEYS, read_options
from marine_runtime import MarineError


def parameters() -> set[str]:
    """Every key."""
    return {*KEYS, *(f"services.{key}" for key in SERVICE_KEYS)}


def outcome(text: str) -> str:
    """The error of a table; the keys that it lacks have fitting values."""
    table = tomllib.loads(text)
    table.setdefault("services", [{}])
    for service in table["services"] if isinstance(table["services"], list) else ():
        if isinstance(service, dict) and not service.pop("alone", False):
            service.setdefault("config", "Config.toml")
            service.setdefault("package", "src/app/api")
    try:
        read_options(table)
    except MarineError as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"
