"""The command line, `marine-gen`: a file per command in `commands`, and their shared options.

`app` is the group: it imports a command when it is named, and turns every failure into a message and an exit code.
`options` and `limits` are parameters of several commands. Messages, results and inputs are in `marine_gen.console`,
which the interactive loop uses too. Heavy modules are imported inside functions, so that help and completion answer at
once; the version needs none of them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from marine_gen._version import __version__

if TYPE_CHECKING:
    from marine_gen.cli.app import cli

__all__ = ["cli", "main"]


def main() -> NoReturn:
    """The console script."""
    if sys.argv[1:] in (["--version"], ["-V"]) and _say(f"marine-gen {__version__}\n"):
        sys.exit(0)
    from marine_gen.cli import app

    app.main()


def _say(text: str) -> bool:
    """Write to the standard output; False, with nothing said, when that fails."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):  # told by `app`, which tries again
        return False
    return True


def __getattr__(name: str) -> Any:
    if name != "cli":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from marine_gen.cli.app import cli

    return cli
