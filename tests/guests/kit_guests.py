"""Guests that the guest kit builds: plain C functions, each beside its description and its module.

Those in `kit` are for tests of the kit, and have no adapter texts; those of the example are listed in `descriptions`.
"""

from __future__ import annotations

from functools import cache

from marine_gen.guest import build_guest
from tests.guests.descriptions import EXAMPLE_FOLDER, GUESTS_FOLDER, Guest

KIT_FOLDER = GUESTS_FOLDER / "kit"
KIT_GUESTS = tuple(Guest(path.stem, KIT_FOLDER) for path in sorted(KIT_FOLDER.glob("*.c")))
GENERATOR = "marine-gen"
"""Stands in for name and version, which leave no trace in a module."""


def is_of_kit(guest: Guest) -> bool:
    """True if the kit builds it; the others have an ABI written by hand."""
    return guest.folder in (KIT_FOLDER, EXAMPLE_FOLDER)


def build_kit_guest(guest: Guest) -> bytes:
    """The module, compiled from scratch; a warning is an error."""
    options = ["-Werror"]
    return build_guest([guest.source], guest.description, guest.name, generator=GENERATOR, options=options)[0]


@cache
def kit_guest(name: str) -> bytes:
    """The committed module of a guest in `kit`."""
    return Guest(name, KIT_FOLDER).module.read_bytes()
