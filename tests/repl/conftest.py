"""Guests and services in files, as the tests of the command line have them."""

from tests.cli.conftest import module, service

__all__ = ["module", "service"]
