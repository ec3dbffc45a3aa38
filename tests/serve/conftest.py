"""A server that tests share, with a client."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.served import Served, served


@pytest.fixture(scope="package")
def shared() -> Iterator[Served]:
    """A server with the modules of `service`; nobody changes its settings."""
    with served(call_parameters=True) as server:
        yield server


@pytest.fixture
def client(shared: Served) -> Iterator[httpx.Client]:
    """A client of the shared server."""
    with shared.client() as found:
        yield found
