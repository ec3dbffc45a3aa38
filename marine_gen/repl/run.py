"""The interactive loop from its first service to its exit code; the lines come from a person or from a program."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from marine_gen._version import __version__
from marine_gen.console.report import wants_colour
from marine_gen.repl.output import Output
from marine_gen.repl.session import ReplOptions, Session


def run_repl(target: Path | None, options: ReplOptions) -> int:
    """Run command lines from stdin until its end or `quit`; a person gets prompts.

    Returns:
        The exit code: 1 when a command failed and no person was there to see it.

    Raises:
        MarineError: the first service can't be made, or the file of `options.trace` can't be written.
    """
    interactive = sys.stdin is not None and sys.stdin.isatty()
    session = Session(options, Output(interactive=interactive, quiet=options.quiet and not interactive))
    try:
        if interactive and not options.quiet:
            greet()
        if options.trace is not None:
            session.record(options.trace)
        session.open(target)
        if interactive:
            from marine_gen.repl.terminal import converse

            converse(session)
            return 0
        from marine_gen.repl.pipe import obey

        obey(session)
        return int(session.failed)
    finally:
        session.close()


def greet() -> None:
    """Print the banner."""
    from marine_gen.artifact.compile import MIN_IT, MIN_SDK

    def blue(version: object) -> str:
        return click.style(str(version), fg="blue") if wants_colour(sys.stdout) else str(version)

    click.echo(f"Welcome to the Marine REPL (version {blue(__version__)})")
    click.echo("Minimal supported versions")
    click.echo(f"  sdk: {blue(MIN_SDK)}")
    click.echo(f"  interface-types: {blue(MIN_IT)}")
    click.echo()
