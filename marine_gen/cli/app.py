"""The group of commands, and what becomes of their failures: one message, no traceback, an exit code.

Exit codes: 0 fine, 1 the input or the call failed, 2 wrong usage, 130 interrupted. Commands raise what the library
raises; nothing is caught on the way, except by commands that go on with their next input.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from marine_gen._version import __version__
from marine_gen.console.logs import marine_warnings
from marine_gen.console.report import report_error, report_interrupted, report_traceback

COMMANDS = (
    *(
        "build",
        "component",
        "run",
        "serve",
        "repl",
        "check",
        "explain",
        "graph",
        "bench",
        "it",
        "interface",
        "aqua",
        "info",
    ),
    *("generate-adapters", "set", "guest", "doctor", "cache", "completion"),
)
"""The commands, in the order of the help page. Each is the `command` of the file of that name in `commands`, where a
dash is an underscore."""

INTERRUPTED = 130

_EPILOG = """\b
Examples:
  marine-gen run greeting.wasm greeting.greeting '["John"]'
  marine-gen build Config.toml -o build/service
  marine-gen check *.it

\b
Shell completion (bash; zsh and fish work the same way):
  eval "$(marine-gen completion bash)"
"""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        file = cmd_name.replace("-", "_")
        command: click.Command = import_module(f"marine_gen.cli.commands.{file}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args == ["help"] and not ctx.resilient_parsing:  # completion offers what may come next
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()
        if args[0] == "help" and args[1:]:  # `help it` is `it --help`, as with Marine's tool
            args = [*args[1:], "--help"]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with marine_warnings():
                return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                report_traceback(error)
            report_error(error)
            ctx.exit(1)

    def main(  # type: ignore[override]  # one signature instead of two overloads
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run and leave with an exit code."""
        extra["standalone_mode"] = False
        try:
            outcome = super().main(args, prog_name, **extra)
            code = outcome if isinstance(outcome, int) else 0
            _flush(failed=code != 0)
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            report_interrupted()
            code = INTERRUPTED
        except BrokenPipeError:  # whoever read our output has enough
            _silence(sys.stdout)
            code = 1
        except Exception as error:  # from before or after a command: help pages, a full disk
            report_error(error)
            _silence(sys.stdout)
            code = 1
        sys.exit(code)


def _flush(*, failed: bool) -> None:
    """Write what is buffered; a command that failed has said why already, perhaps for this very reason."""
    if sys.stdout is None:  # closed by who started us
        return
    try:
        sys.stdout.flush()
    except OSError:
        if not failed:
            raise
        _silence(sys.stdout)


def _silence(stream: Any) -> None:
    """Discard the content of `stream` when Python flushes it at exit."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@click.group(
    cls=_Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, "-V", "--version", prog_name="marine-gen", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the Python traceback of a failure.")
def cli(debug: bool) -> None:
    """Compile, run and inspect Marine WebAssembly services."""


def main() -> NoReturn:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character gets its escape, not an exception.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    signals: Any = __import__("_signal")  # `signal` imports much
    if hasattr(signals, "SIGCHLD"):
        # A parent may ignore it, which is inherited: the exit codes of our children would all be 0.
        signals.signal(signals.SIGCHLD, signals.SIG_DFL)
    cli.main(prog_name="marine-gen")
