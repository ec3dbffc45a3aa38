"""`marine-gen repl`: commands for a running service, from a terminal or a pipe."""

from __future__ import annotations

import os
from pathlib import Path

import click

from marine_gen.cli.numbers import Seconds
from marine_gen.cli.options import (
    FILE,
    default_engine,
    engine_option,
    examples,
    host_file_option,
    strict_option,
    trace_option,
)
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.host_file import read_host_functions
from marine_gen.console.inputs import InputKind, files_of, kind_of
from marine_gen.console.logs import LEVELS, logging_to_stderr


def _default_level() -> str:
    """Everything when the environment asks guests to log."""
    wanted = os.environ.get("WASM_LOG", "")
    return "warning" if not wanted or wanted.startswith("off") else "trace"


@click.command(
    "repl",
    cls=StrictCommand,
    short_help="Call and change a service interactively.",
    epilog=examples(
        "marine-gen repl Config.toml",
        "echo 'call greeting greeting [\"John\"]' | marine-gen repl greeting.wasm",
    ),
)
@click.argument("target", type=FILE, required=False)
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="No banner, no message about new services; from a pipe: results and failures only.",
)
@click.option("-w", "--working-dir", type=FILE, help="Base of relative mapped directories; overrides that of TARGET.")
@click.option("--timeout", type=Seconds(most=3600), metavar="SECONDS", help="Time limit of a call; 0.1 by default.")
@engine_option
@click.option("--call-layer", type=click.Choice(["fast", "public"]), default="fast", help="Call layer to use.")
@click.option("--log-level", type=click.Choice(list(LEVELS)), help="Level of guests' log messages to show.")
@host_file_option
@trace_option
@strict_option
def command(
    target: Path | None,
    quiet: bool,
    working_dir: Path | None,
    timeout: float | None,
    engine: str | None,
    call_layer: str,
    log_level: str | None,
    host_file: Path | None,
    trace_file: Path | None,
    strict: bool,
) -> int:
    """Call and change a running service.

    TARGET is a service configuration (.toml), a Wasm module, or a directory that `build` wrote; without it the service
    is empty. Commands come from the terminal, or from a pipe: then data goes to stdout and messages to stderr, and the
    exit code is 1 when a command failed. `help` lists the commands.
    """
    from marine_gen import repl
    from marine_gen.artifact import refuse_overwriting
    from marine_runtime import LoadError

    if working_dir is not None:
        if target is not None and kind_of(target) is not InputKind.CONFIG:
            raise click.UsageError("--working-dir applies to a configuration (.toml) alone")
        if not working_dir.is_dir():
            raise LoadError(f"the working directory `{working_dir}` is not a directory; create it first")
    refuse_overwriting(trace_file, [*files_of(target), host_file])
    options = repl.ReplOptions(
        engine=engine or default_engine(),
        call_layer=call_layer,
        timeout=repl.TIMEOUT if timeout is None else timeout,
        quiet=quiet,
        working_dir=working_dir,
        host_functions=read_host_functions(host_file),
        trace=trace_file,
        inputs=() if host_file is None else (host_file,),
        strict=strict,
    )
    with logging_to_stderr(log_level or _default_level()):
        return repl.run_repl(target, options)
