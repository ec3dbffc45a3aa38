"""Inputs for a target, as a Hypothesis strategy: seeds with a few changes, also from others and the dictionary."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzz.targets import Target

MAX_LENGTH = 4096
"""Longer inputs are slower, and find nothing that repeated parts of shorter ones do not."""


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Mostly damaged seeds, sometimes bytes from nowhere."""
    seeds = st.sampled_from(target.seeds())
    tokens = st.sampled_from(target.dictionary() or [b"\0"]) | st.binary(max_size=3)
    place = st.integers(0, MAX_LENGTH)
    pieces = tokens | st.builds(lambda seed, at: seed[at % (len(seed) + 1) :][:40], seeds, place)
    edit = st.tuples(place, st.sampled_from((0, 0, 1, 1, 2, 8, 60)), pieces, st.integers(1, 3))
    damaged = st.builds(_apply, seeds, st.lists(edit, max_size=4))
    return damaged | st.binary(max_size=80)


def _apply(data: bytes, edits: list[tuple[int, int, bytes, int]]) -> bytes:
    for place, length, piece, times in edits:
        at = place % (len(data) + 1)
        data = data[:at] + piece * times + data[at + length :]
    return data[:MAX_LENGTH]
