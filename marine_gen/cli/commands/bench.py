"""`marine-gen bench`: one call on every engine, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marine_gen.cli.limits import Limits, limit_options
from marine_gen.cli.numbers import Count, Seconds
from marine_gen.cli.options import FILE, examples, host_file_option
from marine_gen.cli.parsing import TakesNegativeNumbers
from marine_gen.console.host_file import read_host_functions
from marine_gen.console.inputs import choose_function, read_arguments
from marine_gen.console.output import counted, write_json
from marine_gen.console.progress import CompileBar
from marine_gen.console.report import clean, warn
from marine_gen.console.timings import ratios, show_timings

if TYPE_CHECKING:
    from marine_gen.bench import Candidate, Timing


_LONGEST = 3600.0  # seconds


@click.command(
    "bench",
    cls=TakesNegativeNumbers,
    short_help="Time a call on every engine.",
    epilog=examples(
        "marine-gen bench greeting.wasm greeting.greeting '[\"John\"]'",
        "marine-gen bench greeting.wasm greeting.greeting '[\"John\"]' --batch 1000",
        "marine-gen bench service.toml bench_pure.call_many '[1000, \"text\"]' --per 1000",
    ),
)
@click.argument("target", type=FILE)
@click.argument("function", metavar="MODULE.FUNCTION")
@click.argument("arguments", metavar="[JSON]", default="[]")
@click.option("--json", "as_json", is_flag=True, help="Print the raw samples and the machine as JSON.")
@click.option("--rounds", type=Count(1, 10_000), default=7, show_default=True, help="Samples of each engine.")
@click.option(
    "--min-time",
    type=Seconds(0, _LONGEST),
    default=0.1,
    show_default=True,
    metavar="SECONDS",
    help="Minimum duration of one sample.",
)
@click.option("--per", type=Count(1), default=1, metavar="N", help="Divide times by N, the guest's own loop.")
@click.option("--batch", type=Count(0), default=0, metavar="N", help="Time batches of N calls too.")
@limit_options
@host_file_option
def command(
    target: Path,
    function: str,
    arguments: str,
    as_json: bool,
    rounds: int,
    min_time: float,
    per: int,
    batch: int,
    timeout: float | None,
    fuel: int | None,
    memory_limit: float | None,
    host_file: Path | None,
) -> None:
    """Time a call on every engine, and on the interpreter over wasmtime's public API, in one process.

    Engines take turns. Each sample times calls from Python with the same arguments; a service keeps its
    state between calls. TARGET and JSON are as for `marine-gen run`.
    """
    from marine_gen.artifact.tiers import optimised
    from marine_gen.bench import compare, describe_machine, open_candidates

    click.get_current_context().with_resource(optimised())
    limits = Limits(timeout, fuel, memory_limit)
    text = read_arguments(arguments)
    host_functions = read_host_functions(host_file)
    bar = click.get_current_context().with_resource(CompileBar())
    with open_candidates(
        target,
        lambda service: choose_function(service, function),
        text,
        host_functions=host_functions,
        batch=batch,
        options=limits.options(target),
        progress=bar,
    ) as candidates:
        _warn(candidates)
        divisors = {item.name: per * item.per for item in candidates}
        calls = {item.name: item.call for item in candidates}
        timings = compare(calls, rounds=rounds, min_time=min_time, per=divisors)
    if as_json:
        document = {
            "target": str(target),
            "function": function,
            "arguments": text,
            "per": per,
            "limits": limits.to_json(),
            "unit": "ns",
            "machine": describe_machine().to_json(),
            "results": [_result(*pair, timings) for pair in zip(candidates, timings, strict=True)],
        }
        write_json(document)
        return
    show_timings(timings)
    click.echo(f"\n{clean(function)}, {counted(rounds, 'round')}, times per call" + (f" / {per}" if per > 1 else ""))
    click.echo(clean(str(describe_machine())))


def _warn(candidates: Sequence[Candidate]) -> None:
    for item in candidates:
        for sentence in item.warnings:
            if " runs as a closure" in sentence:
                warn(clean(f"{item.name}: {sentence}"))
    if any(item.result != candidates[0].result for item in candidates):
        warn(
            "the first call did not return the same result on every engine: "
            "the function depends on more than its arguments"
        )
    if any("fast" in item.name and item.call_layer != "fast" for item in candidates):
        warn("the fast call layer can't be used here; `marine-gen doctor` says why")


def _result(candidate: Candidate, timing: Timing, timings: Sequence[Timing]) -> dict[str, Any]:
    to_public, to_fast = ratios(timing, timings)
    return {
        "name": candidate.name,
        "engine": candidate.engine,
        "call_layer": candidate.call_layer,
        "median": timing.median,
        "minimum": timing.minimum,
        "times_public_interpreter": to_public,
        "times_fast_interpreter": to_fast,
        "calls_per_sample": timing.calls,
        "samples": list(timing.samples),
    }
