"""The family of hostile cases: every lie of the liar in every helper and on every way, edge numbers as results, the
maze, misfits, and WASI with wrong pointers.

`family(full=False)` is the part that every test run tries, chosen by rotation so that each helper, act, type and way is
in it; `family(full=True)` is the whole cross product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marine_runtime.wasi.functions import FUNCTIONS, PREVIEW1
from tests.security.liar import ACTS, HELD, HELPERS, PAGES, TYPES, liar, neighbour, outer
from tests.security.maze import MAZE
from tests.security.misfits import MISFITS, misfit
from tests.support.echo import PAGE
from tests.support.wasi import wasi_guest

Call = tuple[str, str, list[Any]]
"""Module, function, arguments; the function `batch NAME` makes three equal calls at once."""

END = PAGES * PAGE
EDGES = (0, 1, 7, END - 8, END - 1, END, END + 1, 2**29, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 8, 2**32 - 1)
"""Addresses, sizes and counts at which something could go wrong."""

PLENTY = 5.0
SOON = 0.05
"""Seconds that a call may take which never ends, and any other call."""

VALUES: Mapping[str, Any] = {
    "text": "tëxt",
    "bytes": b"\x00\xff\x80",
    "numbers": [1, 2**64 - 1],
    "flags": [True, False, True],
    "texts": ["a", "", "ccc"],
    "grid": [["a", "b"], [], ["c"]],
    "pair": (1, "one"),
    "pairs": [(1, "one"), (2, "two")],
    "specks": [(1,), (2,), (3,)],
    "twin": ((1, "left"), (2, "right")),
    "node": ([([],), ([([],)],)],),
}
"""An honest value of each type."""

WAYS = ("direct", "through", "batch", "pass", "host")
"""Ways of a value to the liar: as its argument and result, behind an honest module, in a batch, in its imports."""

NUMBERS = {
    "constant": EDGES,
    "grow": (1, 40),
    "exit": (0, 1, 2**31, 2**32 - 1),
    "shift": (1, 8, 2**31, 2**32 - 1),
    "drift": (1, 2**31, 2**32 - 8),
}
"""The numbers that are tried with an act; the others need none."""

ERRORS = {
    "trap": "TrapError",
    "loop": "CallTimeoutError",
    "exit": "ExitError",
    "call_back": "StateError",
    "descend": "TrapError",
    "recurse": "TrapError",
    "bad_import": "CallError",
}
"""The one class of error that an act may lead to."""


SPOILING = ("constant", "shift", "drift", "reenter", "scribble")
"""Acts that, in `allocate`, change what was already written to other blocks."""


@dataclass(frozen=True, slots=True)
class Case:
    """Calls of one group of modules.

    Attributes:
        name: tells it apart, and what it is about.
        group: names the modules.
        calls: what is called, in order. Calls of `tell` arm a lie.
        timeout: seconds that each call may take.
        error: the only class of error that may come out, when there is only one.
        spoils: whether the service can't be used for another case.
        vague: whether only the class of errors is compared: how deep a stack is differs between engines.
        loose: whether engines may differ: the guest's own `allocate` spoils blocks that it gave out before, and the
            order in which the parts of one value are written is not promised.
    """

    name: str
    group: str
    calls: tuple[Call, ...] = ()
    timeout: float = PLENTY
    error: str = ""
    spoils: bool = False
    vague: bool = False
    loose: bool = False


def modules(group: str) -> dict[str, bytes]:
    """The modules of a group, in load order."""
    if group == "liar":
        return {"neighbour": neighbour(), "liar": liar(), "outer": outer()}
    if group == "wasi":
        return {"m": wasi_guest()}
    return misfit(group)


def family(*, full: bool) -> list[Case]:
    """The cases in a fixed order; names are unique."""
    # What changes the liar for good comes last, so that one service serves them all.
    lies = sorted(_lies(full), key=lambda case: (case.loose, "scribble" in case.name))
    cases = [*_results(full), *_maze(full), *lies, *_misfits(full), *_wasi(full)]
    assert len({case.name for case in cases}) == len(cases)
    return cases


def _meeting(way: str, name: str) -> Call:
    """A call in which a value of type `name` meets the liar."""
    held = (HELD, 4) if name in ("text", "bytes") else MAZE.entries.get(f"{name}.honest", (HELD + 8, 0))
    return {
        "direct": ("liar", name, [VALUES[name]]),
        "through": ("outer", name, [VALUES[name]]),
        "batch": ("outer", f"batch {name}", [VALUES[name]]),
        "pass": ("liar", f"pass_{name}", list(held)),
        "host": ("liar", f"host_{name}", list(held)),
    }[way]


def _lies(full: bool) -> Iterator[Case]:
    turn = 0
    types = tuple(TYPES)
    for act, act_name in enumerate(ACTS[1:], 1):
        for helper, helper_name in enumerate(HELPERS):
            for way in WAYS:
                turn += 1
                costly = act_name in ("loop", "descend")  # such calls take as long as all others together
                if costly and not full and way not in (("through", "host") if helper % 2 else ("direct", "pass")):
                    continue
                usual = ("pass", "host") if helper_name.startswith("set_") else ("direct", "through")
                if not full and not costly and way not in usual and (helper + act) % 4:
                    continue
                chosen = types[: 2 if full else 1] if costly else types if full else (types[turn % len(types)],)
                calls: list[Call] = []
                for position, name in enumerate(chosen):
                    for number in NUMBERS.get(act_name, (0,)):
                        for patience in {0, (position + number) % 3}:
                            calls += [("liar", "tell", [helper, act, number, patience]), _meeting(way, name)]
                yield Case(
                    f"{helper_name} {act_name}, {way}",
                    "liar",
                    (*calls, ("liar", "tell", [0, 0, 0, 0])),
                    timeout=SOON if act_name == "loop" else PLENTY,
                    error=ERRORS.get(act_name, ""),
                    vague=act_name in ("descend", "recurse"),
                    loose=helper_name == "allocate" and act_name in SPOILING,
                )


def _results(full: bool) -> Iterator[Case]:
    for number, name in enumerate(TYPES):
        edges = EDGES if full else EDGES[number % 3 :: 3]
        ways = ("at", "through", "pass", "host")
        for way in ways if full else (ways[number % 4], ways[(number + 1) % 4]):
            module, prefix = ("outer", "at") if way == "through" else ("liar", way)
            calls = [(module, f"{prefix}_{name}", [ptr, size]) for ptr in edges for size in edges]
            yield Case(f"edges of {name}, {way}", "liar", tuple(calls))


def _maze(full: bool) -> Iterator[Case]:
    for number, (title, (ptr, size)) in enumerate(MAZE.entries.items()):
        name, _, kind = title.partition(".")
        if kind == "honest":
            continue
        others = ("through", "pass", "host")
        for way in ("at", *(others if full else (others[number % 3],))):
            module, prefix = ("outer", "at") if way == "through" else ("liar", way)
            calls = ((module, f"{prefix}_{name}", [ptr, size]),)
            yield Case(f"maze {title}, {way}", "liar", calls)


def _misfits(full: bool) -> Iterator[Case]:
    for position, title in enumerate(MISFITS):
        if not full and title.split(":")[0] in HELPERS and position % 4:
            continue
        looping = title.endswith(": loop")
        yield Case(title, title, (("m", "echo", ["x"]),) * 2, timeout=SOON if looping else PLENTY, spoils=True)


def _wasi(full: bool) -> Iterator[Case]:
    """Every function with edge numbers for all its arguments, and for each of them alone."""
    for number, item in enumerate(FUNCTIONS[PREVIEW1].values()):
        calls: list[Call] = []
        count = len(item.params)
        for edge in EDGES if full else EDGES[number % 4 :: 4]:
            rows = [[edge] * count]
            if full:
                rows += [[*([PAGE] * at), edge, *([PAGE] * (count - at - 1))] for at in range(count)]
            calls += [("m", PREVIEW1, [number, *row, *[0] * (9 - count)]) for row in rows]
        yield Case(f"WASI {item.name}", "wasi", tuple(calls))
