"""`marine-gen bench` and its library: samples, ratios, arguments of the public types. No speed is asserted."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.artifact import ENGINES
from marine_gen.bench import BASELINE, PUBLIC_BASELINE, Timing, compare, describe_machine, open_candidates
from marine_gen.bench.candidates import public_arguments
from marine_gen.bench.measure import format_time
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.engines import guests, load

Run = Callable[..., Result]
GREETING = GUESTS_FOLDER / "greeting.wasm"
QUICK = ("--rounds", "2", "--min-time", "0")


def test_json_has_every_engine(run: Run) -> None:
    result = run("bench", GREETING, "greeting.greeting", '["John"]', "--json", *QUICK)
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert (document["function"], document["arguments"], document["unit"]) == ("greeting.greeting", '["John"]', "ns")
    assert document["machine"]["wasmtime"] == describe_machine().wasmtime
    results = {item["name"]: item for item in document["results"]}
    assert [item["engine"] for item in document["results"]] == [*ENGINES, "interpreter"]
    assert results[PUBLIC_BASELINE]["times_public_interpreter"] == 1
    assert results[BASELINE]["times_fast_interpreter"] == 1
    for item in results.values():
        assert len(item["samples"]) == 2
        assert 0 < item["minimum"] <= item["median"]


def test_table(run: Run) -> None:
    result = run("bench", GREETING, "greeting.greeting", '["John"]', *QUICK)
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["engine", "median", "minimum"]
    assert [line.split()[0] for line in lines[1 : len(ENGINES) + 2]] == [*ENGINES, "interpreter"]
    assert lines[-2] == "greeting.greeting, 2 rounds, times per call"


def test_per(run: Run, service: Callable[..., Path]) -> None:
    config = service("bench_effector", "bench_pure")
    args = ("bench", config, "bench_pure.call_many", '[20, "John"]', "--json", *QUICK, "--per", "20")
    document = json.loads(run(*args).stdout)
    assert document["per"] == 20
    assert len(document["results"]) == len(ENGINES) + 1
    assert run(*[*args[:4], *QUICK, "--per", "20"]).stdout.splitlines()[-2].endswith("times per call / 20")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("greeting.greeting", "[1]"), 1),
        (("greeting.none", "[]"), 1),
        (("greeting.greeting", '["x"]', "--rounds", "0"), 2),
        (("greeting.greeting", '["x"]', "--min-time", "-1"), 2),
        (("greeting.greeting", '["x"]', "--min-time", "nan"), 2),
        (("greeting.greeting", '["x"]', "--per", "0"), 2),
    ],
)
def test_failures(run: Run, args: tuple[str, ...], code: int) -> None:
    result = run("bench", GREETING, *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert "rror: " in result.stderr


def test_candidates_take_turns_without_garbage_collection() -> None:
    calls: list[str] = []
    collecting: set[bool] = set()

    def candidate(name: str) -> Callable[[], None]:
        def call() -> None:
            calls.append(name)
            collecting.add(gc.isenabled())

        return call

    timings = compare({name: candidate(name) for name in "abc"}, rounds=3, min_time=0)
    assert "".join(calls) == "abc" + "abc" + "bca" + "cab"  # one to calibrate, then the rounds
    assert collecting == {False}
    assert gc.isenabled()
    assert [timing.name for timing in timings] == ["a", "b", "c"]
    assert all(len(timing.samples) == 3 and timing.calls == 1 for timing in timings)


def test_garbage_collection_is_restored_after_a_failure() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        compare({"a": fail}, rounds=1, min_time=0)
    assert gc.isenabled()


def test_samples_are_long_enough_and_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0

    def work() -> None:
        nonlocal clock
        clock += 1_000

    monkeypatch.setattr("marine_gen.bench.measure.perf_counter_ns", lambda: clock)
    (timing,) = compare({"a": work}, rounds=2, min_time=0.001)
    assert timing.calls * 1_000 >= 1_000_000
    assert timing.samples == (1_000, 1_000)
    (timing,) = compare({"a": work}, rounds=1, min_time=0.001, per=10)
    assert timing.samples == (100,)


def test_ratios_and_words() -> None:
    fast, slow = Timing("fast", (10.0, 30.0, 20.0), 5), Timing("slow", (200.0,), 1)
    assert (fast.median, fast.minimum, fast.speedup_over(slow)) == (20, 10, 10)
    assert str(fast) == "fast: median 20.0 ns, minimum 10.0 ns"
    times = [1, 9.994, 12.34, 999, 1000, 123_456, 9_999_000, 2.5e9, 3e12]
    assert [format_time(time) for time in times] == [
        "1.00 ns",
        "9.99 ns",
        "12.3 ns",
        "999 ns",
        "1.00 µs",
        "123 µs",
        "10.0 ms",
        "2.50 s",
        "3000 s",
    ]


@pytest.mark.parametrize("options", [{"rounds": 0}, {"per": 0}, {"min_time": -1}, {"min_time": float("nan")}])
def test_numbers_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        compare({}, **options)


def test_nothing_to_compare() -> None:
    assert compare({}) == []


def test_arguments_are_of_the_public_types() -> None:
    with load(guests("records_effector"), "closures") as service:
        record = service.modules.records_effector.records["TestRecord"]
        fields = '[true, 1, 2, 3, 4, 5, 6, 7, 8, 9.5, 10.5, "11", [12]]'
        (argument,) = public_arguments(service, "records_effector", "mutate_struct", f"[{fields}]")
        assert type(argument) is record
        assert (argument.field_11, argument.field_12) == ("11", b"\x0c")
        assert type(service.modules.records_effector.mutate_struct(argument)) is record


def test_candidates_give_the_same_result() -> None:
    with open_candidates(GREETING, lambda service: ("greeting", "greeting"), '["x"]') as candidates:
        assert {candidate.result for candidate in candidates} == {'"Hi, x"'}
        assert {candidate.call() for candidate in candidates} == {"Hi, x"}
        assert [(item.engine, item.call_layer) for item in candidates] == [
            *((engine, "fast") for engine in ENGINES),
            ("interpreter", "public"),
        ]


def test_batches_stand_beside_single_calls(run: Run) -> None:
    result = run("bench", GREETING, "greeting.greeting", '["a"]', "--json", "--batch", "7", *QUICK)
    names = [item["name"] for item in json.loads(result.stdout)["results"]]
    assert [name for name in names if "batches of 7" in name] == [f"{engine} (batches of 7)" for engine in ENGINES]
    assert len(names) == 2 * len(ENGINES) + 1
