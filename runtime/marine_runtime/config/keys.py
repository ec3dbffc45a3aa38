"""The keys of a configuration file, and the errors for others."""

from __future__ import annotations

from collections.abc import Sequence

from marine_runtime.config.model import check_known
from marine_runtime.errors import ConfigError
from marine_runtime.texts.messages import nearest

OBSOLETE = (
    *("mem_pages_count", "max_heap_size", "preopened_files", "total_memory_limit", "random_field"),
    "service_base_dir",
)
"""Keys of older versions, which have no effect where they are not keys of today."""

TOP = ("name", "total_memory_limit", "modules_dir", "service_working_dir", "default", "module")
SETTINGS = ("logger_enabled", "logging_mask", "mounted_binaries", "wasi")
MODULE = ("name", "file_name", "load_from", *SETTINGS)
WASI = ("envs", "mapped_dirs")
KEYS = (
    *TOP,
    *(f"default.{key}" for key in SETTINGS),
    *(f"module.{key}" for key in MODULE),
    *(f"module.wasi.{key}" for key in WASI),
)
"""Every key that has an effect, by its path; `module` is an array of tables."""

_HOMES = {
    "name": "at the top of the file, or in a [[module]] table",
    **dict.fromkeys(TOP[1:], "at the top of the file, above all tables"),
    **dict.fromkeys(("file_name", "load_from"), "in a [[module]] table"),
    **dict.fromkeys(SETTINGS, "in a [[module]] table, or in [default]"),
    **dict.fromkeys(WASI, "in a table `wasi` of a module"),
}
"""The tables that keys belong to."""

_SERVICES = ("service", "services")
_FILES = ("path", "wasm", "source")
_ARGUMENTS = (
    *("engine", "timeout", "fuel", "strict", "trace", "order", "cache", "host_functions"),
    *("call_layer", "collect_statistics", "max_wasm_stack", "python_modules"),
)
_MISSPELT = 3
"""Characters that a misspelt key may be shorter or longer than the obsolete one that is meant."""


def refuse_key(key: str, known: Sequence[str], owner: str, table: str, path: str) -> None:
    """Say what an unknown key was probably meant to be.

    Args:
        key: the key.
        known: the keys that its table may have.
        owner: the file and the module, for messages.
        table: the path of the key's table, with a dot behind it, or nothing.
        path: the same with the key, as it is written.

    Raises:
        ConfigError: always.
    """
    if key in _HOMES:
        raise ConfigError(f"{owner}: `{path}` is in the wrong place; it belongs {_HOMES[key]}")
    if known != WASI and key in _SERVICES:
        advice = "a file has one service; its modules are [[module]] tables"
    elif known == MODULE and key in _FILES:
        advice = "the file of a module is `load_from`, or `file_name` in `modules_dir`"
    elif key in _ARGUMENTS:
        advice = f"it does not belong in a file: `{key}` is an argument of `load`, and an option of some commands"
    elif nearest(key, known):
        advice = ""
    elif home := nearest(key, _HOMES):
        advice = f"did you mean `{home}`, which belongs {_HOMES[home]}?"
    elif old := nearest(key, [item for item in OBSOLETE if abs(len(item) - len(key)) <= _MISSPELT]):
        advice = f"`{old}` of older versions has no effect, so remove the line"
    else:
        advice = ""
    if advice:
        raise ConfigError(f"{owner}: unknown key `{path}`; {advice} (valid keys: {', '.join(sorted(known))})")
    check_known([key], known, owner, table)
