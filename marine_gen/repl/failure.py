"""The failure of a command, with its text. Nothing is printed here."""

from __future__ import annotations

from marine_gen.console.report import error_lines


class CommandError(Exception):
    """A command failed, or was used wrongly; the text is what the user reads, and may have several lines."""


def interrupted(what: str) -> CommandError:
    """`what` was ended by Ctrl-C."""
    return CommandError(f"{what} interrupted: Ctrl-C")


def because(what: str, error: BaseException) -> CommandError:
    """`what` failed with `error`, whose causes follow, a line for each."""
    return CommandError(f"{what}: " + "\n".join(error_lines(error)))
