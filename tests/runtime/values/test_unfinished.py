"""Coercers and record classes that the handler of a signal left unfinished: they are made again."""

from __future__ import annotations

import inspect

import pytest

from marine_runtime.types import Array, Field, Prim, Record, RecordType
from marine_runtime.values.coerce import Coercers
from marine_runtime.values.records import make_record_classes
from tests.support.interrupted import StopError, interrupt

POINT, LINE, NODE = Record(1), Record(2), Record(3)
RECORDS = {
    1: RecordType("Point", (Field("x", Prim.S32),)),
    2: RecordType("Line", (Field("ends", Array(POINT)), Field("middle", POINT))),
    3: RecordType("Node", (Field("label", Prim.S32), Field("next", Array(NODE)))),
}


def test_coercers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without all of its fields took no value any more."""
    coercers = Coercers(RECORDS)
    with monkeypatch.context() as patch:
        patch.setattr(coercers, "_array", interrupt)
        with pytest.raises(StopError):
            coercers.of(NODE)
    assert coercers.of(NODE)((1, []), 1) == (1, [])


def test_record_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    classes = make_record_classes(RECORDS, "shapes")
    with monkeypatch.context() as patch:
        patch.setattr("marine_runtime.values.records.python_type", interrupt)
        with pytest.raises(StopError):
            classes[2]
    assert inspect.get_annotations(classes[2])["middle"] is classes[1]
    assert classes[2].__module__ == classes[1].__module__ == "shapes"
