"""Semantic versions 2.0: parse and compare. Ranges and requirements are not covered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from marine_runtime.texts import shortened

_NUMBER = "(0|[1-9][0-9]*)"
_IDENTIFIER = "(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_NUMBER_LIMIT = 2**64


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version. Versions that differ in `build` only have the same precedence and compare equal."""

    major: int
    minor: int
    patch: int
    pre: tuple[str, ...] = ()
    build: str = ""

    def __str__(self) -> str:
        pre = "-" + ".".join(self.pre) if self.pre else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}" + (f"+{self.build}" if self.build else "")

    def __eq__(self, other: object) -> bool:
        return self._precedence() == other._precedence() if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._precedence() < other._precedence() if isinstance(other, Version) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._precedence())

    def _precedence(self) -> tuple[object, ...]:
        # A pre-release comes before its release. Numeric identifiers come before others and compare by value; as they
        # have no leading zeros, that is by length, then by text, which spares converting very long ones.
        identifiers = tuple(
            (0, len(item), item) if item.isdecimal() and item.isascii() else (1, 0, item) for item in self.pre
        )
        return (self.major, self.minor, self.patch, not self.pre, identifiers)


def parse_version(text: str) -> Version:
    """Parse a semantic version.

    Raises:
        ValueError: `text` is not one; the message says so in a full clause.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"`{shortened(text, 64)}` is not a semantic version (MAJOR.MINOR.PATCH)")
    parts = match.group(1, 2, 3)
    # Twenty digits hold every 64-bit number; longer ones are refused before they are converted.
    if any(len(part) > 20 or int(part) >= _NUMBER_LIMIT for part in parts):
        raise ValueError("a number of the semantic version exceeds 64 bits")
    pre = tuple(match.group(4).split(".")) if match.group(4) else ()
    return Version(int(parts[0]), int(parts[1]), int(parts[2]), pre, match.group(5) or "")
