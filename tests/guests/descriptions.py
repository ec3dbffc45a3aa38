"""The guests of the tests and of the example: their names, their files, and their descriptions.

A description is an `.idl` file beside the guest's source, and what its adapter text is generated from. Nothing here
builds or embeds anything; see `rebuild`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from marine_gen.generate import Description
from marine_gen.idl import parse_description
from tests.support.paths import ROOT

GUESTS_FOLDER = ROOT / "tests" / "guests"
EXAMPLE_FOLDER = ROOT / "examples" / "curl_service"
HOSTILE_FOLDER = GUESTS_FOLDER / "hostile"
BENCH_FOLDER = ROOT / "tests" / "bench" / "guests"


@dataclass(frozen=True, slots=True)
class Guest:
    """One module: where its files are. Hostile ones are `.wat` files without sections."""

    name: str
    folder: Path

    @property
    def source(self) -> Path:
        """The C or Wasm text that the module is made from."""
        return self.folder / f"{self.name}.{'wat' if self.folder == HOSTILE_FOLDER else 'c'}"

    @property
    def interface(self) -> Path:
        """The description of the module, which its adapters are generated from."""
        return self.folder / f"{self.name}.idl"

    @property
    def adapters(self) -> Path:
        """The adapter text."""
        return self.folder / f"{self.name}.it"

    @property
    def module(self) -> Path:
        """The built module, for those that are built."""
        return self.folder / f"{self.name}.wasm"

    @property
    def description(self) -> Description:
        """The text of the description."""
        return _read(self.interface)


@cache
def _read(path: Path) -> Description:
    return parse_description(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


_TESTS = (
    *("greeting", "donkey", "shrek", "failing", "greeting_record", "logger", "call_parameters"),
    *("arguments_passing_effector", "arguments_passing_pure", "arrays_passing_effector", "arrays_passing_pure"),
    *("records_effector", "records_pure", "records_passing_effector", "records_passing_pure"),
    *("bench_effector", "bench_pure"),
)
_EXAMPLE = ("local_storage", "curl", "facade")
_HOSTILE = (
    *("any_result", "cyclic_result", "invalid_utf8", "any_allocation", "trapping_services", "no_memory", "no_allocate"),
    *("no_cells", "one_argument_allocate", "wrong_signature", "endless", "narrow_results"),
)

GUESTS = (
    *(Guest(name, GUESTS_FOLDER) for name in _TESTS),
    *(Guest(name, EXAMPLE_FOLDER) for name in _EXAMPLE),
    Guest("bench_store", BENCH_FOLDER),
)
"""The guests that are built from C, each behind those that it imports from."""

HOSTILE = tuple(Guest(name, HOSTILE_FOLDER) for name in _HOSTILE)
"""Modules that do what a correct guest would not; tests assemble them and embed their adapters."""

PLUGINS = (BENCH_FOLDER / "extism_plugin.c",)
"""Sources of modules that are no guests: they have no adapters, and another runtime loads them."""
