"""`marine-gen run`: one call, its result as JSON."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from marine_gen.cli.limits import Limits, limit_options, reporting
from marine_gen.cli.options import (
    FILE,
    default_engine,
    engine_option,
    examples,
    host_file_option,
    strict_option,
    trace_option,
)
from marine_gen.cli.parsing import TakesNegativeNumbers
from marine_gen.console.host_file import read_host_functions
from marine_gen.console.inputs import choose_function, files_of, read_arguments
from marine_gen.console.logs import LEVELS, logging_to_stderr
from marine_gen.console.output import write_text
from marine_gen.console.progress import CompileBar


@click.command(
    "run",
    cls=TakesNegativeNumbers,
    short_help="Call a function and print its result.",
    epilog=examples(
        "marine-gen run greeting.wasm greeting.greeting '[\"John\"]'",
        "marine-gen run service.toml module.function --timeout 2 --memory-limit '10 MiB' --stats",
        "echo '[5]' | marine-gen run build/service module.function -",
    ),
)
@click.argument("target", type=FILE)
@click.argument("function", metavar="MODULE.FUNCTION")
@click.argument("arguments", metavar="[JSON]", default="[]")
@engine_option
@click.option("--call-layer", type=click.Choice(["fast", "public"]), default="fast", help="Call layer to use.")
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache.")
@click.option(
    "--log-level", type=click.Choice(list(LEVELS)), default="warning", help="Level of guests' log messages to show."
)
@trace_option
@limit_options
@click.option("--stats", is_flag=True, help="Show memory, refused growths, calls and times on stderr afterwards.")
@click.option("--json", "as_json", is_flag=True, help="Print the statistics of --stats as JSON.")
@host_file_option
@strict_option
def command(
    target: Path,
    function: str,
    arguments: str,
    engine: str | None,
    call_layer: str,
    no_cache: bool,
    log_level: str,
    trace_file: Path | None,
    timeout: float | None,
    fuel: int | None,
    memory_limit: float | None,
    stats: bool,
    as_json: bool,
    host_file: Path | None,
    strict: bool,
) -> None:
    """Call a function and print its result as JSON.

    TARGET is a service configuration (.toml), a Wasm module, or a directory that `build` wrote. JSON holds the
    arguments: an array by position, or an object by name; `-` reads it from stdin.
    """
    from marine_gen.artifact import load, refuse_overwriting
    from marine_gen.artifact.policy import complete_builds
    from marine_runtime import LoadOptions, tracing

    if as_json and not stats:
        raise click.UsageError("--json needs --stats; a result is always JSON")
    if trace_file is not None:
        refuse_overwriting(trace_file, [*files_of(target), host_file])
    text = read_arguments(arguments)
    host_functions = read_host_functions(host_file)
    with (
        logging_to_stderr(log_level),
        tracing(trace_file) if trace_file else nullcontext() as tracer,
    ):
        options: LoadOptions = {
            **Limits(timeout, fuel, memory_limit).options(target),
            "host_functions": host_functions,
            "call_layer": call_layer,
            "trace": tracer,
            "collect_statistics": stats,
            "strict": strict,
        }
        with complete_builds(), CompileBar() as bar:
            service = load(target, engine=engine or default_engine(), cache=not no_cache, progress=bar, **options)
        with (
            service,
            reporting(service, wanted=stats, as_json=as_json),
        ):
            result = service.call_json(*choose_function(service, function), text)
    write_text(f"{result}\n")
