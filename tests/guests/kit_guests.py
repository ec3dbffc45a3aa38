"""Guests that the guest kit builds: plain C functions in `tests/guests/kit`, each with its interface and its module."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from marine_gen.generate import Description
from marine_gen.guest import build_guest
from marine_gen.idl import parse_description

ROOT = Path(__file__).parents[2]
KIT_FOLDER = ROOT / "tests" / "guests" / "kit"
GENERATOR = "marine-gen"
"""Stands in for name and version, which leave no trace in a module."""


@dataclass(frozen=True, slots=True)
class KitGuest:
    """One module: its interface, its source and the committed module."""

    name: str
    folder: Path = KIT_FOLDER

    @property
    def source(self) -> Path:
        """The C source."""
        return self.folder / f"{self.name}.c"

    @property
    def module(self) -> Path:
        """The committed module."""
        return self.folder / f"{self.name}.wasm"

    @property
    def description(self) -> Description:
        """What the interface says."""
        path = self.folder / f"{self.name}.idl"
        return parse_description(path.read_text("utf-8"), str(path))

    def build(self) -> bytes:
        """The module, compiled from scratch; a warning is an error."""
        options = ["-Werror"]
        return build_guest([self.source], self.description, self.name, generator=GENERATOR, options=options)[0]


KIT_GUESTS = tuple(KitGuest(path.stem) for path in sorted(KIT_FOLDER.glob("*.c")))


@cache
def kit_guest(name: str) -> bytes:
    """The committed module of a guest of the kit."""
    return KitGuest(name).module.read_bytes()
