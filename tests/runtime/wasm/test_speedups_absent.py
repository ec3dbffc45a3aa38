"""The runtime where the extension is not installed."""

from __future__ import annotations

import sys

import pytest

from marine_runtime.wasm import speedups


def test_the_error_of_its_import_holds_no_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept as long as the process, and with it would be everything that imports the runtime has in its frames."""
    monkeypatch.setitem(sys.modules, "marine_speedups", None)
    error = speedups._imported.__wrapped__()
    assert isinstance(error, ImportError)
    assert error.__traceback__ is None
