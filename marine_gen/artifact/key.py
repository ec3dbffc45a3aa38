"""The key of a build: a digest of everything that determines its content. Finding one imports no compiler."""

from __future__ import annotations

import json
import platform
from functools import cache
from pathlib import Path

import marine_runtime
from marine_gen._version import __version__
from marine_gen.artifact.target import Source
from marine_runtime.abi import FORMAT
from marine_runtime.artifact import sha256
from marine_runtime.wasm import wasmtime_version

GENERATOR = f"marine-gen {__version__}"

_SOURCES = (".py", ".j2")


def build_key(
    source: Source,
    engine: str,
    *,
    native: bool = True,
    metered: bool = False,
    complete: bool = True,
    baseline: bool = False,
) -> str:
    """A digest of everything that determines the output. That of a portable build is the same on every machine."""
    machine = (
        f"{platform.python_implementation()} {platform.python_version()}",
        f"{platform.system()} {platform.machine()}",
    )
    parts = [
        str(FORMAT),
        GENERATOR,
        _edition(),
        engine if complete else f"{engine} alone",
        *(["baseline"] if baseline else []),
        f"wasmtime {wasmtime_version()}, epochs, no images, charged tables{', fuel' if metered else ''}",
        *(machine if native else ("portable",)),
        source.name,
        json.dumps(dict(source.options), sort_keys=True),
        *(f"{name} {sha256(wasm).hexdigest()}" for name, wasm in source.modules.items()),
        *(f"Python {json.dumps(module.plan.to_json())}" for module in source.python.values()),
        *source.order,
    ]
    digest: str = sha256(json.dumps(parts).encode()).hexdigest()
    return digest


@cache
def _edition() -> str:
    """Tells apart compilers of one version: in a checkout, its sources change without the version."""
    packages = [Path(__file__).parents[1], Path(marine_runtime.__file__).parent]
    if not (packages[0].parent / "pyproject.toml").is_file():
        return "installed"
    times = [item.stat().st_mtime_ns for root in packages for item in root.rglob("*") if item.suffix in _SOURCES]
    return f"{len(times)} {max(times)}"
