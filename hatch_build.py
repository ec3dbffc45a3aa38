"""The dependency of marine-gen on the runtime: the folder beside this file, or the version that is published too."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PUBLISHED = "MARINE_GEN_PUBLISHED"
"""Environment variable of builds that go somewhere else: what they depend on is a version, not a place."""


class RuntimeDependency(MetadataHookInterface):
    """Adds the runtime to the dependencies that `pyproject.toml` lists for this hook."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `dependencies`."""
        folder = Path(self.root, "runtime")
        if os.environ.get(PUBLISHED) or not folder.is_dir():
            version = runpy.run_path(str(Path(self.root, "marine_gen", "_version.py")))["__version__"]
            runtime = f"marine-runtime=={version}"
        else:
            runtime = f"marine-runtime @ {folder.as_uri()}"
        metadata["dependencies"] = [runtime, *self.config["dependencies"]]
