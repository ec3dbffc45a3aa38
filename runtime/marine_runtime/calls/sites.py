"""Tying an error to the adapter instructions it passed, across module boundaries.

Adapters raise `CallError` without a place. At every boundary (an entry from Python, an import called by a guest) the
error gets its places: generated code finds them in the traceback through its line table, the interpreter knows them.
Each adapter that the error passed becomes one link of the `__cause__` chain, so nothing is paid while calls succeed.
"""

from __future__ import annotations

from collections.abc import Sequence

from marine_runtime.errors import CallError, Site

SITES_GLOBAL = "__marine_sites__"
"""The global of a generated module that holds its `Sites`."""


def locate(error: CallError) -> CallError:
    """`error` with the places of the generated adapters in its traceback; the outermost link is returned."""
    passed: list[Site] = []
    step = error.__traceback__
    # An error that crosses Wasm frames is raised again and its traceback grows at the front: what an inner boundary
    # has looked at is not looked at again.
    while step is not None and step is not error.placed_up_to:
        table = step.tb_frame.f_globals.get(SITES_GLOBAL)
        if table is not None and (site := table.at(step.tb_lineno)) is not None:
            passed.append(site)
        step = step.tb_next
    error.placed_up_to = error.__traceback__
    for site in reversed(passed):
        error = attach(error, site)
    return error


def attach(error: CallError, site: Site) -> CallError:
    """Place an unplaced error at `site`; wrap one that already happened further in."""
    if error.site is None:
        error.site = site
        return error
    root = error
    while isinstance(root.__cause__, CallError):
        root = root.__cause__
    assert root.site is not None
    what = root.reason if root.path == "$" else f"{root.path}: {root.reason}"
    inner = f"module `{root.site.module}`, {root.site.side} adapter of `{root.site.function}`"
    outer = type(root)(f"failed in {inner}: {what}")
    outer.site = site
    outer.__cause__ = error
    return outer


class Sites:
    """The origin of lines of a generated file.

    A row is the first line of an instruction's code, with side, function, index and text of the instruction; a row of
    a line alone ends the code of an adapter.
    """

    def __init__(self, module: str, rows: Sequence[tuple[int] | tuple[int, str, str, int, str]]) -> None:
        self._module, self._rows = module, rows

    def at(self, line: int) -> Site | None:
        """The site whose code covers `line`; None for helpers, entries and everything else."""
        low, high = 0, len(self._rows)  # without the module `bisect`: an import that fails would hide the error
        while low < high:
            middle = (low + high) // 2
            if line < self._rows[middle][0]:
                high = middle
            else:
                low = middle + 1
        row = self._rows[low - 1] if low > 0 else ()
        if len(row) != 5:  # rows come in two lengths
            return None
        _, side, function, index, text = row
        return Site(self._module, function, side, index, text)
