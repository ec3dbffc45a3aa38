"""The choice between the event loop and a thread, function by function.

A call on a thread costs two thread switches, some fifty microseconds; one on the loop costs nothing, but all others
wait for it. Under `auto`, a function whose calls were all short moves to the loop, and goes back at the first long one.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Literal

from marine_runtime import ConfigError
from marine_runtime.texts import suggestion

SHORT = 0.001
"""Seconds that a call of an inline function takes at most, thread switches included."""

ENOUGH = 50
"""Short calls in a row that make a function an inline one."""


class InlineChoice:
    """Decides where calls run.

    Args:
        chosen: the functions that run on the loop, as `module.function`; `auto` to measure them.
    """

    def __init__(self, chosen: Literal["auto"] | Set[str]) -> None:
        self.measures = chosen == "auto"
        self._inline = set[str]() if isinstance(chosen, str) else set(chosen)
        self._streaks: dict[str, int] = {}
        self._never: set[str] = set()

    def check(self, known: Iterable[str]) -> None:
        """Refuse chosen functions that are not `known`.

        Raises:
            ConfigError: there is one.
        """
        names = sorted(known)
        for key in sorted(() if self.measures else self._inline.difference(names)):
            raise ConfigError(
                f"there is no function `{key}` to run inline: write MODULE.FUNCTION, or `auto`{suggestion(key, names)}"
            )

    @property
    def used(self) -> bool:
        """True if some functions run on the loop."""
        return bool(self._inline)

    def inline(self, key: str) -> bool:
        """True if the next call of a function runs on the loop."""
        return key in self._inline

    def measured(self, key: str, seconds: float) -> None:
        """Learn from a call."""
        if not self.measures or key in self._never:
            return
        if seconds <= SHORT:
            streak = self._streaks[key] = self._streaks.get(key, 0) + 1
            if streak >= ENOUGH:
                self._inline.add(key)
        elif key in self._inline:
            self._inline.discard(key)  # it has blocked the loop once; not again
            self._never.add(key)
        else:
            self._streaks[key] = 0
