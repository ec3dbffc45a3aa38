"""Fixtures for the tests of running services."""

from __future__ import annotations

import pytest

from tests.support.pools import KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Both kinds of workers."""
    chosen: str = request.param
    return chosen
