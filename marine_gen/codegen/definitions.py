"""The definitions of one generated module, and which of them each one requests.

A backend asks for a helper when it writes the name of the helper, so nothing has to be found in emitted text
afterwards: the module has exactly what was requested, and `explain` can show an adapter with everything that it runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Definition:
    """A function or another named thing in a generated module.

    Attributes:
        name: its name in the module; `symbols` with sigils are the backend's business.
        lines: its text, one entry a line.
        uses: the names of the definitions that it requests, in order of the first request.
    """

    name: str
    lines: list[str] = field(default_factory=list)
    uses: dict[str, None] = field(default_factory=dict)


class Definitions:
    """Definitions by name, in the order in which they were begun."""

    def __init__(self) -> None:
        self._all: dict[str, Definition] = {}
        self._open: list[Definition] = []

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def __getitem__(self, name: str) -> Definition:
        return self._all[name]

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._all.values())

    @contextmanager
    def definition(self, name: str) -> Iterator[Definition]:
        """Begin a definition; what is requested inside is recorded as its own. The caller fills in its lines."""
        found = self._all[name] = Definition(name)
        self._open.append(found)
        try:
            yield found
        finally:
            self._open.pop()

    def use(self, name: str) -> str:
        """Record a request for `name` by the definition that is being written; returns the name."""
        if self._open:
            self._open[-1].uses[name] = None
        return name

    def reached(self, name: str) -> list[Definition]:
        """The definition `name` and everything that it requests, directly or not, each once, callers first."""
        found: dict[str, None] = {}
        pending = [name]
        while pending:
            current = pending.pop()
            if current in found or current not in self._all:
                continue
            found[current] = None
            pending += reversed(self._all[current].uses)
        return [self._all[item] for item in found]
