"""The throughput of pools is measured and printed."""

from __future__ import annotations

import pytest

from marine_gen.bench.pool import main
from tests.guests.descriptions import GUESTS_FOLDER

GREETING = str(GUESTS_FOLDER / "greeting.wasm")


def test_it_prints_a_line_per_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([GREETING, "greeting.greeting", '["x"]', "--workers", "1", "--calls", "20", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    names = ["one service", "1 threads loaded in", "1 threads, submit", "1 threads, map"]
    names += [name.replace("threads", "processes") for name in names[1:]]
    assert [line[: len(name)] for line, name in zip(printed, names, strict=False)] == names
    assert len(printed) == len(names) + 1
    assert " 1.00 ×" in printed[0]


def test_bad_input_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, code, text in (
        (["nothing.wasm", "m.f"], 1, "error: "),
        ([GREETING, "greeting.greeting", "[1]"], 1, "$.name: expected string"),
        ([GREETING, "greeting"], 2, "MODULE.FUNCTION"),
        ([GREETING, "greeting.greeting", "--calls", "0"], 2, "at least 1"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == code
        assert text in capsys.readouterr().err
