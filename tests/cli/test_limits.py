"""Limits and statistics on the command line: `run` and `bench` with --timeout, --fuel, --memory-limit, --stats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.support.greedy import PAGE, greedy

Run = Callable[..., Result]


@pytest.fixture
def greedy_module(tmp_path: Path) -> Path:
    path = tmp_path / "m.wasm"
    path.write_bytes(greedy())
    return path


@pytest.fixture
def limited(greedy_module: Path) -> Path:
    """A configuration whose modules may take four pages."""
    path = greedy_module.with_name("service.toml")
    path.write_text(f'modules_dir = "."\ntotal_memory_limit = {4 * PAGE}\n[[module]]\nname = "m"\n')
    return path


def failed(result: Result) -> str:
    """The message of a failed run."""
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("error: ") == 1
    return result.stderr


def test_time_is_up(run: Run, greedy_module: Path) -> None:
    message = failed(run("run", greedy_module, "m.loop", "--timeout", "0.05"))
    assert message == (
        "error: module `m`, export adapter of `loop`, instruction #0 `call-core 6`: "
        "interrupted, as it took longer than 0.05 s\n"
    )


def test_fuel_is_used_up(run: Run, greedy_module: Path) -> None:
    message = failed(run("run", greedy_module, "m.loop", "--fuel", "1000"))
    assert message.endswith("`call-core 6`: ran out of its 1000 units of fuel\n")


@pytest.mark.parametrize("engine", ["fused", "closures", "interpreter"])
def test_limits_that_are_not_reached(run: Run, greedy_module: Path, engine: str) -> None:
    limits = ("--timeout", "60", "--fuel", "1000000", "--memory-limit", "1 MiB")
    result = run("run", greedy_module, "m.plain", '["x"]', "--engine", engine, *limits)
    assert (result.exit_code, result.stdout, result.stderr) == (0, '"x"\n', "")


def test_memory_is_refused(run: Run, greedy_module: Path) -> None:
    message = failed(run("run", greedy_module, "m.fill", "--memory-limit", "256 KiB"))
    first, second = message.splitlines()
    trap = "wasm trap: wasm `unreachable` instruction executed"
    assert first.endswith(f"a growth of memory was refused by the limit of 262144 bytes, then: {trap}")
    assert second.startswith("  caused by: ")
    assert second.endswith(trap)
    assert "limit of 1 byte, then: " in failed(run("run", greedy_module, "m.fill", "--memory-limit", "1"))


def test_the_option_goes_before_the_configuration(run: Run, limited: Path, tmp_path: Path) -> None:
    assert run("build", limited, "-o", tmp_path / "built").exit_code == 0
    for target in (limited, tmp_path / "built"):
        for option, expected in (
            ((), 2**32 - 1),
            (("--memory-limit", str(8 * PAGE)), 1),
            (("--memory-limit", "Infinity"), 1),
            (("--memory-limit", str(3 * PAGE)), 2**32 - 1),
        ):
            result = run("run", target, "m.grow", "[4]", *option)
            assert (result.exit_code, result.stdout, result.stderr) == (0, f"{expected}\n", "")


def test_other_settings_stay(run: Run, tmp_path: Path, service: Callable[..., Path]) -> None:
    config = service("logger")
    config.write_text(config.read_text() + "\nlogger_enabled = false\n")
    for option in ((), ("--memory-limit", "10 MB")):
        assert "logger" in failed(run("run", config, "logger.log_info", *option))


def test_statistics_as_text(run: Run, greedy_module: Path) -> None:
    result = run("run", greedy_module, "m.plain", '["x"]', "--stats")
    assert (result.exit_code, result.stdout) == (0, '"x"\n')
    assert re.fullmatch(
        r"m - 65\.5 KB\nAllocation rejects - 0\nm\.plain - 1 call, 0 failed, \d\.\d+ s\n", result.stderr
    )


def test_statistics_of_a_failed_call(run: Run, greedy_module: Path) -> None:
    result = run("run", greedy_module, "m.fill", "--stats", "--memory-limit", "128 KiB", "--fuel", "100000")
    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert lines[:2] == ["m - 131.1 KB", "Allocation rejects - 1"]
    assert re.fullmatch(r"Fuel - \d+ used, \d+ left by the last call", lines[2])
    assert re.fullmatch(r"m\.fill - 1 call, 1 failed, \d\.\d+ s, \d+ fuel", lines[3])
    assert lines[4].startswith("error: ")


def test_statistics_as_json(run: Run, greedy_module: Path) -> None:
    limits = ("--fuel", "5000", "--memory-limit", "1 MB")
    result = run("run", greedy_module, "m.grow", "[1]", "--stats", "--json", *limits)
    assert (result.exit_code, result.stdout) == (0, "1\n")
    found = json.loads(result.stderr)
    (function,) = found.pop("functions")
    assert 0 < function.pop("seconds") < 60
    assert found.pop("fuel_used") == function.pop("fuel") == 5000 - found.pop("fuel_left")
    assert function == {"module": "m", "function": "grow", "calls": 1, "failures": 0}
    assert found == {"memory": {"m": 2 * PAGE}, "rejects": 0, "used": 2 * PAGE, "limit": 1_000_000}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--timeout", "nan"), "'nan' is not accepted; write a number of seconds, more than 0"),
        (("--timeout", "inf"), "'inf' is not accepted; write a number of seconds, more than 0"),
        (("--timeout", "0"), "'0' is not accepted; write a number of seconds, more than 0"),
        (("--timeout", "soon"), "'soon' is not accepted; write a number of seconds, more than 0"),
        (("--fuel", "0"), "'0' is not accepted; write a whole number from 1 to 18446744073709551615"),
        (("--fuel", "much"), "'much' is not accepted; write a whole number from 1 to 18446744073709551615"),
        (("--memory-limit", "10 XB"), "the size has the unknown unit `XB`"),
        (("--memory-limit", "-1"), "the size must be a number of bytes"),
        (("--memory-limit", ""), "the size must be a number of bytes"),
    ],
)
@pytest.mark.parametrize("command", ["run", "bench"])
def test_wrong_limits(run: Run, greedy_module: Path, command: str, args: tuple[str, ...], message: str) -> None:
    result = run(command, greedy_module, "m.plain", '["x"]', *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_json_alone_is_wrong_usage(run: Run, greedy_module: Path) -> None:
    result = run("run", greedy_module, "m.plain", '["x"]', "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--json needs --stats" in result.stderr


def test_too_much_fuel(run: Run, greedy_module: Path) -> None:
    result = run("run", greedy_module, "m.plain", '["x"]', "--fuel", str(2**64))
    assert result.exit_code == 2
    assert f"'{2**64}' is not accepted; write a whole number from 1 to {2**64 - 1}" in result.stderr


def test_a_target_that_is_missing(run: Run, tmp_path: Path) -> None:
    for name in ("none.toml", "none.wasm"):
        assert "none" in failed(run("run", tmp_path / name, "m.plain", "--memory-limit", "1MB"))


def test_bench_with_limits(run: Run, greedy_module: Path) -> None:
    quick = ("--rounds", "1", "--min-time", "0", "--json")
    limits = ("--timeout", "60", "--fuel", "1000000", "--memory-limit", "Infinity")
    result = run("bench", greedy_module, "m.plain", '["x"]', *quick, *limits)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["limits"] == {"timeout": 60.0, "fuel": 1_000_000, "memory_limit": "Infinity"}
    assert json.loads(run("bench", greedy_module, "m.plain", '["x"]', *quick).stdout)["limits"] == {}
    assert "ran out of its 1000 units of fuel" in failed(
        run("bench", greedy_module, "m.loop", *quick, "--fuel", "1000")
    )
