"""Temporary directories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marine_runtime import LoadError
from marine_runtime.texts import os_reason


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A new directory that goes away with the block.

    Raises:
        LoadError: the system refuses it.
    """
    import shutil
    import tempfile

    try:
        made = Path(tempfile.mkdtemp(prefix="marine-gen-"))
    except OSError as error:
        raise LoadError(
            f"a temporary directory can't be created: {os_reason(error)}; the environment variable TMPDIR says where"
        ) from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
