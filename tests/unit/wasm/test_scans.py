"""Section headers of a module are scanned once, however many stages look at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from marine_gen.artifact import compile_module
from marine_gen.inspect.check import examine
from marine_gen.wasm import Section, sections
from tests.support.engines import guest


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of every module that was scanned, in order."""
    sizes: list[int] = []
    scan = sections.scan

    def counting(wasm: bytes) -> tuple[Section, ...]:
        sizes.append(len(wasm))
        return scan(wasm)

    monkeypatch.setattr(sections, "scan", counting)
    return sizes


def test_compiling_scans_a_module_once(scans: list[int]) -> None:
    wasm = guest("greeting")
    compiled = compile_module("greeting", wasm)
    compiled.charged()
    assert compiled.wasm is wasm
    assert scans == [len(wasm)]


def test_checking_scans_a_module_once(scans: list[int], tmp_path: Path) -> None:
    path = tmp_path / "greeting.wasm"
    path.write_bytes(guest("greeting"))
    (report,) = examine([path])
    assert report.ok
    assert scans == [path.stat().st_size]
