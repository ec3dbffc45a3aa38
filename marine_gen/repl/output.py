"""Output of commands: data to stdout; messages too when a person reads both, else to stderr.

A person sees results with labels and headings as in Marine's REPL. A program gets the data alone.
"""

from __future__ import annotations

import click

from marine_gen.console.output import write_text
from marine_gen.console.report import clean, say


class Output:
    """The output of commands.

    Attributes:
        interactive: whether a person reads it.
        quiet: whether messages about what went well are left out.
    """

    def __init__(self, *, interactive: bool, quiet: bool = False) -> None:
        self.interactive = interactive
        self.quiet = quiet

    def data(self, text: str, label: str = "") -> None:
        """A result, behind `label` for a person; a line feed is added where there is none at the end."""
        shown = text
        if self.interactive:  # nothing may steer the terminal; a program gets every byte
            shown = "\n".join(map(clean, f"{label}{text}".split("\n")))
        write_text(shown if shown.endswith("\n") else f"{shown}\n")

    def note(self, text: str) -> None:
        """A message about what went well; the lines are kept as they are."""
        if self.quiet:
            return
        for line in text.split("\n"):
            click.echo(clean(line), err=not self.interactive)

    def warn(self, text: str) -> None:
        """A message that the user has to see."""
        for line in text.split("\n"):
            say(clean(line))
