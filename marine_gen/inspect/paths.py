"""The paths that calls take through the code of one adapter: a table, with a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marine_gen.python_backend import Generated
from marine_runtime.adapters import DIRECT

_TRACED = "traced calls of modules that import"


@dataclass(frozen=True, slots=True)
class Path:
    """One row of the table.

    Attributes:
        name: the name of the path.
        function: the function that it begins with; empty when that is code of another module.
        when: the calls that take it.
    """

    name: str
    function: str
    when: str


def export_paths(function: str, generated: Generated) -> Sequence[Path]:
    """The paths of calls of the exported `function`, that of an ordinary call first."""
    of = generated.exports[function]
    if not of.staged:
        return [
            Path("entry", of.entry, "every call from Python: checks the arguments, then runs the closure"),
            Path("closure", of.closure, "the adapter; also calls from other modules"),
        ]
    sizes = " or ".join(f"{size // 1024} KiB ({layer} calls)" for layer, size in DIRECT.items())
    direct = of.closure in generated.definitions[of.staged].uses
    return [
        Path("entry", of.entry, "every call from Python: checks the arguments, then runs `staged`"),
        Path("staged", of.staged, "values through the staging memory, the adapter inside Wasm"),
        *([Path("direct", of.closure, f"values of more than {sizes}, around staging")] if direct else []),
        Path("batch", of.batch, "`call_batch`: thousands of calls in one entry into Wasm"),
        Path("fused", "", "calls from other modules, inside Wasm: part of the caller's import adapter"),
        Path(
            "closure",
            of.closure,
            "calls from modules whose import adapters are not fused; traced calls of modules that import",
        ),
    ]


def import_path(function: str, *, fused: bool) -> Path:
    """The path of calls through an import adapter, which begins with `function`."""
    if fused:
        return Path("fused", function, "every call of the guest, inside Wasm: the table of the stub module leads here")
    return Path("closure", function, "every call of the guest, from Wasm into Python and back")
