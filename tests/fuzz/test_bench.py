"""The bench itself: what is unexpected is kept once, counts add up, and the last long run is on record."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from marine_runtime.errors import ConfigError
from tests.fuzz import bench
from tests.fuzz.edits import edited
from tests.fuzz.targets import TARGETS, Target
from tests.fuzz.worker import Recorder, covered_modules, state_of
from tests.support.batches import BATCHES, compare

LAST_RUN = Path(__file__).with_name("last_run.json")


def _fragile(data: bytes) -> None:
    if data.startswith(b"bad"):
        raise ValueError("bad")
    if data.startswith(b"silent"):
        raise ConfigError
    if data:
        raise ConfigError("not this")


def test_findings_are_kept_once_and_the_run_goes_on(tmp_path: Path) -> None:
    recorder = Recorder(Target("fragile", _fragile, (ConfigError,), list, list), tmp_path)
    for data in (b"", b"bad", b"fine", b"bad again", b"silent", b""):
        recorder(data)
    assert state_of(tmp_path / "state") == (6, 2, b"")
    rows = [json.loads(line) for line in (tmp_path / "findings.jsonl").read_text("utf-8").splitlines()]
    assert [row["kind"].split()[0] for row in rows] == ["ValueError", "AssertionError"]
    assert [(tmp_path / row["input"]).read_bytes() for row in rows] == [b"bad", b"silent"]


def test_a_target_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    row = bench.fuzz("config", tmp_path / "config", 60, 0, 1, plain=True)
    assert row["executions"] == 60
    assert 0 < row["accepted"] < 60
    assert row["findings"] == []
    document = bench.report({"config": row}, {})
    assert (document["executions"], document["cases"], document["findings"]) == (60, 0, 0)


def test_an_end_of_the_process_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_RESTARTS", 2)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "state").write_bytes(b"\1" * 100)  # of an earlier run
    row = bench.fuzz("there is no such target", tmp_path / "none", 60, 0, 1, plain=True)
    assert row["executions"] == 0
    assert [item["kind"] for item in row["findings"]] == ["the process ended with 1"]


def test_a_difference_between_configurations_is_found() -> None:
    batch = BATCHES["programs"](Random(1), 40)
    assert compare(batch) == []
    differences = compare(replace(batch, state=repr))  # the repr of a service names its engine
    assert len(differences) == len(batch.rows())
    assert "fused engine" in differences[0].found["fused-fast"]
    assert "interpreter engine" in differences[0].found["interpreter-public"]


def test_edits_change_the_document_and_nothing_else() -> None:
    document = {"a": [1, {"b": "c"}], "d": "e"}
    before = json.dumps(document)
    random = Random(1)
    changed = {json.dumps(edited(document, random.randbytes(9))) for _ in range(200)}
    assert len(changed) > 100
    assert json.dumps(document) == before


def test_the_last_run_is_whole_and_without_findings() -> None:
    """The counts that the documentation quotes: every target, every kind of services, nothing left open."""
    document = json.loads(LAST_RUN.read_text("utf-8"))
    assert document["targets"].keys() == {target.name for target in TARGETS}
    assert document["differential"].keys() == BATCHES.keys()
    again = bench.report(document["targets"], document["differential"])
    for total in ("executions", "cases", "findings"):
        assert document[total] == again[total]
    assert document["executions"] >= 1_000_000
    assert document["cases"] >= 100_000
    assert document["findings"] == 0


def test_code_that_is_looked_into_is_not_instrumented() -> None:
    left = set(covered_modules())
    assert {"marine_runtime.calls.guard", "marine_runtime.wasm.covered", "marine_runtime.wasm.fast"} <= left
    assert all(importlib.util.find_spec(name) for name in left)
