"""Every peer of this process gives the expected result in every case that it can do, and breaks without harm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench.cases import all_cases
from tests.bench.cases.calls import calls, chained, greeting
from tests.bench.cases.crossing import crossing, looped
from tests.bench.cases.lifecycle import lifecycle
from tests.bench.cases.services import store_cases
from tests.bench.model import ANSWERED, MADE, STARTED, Case, Kind, Work
from tests.bench.peers import ByHand, Component, Composed, Engine, open_peers
from tests.bench.peers.accelerated import Accelerated
from tests.bench.peers.base import Contender, NotMeasuredError, Peer, contender
from tests.bench.peers.by_hand import open_modules
from tests.bench.peers.components import chain_text
from tests.bench.run import affordable_rounds, main, measure, same
from tests.bench.starts import run_command
from tests.support.samples import sampled

GREETING = Case("greeting", "group", "title", "call", greeting())
SMALL = 2**16
MOST_PEERS = ("greeting", "chain", "crossing record")
"""Cases that three peers can do at least."""


def small_cases() -> Iterator[Case]:
    """Cases with values that are quick to make."""
    for case in (*calls(), *crossing(), *store_cases()):
        if not case.name.split()[-1].isdigit() or int(case.name.split()[-1]) <= SMALL:
            yield case


@dataclass(frozen=True)
class Fake:
    """A peer that does what it is made to."""

    name: str
    error: Exception | None = None
    result: object = "Hi, John"
    about: str = ""

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if self.error:
            raise self.error
        return contender(lambda: self.result)


CASES = list(small_cases())
OFTEN = {*MOST_PEERS, *(case.name for case in CASES[::4])}


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in all_cases(Path("nowhere"))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", sampled(CASES, lambda case: case.name in OFTEN), ids=lambda case: case.name)
def test_peers_give_the_expected_result(case: Case) -> None:
    peers: list[Peer] = [Engine("fused"), ByHand(), Component(), Composed()]
    done = []
    for peer in peers:
        with ExitStack() as stack:
            try:
                made = peer.prepare(case, stack)
            except NotMeasuredError:
                continue
            assert same(made.result, case.work.expected), peer.name
            done.append(peer.name)
    assert "fused" in done
    assert len(done) >= 3 or case.name not in MOST_PEERS
    assert ("component of a service" in done) == (case.crossing and "component" in done)


@pytest.mark.parametrize("case", [case for case in lifecycle() if case.kind in MADE], ids=lambda case: case.name)
def test_what_is_made_of_modules_has_a_size_and_a_time(case: Case) -> None:
    maker = "fused" if case.kind.startswith("glue") else "component of a service"
    peers: list[Peer] = [Engine("fused"), Engine("closures"), Component(), Composed()]
    made = {result.peer: result.samples for result in measure(case, peers, rounds=1, min_time=0).results}
    assert [name for name, samples in made.items() if samples] == [maker]
    assert made[maker][0] > 1000


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [case for case in lifecycle() if case.kind in (*STARTED, *ANSWERED)], ids=lambda case: case.name
)
def test_programs_start_and_answer(case: Case) -> None:
    found = measure(case, [Engine("fused"), Engine("closures"), ByHand(), Component()], rounds=1, min_time=0)
    assert found.results[0].missing == ""
    assert found.results[0].samples
    assert all(result.missing for result in found.results[1:])


def test_a_program_that_fails_is_no_result(tmp_path: Path) -> None:
    case = Case("start", "group", "title", "process unwritten", greeting())
    with pytest.raises(RuntimeError, match=r"has no manifest\.json"):
        run_command(case, tmp_path, tmp_path, tmp_path)


@pytest.mark.parametrize("kind", ["call", "cold load"])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_string_goes_through_a_chain_of_any_length(kind: Kind, length: int) -> None:
    peers: list[Peer] = [Engine("fused"), ByHand(), Component()]
    case = Case("chain", "group", "title", kind, chained(length))
    found = measure(case, peers, rounds=1, min_time=0)
    assert [result.missing for result in found.results] == ["", "", ""]


@pytest.mark.parametrize("peer", [ByHand(), Component()], ids=lambda peer: peer.name)
def test_a_new_process_calls_through_a_chain(peer: Peer) -> None:
    case = Case("chain", "group", "title", "first call", chained(2))
    with ExitStack() as stack:
        assert peer.prepare(case, stack).result == case.work.expected


def test_a_record_comes_back_over_what_is_written_by_hand() -> None:
    work = looped("record", 7, 1)
    count, record = work.arguments
    guest = open_modules(work.modules, "record")
    many: Any = guest.exports[work.function]
    many(guest.store, count, guest.lower_record(record))
    assert guest.lift_record(guest.pointer(guest.store)) == record  # as the import left it


def test_a_component_of_a_chain_has_a_component_for_each_module() -> None:
    for length in (1, 2, 5):
        text = chain_text(length)
        assert [f"(component $c{number}" in text for number in range(length + 1)] == [True] * length + [False]
        assert text.count("(call $echo") == length - 1


@dataclass(frozen=True)
class Clock:
    """A peer whose calls take what they say: so much to enter a loop, and so much for each round."""

    name: str
    enter: int
    each: int
    about: str = ""

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        work = case.work.longer(5000)
        took = self.enter + self.each * work.arguments[0]
        return Contender(lambda calls: calls * took, case.work.expected, work.per)


def test_calls_between_modules_are_measured_by_slope() -> None:
    """The cost of entering is in nobody's figure; work of a single round is what it is."""
    case = Case(
        "crossing", "group", "title", "call", Work({"m": b""}, "many", (1000, 7), 1000, "", 1000), crossing=True
    )
    peers: list[Peer] = [Clock("quick", 10_000, 30), Clock("slow", 1_000_000, 60)]
    found = measure(case, peers, rounds=2, min_time=0)
    assert [result.samples for result in found.results] == [(30, 30), (60, 60)]
    whole = measure(replace(case, crossing=False), peers, rounds=1, min_time=0)
    assert [result.samples for result in whole.results] == [(32,), (260,)]


def test_a_peer_that_fails_is_a_result_with_its_reason() -> None:
    peers: list[Peer] = [
        Fake("good"),
        Fake("broken", KeyError("no such thing\nmore")),
        Fake("unable", NotMeasuredError("can't")),
        Fake("wrong", result="Hi, Jane"),
    ]
    found = {result.peer: result for result in measure(GREETING, peers, rounds=2, min_time=0).results}
    assert list(found) == ["good", "broken", "unable", "wrong"]
    assert len(found["good"].samples) == 2
    assert {name: result.missing for name, result in found.items()} == {
        "good": "",
        "broken": "failed: KeyError: 'no such thing\\nmore'",
        "unable": "can't",
        "wrong": "gave another result than the others",
    }
    assert not any(found[name].samples for name in ("broken", "unable", "wrong"))


def test_a_peer_that_fails_in_the_middle_does_not_stop_the_others() -> None:
    class Tired:
        name, about = "tired", ""
        left = 3

        def prepare(self, case: Case, stack: ExitStack) -> Contender:
            return contender(self.call)

        def call(self) -> str:
            self.left -= 1
            if self.left < 0:
                raise OSError("gone")
            return "Hi, John"

    good, tired = measure(GREETING, [Fake("good"), Tired()], rounds=5, min_time=0).results
    assert len(good.samples) == 5
    assert (tired.samples, tired.missing) == ((), "failed while it was timed: gone")


def test_slow_cases_have_fewer_rounds_and_three_at_least() -> None:
    assert [affordable_rounds(9, seconds) for seconds in (0, 0.1, 0.5, 0.6, 100)] == [9, 9, 6, 5, 3]


def test_a_peer_that_raises_without_words_is_a_result_too() -> None:
    (result,) = measure(GREETING, [Fake("broken", ValueError())], rounds=1, min_time=0).results
    assert result.missing == "failed: ValueError"


def test_without_npm_marine_js_is_missing_and_says_so(tmp_path: Path) -> None:
    with ExitStack() as stack:
        peers = {peer.name: peer for peer in open_peers(tmp_path, stack)}
        assert "missing" in peers["marine-js"].about
        (result,) = measure(GREETING, [peers["marine-js"]], rounds=1, min_time=0).results
    assert "not installed" in result.missing


def test_a_case_whose_module_is_missing_is_a_result_too() -> None:
    case = replace(GREETING, work=replace(GREETING.work, modules={}))
    (result,) = measure(case, [Fake("good")], rounds=1, min_time=0).results
    assert "not installed" in result.missing


def test_records_and_bytes_of_json_are_compared_by_value() -> None:
    assert same({"a": 1, "b": [1, 2]}, (1, b"\x01\x02"))
    assert same([{"a": 1}], [(1,)])
    assert not same({"a": 1}, (1, 2))
    assert not same([256], b"\x00")
    assert not same([1], [1, 2])
    assert not same(None, ("x",))


def test_an_unknown_case_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--only", "no such case"])
    assert caught.value.code == 2
    assert "no case has no such case in its name" in capsys.readouterr().err


@pytest.mark.slow
def test_calls_in_c_are_measured_in_a_process_of_their_own() -> None:
    """The report says so, if the extension is not installed, or off."""
    found = measure(GREETING, [Accelerated()], rounds=1, min_time=0).results[0]
    assert found.samples or "the extension is not in use" in found.missing
    record = next(case for case in all_cases(Path("none")) if case.name == "record")
    (result,) = measure(record, [Accelerated()], rounds=1, min_time=0).results
    assert re.search("nothing in C|not in use", result.missing)
