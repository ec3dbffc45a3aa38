"""Runs of pytest inside of others, or beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def own_root() -> Iterator[Mapping[str, str]]:
    """The variables of a run of pytest whose temporary directories are in a root of its own, removed at the end.

    Runs with a common root remove the same old directories, and warn when another one was faster.
    """
    with tempfile.TemporaryDirectory(prefix="pytest-", ignore_cleanup_errors=True) as folder:
        yield {"PYTEST_DEBUG_TEMPROOT": folder}
