"""The driver of tests with random signatures and random values: a short run that is always the same, and a long one.

MARINE_GEN_SIGNATURES sets how many signatures the long run draws, MARINE_GEN_CALLS how many calls of each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marine_gen.generate import RecordDeclaration, Signature
from marine_runtime import Service
from tests.support.values import signatures, values

SIGNATURES = int(os.environ.get("MARINE_GEN_SIGNATURES", "1500"))
CALLS = int(os.environ.get("MARINE_GEN_CALLS", "3"))

Check = Callable[[tuple[RecordDeclaration, ...], Signature, st.DataObject, int], None]
"""Tests one signature with so many calls; their arguments come from `arguments`."""

_SETTINGS = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def drivers(
    check: Check, few: int, calls: int = 3, *, everywhere: Check | None = None
) -> tuple[Callable[[], None], Callable[[], None]]:
    """The two tests of `check`: with `few` signatures and `calls` of each, and the slow one, which may check more."""

    @settings(_SETTINGS, max_examples=few, derandomize=True)
    @given(signatures(), st.data())
    def short(drawn: tuple[tuple[RecordDeclaration, ...], Signature], data: st.DataObject) -> None:
        check(*drawn, data, calls)

    @pytest.mark.slow
    @settings(_SETTINGS, max_examples=SIGNATURES)
    @given(signatures(), st.data())
    def long(drawn: tuple[tuple[RecordDeclaration, ...], Signature], data: st.DataObject) -> None:
        (everywhere or check)(*drawn, data, CALLS)

    return short, long


def arguments(
    records: tuple[RecordDeclaration, ...], signature: Signature, data: st.DataObject, count: int
) -> list[tuple[Any, ...]]:
    """The arguments of so many calls."""
    by_name = {record.name: record for record in records}
    drawn = st.tuples(*(values(param.type, by_name) for param in signature.params))
    return [data.draw(drawn, label="arguments") for _ in range(count)]


def memory_of(service: Service, module: str) -> bytes:
    """All bytes of a module's memory."""
    instance = service._linked[module].instance
    assert instance is not None
    assert instance.memory is not None
    instance.memory.refresh()
    return bytes(instance.memory.view)
