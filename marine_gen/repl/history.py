"""The lines of earlier sessions, in a file of the user, in the system's place for such state."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

VARIABLE = "MARINE_GEN_HISTORY"
"""Environment variable with another place for the file."""


def history_file() -> Path:
    """The file that keeps the lines."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    return platformdirs.user_state_path("marine-gen", appauthor=False) / "repl_history"


def open_history() -> tuple[History, str]:
    """The history, and why it can't be kept, if that is so. The file is its owner's only: arguments may be secret."""
    path = history_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.read_bytes()
    except (OSError, ValueError) as error:
        return InMemoryHistory(), f"`{path}` can't be used, so lines are not kept: {getattr(error, 'strerror', error)}"
    return _File(path), ""


class _File(FileHistory):
    """A file of lines; those that begin with a space are not kept."""

    def store_string(self, string: str) -> None:
        """Store a line; a full disk is not an error."""
        if string.startswith(" "):
            return
        try:
            super().store_string(string)
        except OSError:
            return
