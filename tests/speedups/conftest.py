"""The extension, for tests in this process where it is in use, and built for those of `test_built.py` in any case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marine_runtime.wasm.speedups import speedups
from tests.speedups.builds import compile_extension


@pytest.fixture(scope="session")
def extension() -> Any:
    """The extension that this process uses."""
    found = speedups()
    if found is None:
        pytest.skip("the extension is not in use here: `make speedups`; test_built.py runs this with one of its own")
    return found


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to import the extension from, compiled for this Python with every warning an error."""
    return compile_extension(tmp_path_factory.mktemp("speedups"))
