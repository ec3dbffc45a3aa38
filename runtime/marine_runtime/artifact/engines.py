"""The engines that a built directory can be loaded for: one row for each.

The compiler adds to each row what it writes for the engine, and engines of its own (`marine_gen.artifact.engines`).
Nothing else compares the names of engines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from marine_runtime.adapters.contract import FusedModules, Glue
from marine_runtime.artifact.files import BuiltModule
from marine_runtime.lazy.data import dataclass


@dataclass(frozen=True, slots=True)
class Engine:
    """An implementation of adapters.

    Attributes:
        name: its name for users.
        builds: the engines whose builds hold what it needs.
        load_glue: makes the glue of a built module.
    """

    name: str
    builds: tuple[str, ...]
    load_glue: Callable[[BuiltModule], Glue]


def _closures(module: BuiltModule) -> Glue:
    return module.glue(CLOSURES.name, "python")


def _fused(module: BuiltModule) -> Glue:
    imports = module.has("stub_wasm")
    if not module.has("fused_python") or (module.traced and imports):
        return _closures(module)
    stub = module.helper("stub") if imports else None
    return module.glue(FUSED.name, "fused_python", FusedModules(module.helper("glue"), stub))


FUSED = Engine("fused", ("fused",), _fused)
CLOSURES = Engine("closures", ("fused", "closures"), _closures)

ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (FUSED, CLOSURES)}
"""The engines by name."""
