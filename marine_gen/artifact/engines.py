"""The engines: one row for each, with its name, how it is loaded out of a build, and the form of its adapters.

Nothing else compares the names of engines. Those that a built directory can be loaded for without the compiler have
their loaders in `marine_runtime.artifact.engines`; those here may use the compiler to load. The compiler's part in an
engine is its row in `outputs`, which is imported when something is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from marine_runtime import LoadError
from marine_runtime.adapters import Glue
from marine_runtime.artifact import CLOSURES, FUSED, BuiltModule, Engine
from marine_runtime.artifact import ENGINES as LOADABLE

if TYPE_CHECKING:
    from marine_gen.artifact.outputs import EngineOutput


class AdapterForm(Enum):
    """The form in which an engine runs adapters; `explain` and `graph` show it."""

    INSTRUCTIONS = "instructions"
    PYTHON = "Python"
    WASM = "Wasm"


@dataclass(frozen=True, slots=True)
class EngineBackend:
    """The compiler's view of an engine.

    Attributes:
        engine: its name, and how it is loaded out of a build.
        form: the form in which it runs adapters.
        built: True if `build` writes something for it ahead of time.
    """

    engine: Engine
    form: AdapterForm
    built: bool = True

    @property
    def fuses(self) -> bool:
        """True if calls between modules stay in Wasm."""
        return self.form is AdapterForm.WASM

    @property
    def output(self) -> EngineOutput:
        """The compiler's part in it."""
        from marine_gen.artifact.outputs import OUTPUTS

        return OUTPUTS[self.engine.name]


def _load_interpreted(module: BuiltModule) -> Glue:
    """Adapters out of the Wasm file; the build holds machine code only."""
    from marine_gen.artifact.outputs import interpreted

    return interpreted(module)


_INTERPRETER = Engine("interpreter", tuple(LOADABLE), _load_interpreted)

BACKENDS: Mapping[str, EngineBackend] = {
    row.engine.name: row
    for row in (
        EngineBackend(FUSED, AdapterForm.WASM),
        EngineBackend(CLOSURES, AdapterForm.PYTHON),
        EngineBackend(_INTERPRETER, AdapterForm.INSTRUCTIONS, built=False),
    )
}
"""The engines by name, the default one first."""

ENGINES = tuple(BACKENDS)
"""The names of all engines, the default one first."""

BUILT_ENGINES = tuple(name for name, row in BACKENDS.items() if row.built)
"""The names of those with something to build, the default one first."""

LOADERS: Mapping[str, Engine] = {name: row.engine for name, row in BACKENDS.items()}
"""The loader of each engine, out of a build."""


def check_engine(name: object) -> None:
    """Refuse what is not the name of an engine.

    Raises:
        LoadError: with the names that there are.
    """
    if name not in ENGINES:
        raise LoadError(f"unknown engine `{name}`: choose {', '.join(ENGINES)}")
