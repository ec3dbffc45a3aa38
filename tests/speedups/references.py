"""References and blocks of memory that calls in C leave behind: `python -m tests.speedups.references CALLS`.

Counts all references where this Python was built with `Py_DEBUG`, and blocks of memory everywhere. The exit code is
the number of kinds with which one of them grows.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

from tests.speedups.kinds import kinds

ALLOWED = {"references": 150, "blocks": 300}
"""Growth that is not of calls: tables of Python that fill up by and by."""

ALLOWED_SERVICES = {"references": 2000, "blocks": 1000}
"""The same for services, which have several thousand references each; some go a little later."""

_WARM = 2000


def counts() -> dict[str, int]:
    """All references and blocks of this process; no references where nobody counts them."""
    for _ in range(2):
        gc.collect()
    return {"references": getattr(sys, "gettotalrefcount", int)(), "blocks": sys.getallocatedblocks()}


def growth(run: Callable[[int], None], calls: int) -> dict[str, int]:
    """References and blocks that so many calls leave behind."""
    for _ in range(2):
        run(_WARM)
    before = counts()
    run(calls)
    return {name: count - before[name] for name, count in counts().items()}


def main(calls: int) -> int:
    """Print a line for each kind; the number of those that grow."""
    growing = 0
    with kinds() as found:
        for name, run in found.items():
            allowed = ALLOWED_SERVICES if name == "services" else ALLOWED
            left = growth(run, calls)
            wrong = any(left[part] > allowed[part] for part in left)
            growing += wrong
            figures = ", ".join(f"{count:+} {part}" for part, count in left.items())
            print(f"{'GROWS' if wrong else 'flat':6}{name}: {figures}", flush=True)
    return growing


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
