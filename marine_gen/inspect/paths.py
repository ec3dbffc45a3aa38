"""The ways that a call of an exported function takes through generated Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marine_gen.python_backend import Generated
from marine_runtime.adapters import DIRECT


@dataclass(frozen=True, slots=True)
class Path:
    """One way.

    Attributes:
        name: `entry`, `staged`, `direct`, `batch` or `closure`.
        function: the function that it begins with.
        when: the calls that take it.
    """

    name: str
    function: str
    when: str


def paths(function: str, generated: Generated) -> Sequence[Path]:
    """The ways of a call of `function`, the one of an ordinary call first."""
    of = generated.exports[function]
    if not of.staged:
        return [
            Path("entry", of.entry, "every call from Python: checks the arguments, then runs the closure"),
            Path("closure", of.closure, "the adapter; also calls from other modules"),
        ]
    found = [
        Path("entry", of.entry, "every call from Python: checks the arguments, then runs `staged`"),
        Path("staged", of.staged, "values through the staging memory, the adapter inside Wasm"),
    ]
    sizes = " or ".join(f"{size // 1024} KiB ({layer} calls)" for layer, size in DIRECT.items())
    if of.closure in generated.definitions[of.staged].uses:
        found.append(Path("direct", of.closure, f"values of more than {sizes}, around staging"))
    found.append(Path("batch", of.batch, "`call_batch`: thousands of calls in one entry into Wasm"))
    found.append(Path("closure", of.closure, "calls from modules whose import adapters are not fused, and traced ones"))
    return found
