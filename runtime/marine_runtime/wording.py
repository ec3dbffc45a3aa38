"""Small pieces of messages that many places need. What a message says is decided where it is raised."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """`count` with its noun in singular or plural: `1 byte`, `2 bytes`, `0 bytes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def are(count: int) -> str:
    """The verb for `count` things: `is` or `are`."""
    return "is" if count == 1 else "are"
