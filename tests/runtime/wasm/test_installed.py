"""The version of the installed binding, with and without the folder that tells it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import wasmtime

from marine_runtime.wasm import wasmtime_version
from marine_runtime.wasm.capi.library import package_folder


def forget() -> None:
    wasmtime_version.cache_clear()
    package_folder.cache_clear()


FOLDERS: list[list[str]] = [[], ["wasmtime-1.2.3.dist-info"], ["wasmtime-1.dist-info", "wasmtime-2.dist-info"]]


@pytest.mark.parametrize("folders", [None, *FOLDERS])
def test_the_version(folders: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder tells it; without any, or with several, the metadata that Python finds do."""
    forget()
    if folders is not None:
        for name in (*folders, "wasmtime_cli-9.dist-info"):
            (tmp_path / name).mkdir()
        monkeypatch.setattr(wasmtime, "__file__", str(tmp_path / "wasmtime" / "__init__.py"))
    found = wasmtime_version()
    forget()
    assert found == ("1.2.3" if folders and len(folders) == 1 else version("wasmtime"))


def test_a_binding_out_of_an_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    monkeypatch.setattr(wasmtime, "__file__", "/no/archive.zip/wasmtime/__init__.py")
    found = wasmtime_version()
    forget()
    assert found == version("wasmtime")


def test_a_copy_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a frozen program may have it."""

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    forget()
    monkeypatch.setattr(wasmtime, "__file__", "/no/archive.zip/wasmtime/__init__.py")
    monkeypatch.setattr("importlib.metadata.version", missing)
    found = wasmtime_version()
    forget()
    assert found == "unknown"
