"""Recorded calls: every boundary on every engine, nesting, sizes, errors, limits, files."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import marine_gen
from marine_gen.generate import Named, Vector
from marine_runtime import (
    ArgumentError,
    LoadError,
    MarineError,
    ModuleConfig,
    PythonModule,
    Service,
    ServiceConfig,
    StateError,
    Tracer,
    TrapError,
    tracing,
)
from marine_runtime.abi import memory_size
from marine_runtime.abi.layout import layout_of
from marine_runtime.adapters.codec import Codec
from marine_runtime.host.function import HostFunction
from marine_runtime.host.mounted_binary import RESULT
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType
from tests.engines.test_failures import render
from tests.support.echo import function
from tests.support.engines import Configuration, guest, guests, outcome
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.host_calls import calling, declarations
from tests.support.traces import calls, recorded, spans
from tests.support.troubles import modules

Serve = Callable[..., Service]

CHAIN = [(0, "call", "shrek.greeting"), (1, "import", "donkey.greeting")]
ASK = calling(function("ask", Prim.STRING, result=Prim.STRING), (), "host", "answer")


def host(run: Callable[[str], str]) -> dict[str, HostFunction]:
    return {"answer": HostFunction.of(run, [Prim.STRING], Prim.STRING)}


def test_a_call_and_the_calls_in_it(serve: Serve, configuration: Configuration) -> None:
    with recorded() as tracer:
        service = serve(guests("donkey", "shrek"), trace=tracer)
        assert service.modules.shrek.greeting("Fiona") == ["Shrek: hi, Fiona", "Donkey: hi, Fiona"]
    assert calls(tracer.document()) == CHAIN
    outer, inner = (event for event in spans(tracer.document()) if event["cat"] != "init")
    inside = "interpreter" if configuration.engine == "interpreter" else "closures"
    # A string is 8 bytes and its text; the result of shrek is an array of two.
    assert outer["args"] == {"from": "Python", "engine": inside, "arg_bytes": 13, "result_bytes": 8 + 24 + 25}
    assert inner["args"] == {"from": "shrek", "engine": inside, "arg_bytes": 13, "result_bytes": 8 + 17}


def test_every_way_to_call(serve: Serve) -> None:
    with recorded() as tracer:
        service = serve(guests("donkey", "shrek"), trace=tracer)
        for timeout in (None, 60):
            service.call("shrek", "greeting", ["x"], timeout=timeout)
            service.call_json("shrek", "greeting", '["x"]', timeout=timeout)
            service.call_batch("shrek", "greeting", [["x"], {"name": "y"}], timeout=timeout)
    assert calls(tracer.document()) == CHAIN * 8
    assert {event["args"]["arg_bytes"] for event in spans(tracer.document()) if event["cat"] != "init"} == {9}


def test_what_is_refused_crosses_nothing(serve: Serve) -> None:
    with recorded() as tracer:
        service = serve(guests("donkey", "shrek"), trace=tracer)
        for bad in ([7], [], ["x", "y"]):
            with pytest.raises(ArgumentError):
                service.call("shrek", "greeting", bad)
        with pytest.raises(ArgumentError):
            service.call_json("shrek", "greeting", "[7]")
        service.close()
        with pytest.raises(StateError):
            service.modules.shrek.greeting("x")
    assert calls(tracer.document()) == []


def test_modules_without_imports_stay_fused() -> None:
    with recorded() as tracer, marine_gen.load(guests("donkey", "shrek"), trace=tracer) as service:
        service.modules.donkey.greeting("x")
    (event,) = (event for event in spans(tracer.document()) if event["cat"] == "call")
    assert event["args"]["engine"] == "fused"


def test_host_functions(serve: Serve) -> None:
    with recorded() as tracer:
        serve({"m": ASK}, host_functions=host(str.upper), trace=tracer).call("m", "ask", ["abc"])
    assert calls(tracer.document()) == [(0, "call", "m.ask"), (1, "host", "host.answer")]
    event = spans(tracer.document())[-1]
    assert {key: event["args"][key] for key in ("from", "arg_bytes", "result_bytes")} == {
        "from": "m",
        "arg_bytes": 11,
        "result_bytes": 11,
    }


def test_mounted_binaries(serve: Serve) -> None:
    signature = function("f", Vector(Prim.STRING), result=Named(RESULT.name))
    config = ServiceConfig(modules={"m": ModuleConfig(mounted_binaries={"program": "/bin/nowhere"})})
    with recorded() as tracer:
        wasm = calling(signature, declarations({0: RESULT}), "host", "program")
        serve({"m": wasm}, config=config, trace=tracer).call("m", "f", [["a", "bc"]])
    assert calls(tracer.document()) == [(0, "call", "m.f"), (1, "binary", "host.program")]
    assert spans(tracer.document())[-1]["args"]["arg_bytes"] == 8 + 9 + 10


def test_python_modules(serve: Serve) -> None:
    donkey = PythonModule(
        "donkey", {"greeting": HostFunction.of(lambda name: f"hi, {name}", [Prim.STRING], Prim.STRING)}
    )
    with recorded() as tracer:
        service = serve({"donkey": donkey, "shrek": guest("shrek")}, trace=tracer)
        service.modules.shrek.greeting("x")
        service.modules.donkey.greeting("x")
    assert calls(tracer.document()) == [*CHAIN, (0, "call", "donkey.greeting")]


def test_errors_are_flagged_at_every_boundary(serve: Serve) -> None:
    def fail(text: str) -> str:
        raise ValueError("not today " + "x" * 10_000)

    with recorded() as tracer:
        service = serve({"m": ASK}, host_functions=host(fail), trace=tracer)
        with pytest.raises(ValueError, match="not today"):
            service.call("m", "ask", ["abc"])
    assert calls(tracer.document()) == [(0, "call", "m.ask"), (1, "host", "host.answer")]
    for event in spans(tracer.document()):
        if event["cat"] != "init":
            assert event["args"]["error"].startswith("ValueError: not today")
            assert len(event["args"]["error"]) == 500
            assert "result_bytes" not in event["args"]


def test_an_error_without_a_text_is_not_hidden(serve: Serve) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def fail(text: str) -> str:
        raise MuteError

    with recorded() as tracer:
        service = serve({"m": ASK}, host_functions=host(fail), trace=tracer)
        with pytest.raises(MuteError):
            service.call("m", "ask", ["abc"])
    assert [event["args"].get("error") for event in spans(tracer.document()) if event["cat"] != "init"] == [
        "MuteError"
    ] * 2


@pytest.mark.parametrize("case", load_cases(GOLDEN / "runtime" / "calls.golden"), ids=str)
def test_errors_are_those_of_a_service_that_is_not_traced(serve: Serve, case: Case) -> None:
    names, *lines = case.input.splitlines()
    with recorded() as tracer:
        service = serve(modules(names), trace=tracer)
        found = []
        for line in lines:
            target, _, args = line.partition(" ")
            module, _, name = target.partition(".")
            found.append(f"{line}\n" + render(outcome(lambda: service.call(module, name, eval(args)))))  # noqa: B023
    assert "\n".join(found) == case.expected
    spans(tracer.document())


def test_only_what_happens_between_start_and_stop(serve: Serve) -> None:
    tracer = Tracer()
    service = serve(guests("donkey", "shrek"), trace=tracer)
    service.modules.shrek.greeting("x")
    tracer.start()
    service.modules.donkey.greeting("x")
    first = tracer.stop()
    service.modules.shrek.greeting("x")
    tracer.start()
    service.modules.shrek.greeting("x")
    assert calls(first) == [(0, "call", "donkey.greeting")]
    assert calls(tracer.stop()) == CHAIN


def test_stopped_in_the_middle(serve: Serve) -> None:
    found: list[dict[str, Any]] = []

    def stop(text: str) -> str:
        found.append(tracer.stop())
        return text

    with recorded() as tracer:
        serve({"m": ASK}, host_functions=host(stop), trace=tracer).call("m", "ask", ["abc"])
    assert calls(found[0]) == [(0, "call", "m.ask"), (1, "host", "host.answer")]
    assert [event["args"].get("unfinished") for event in spans(found[0]) if event["cat"] != "init"] == [True, True]


def test_started_in_the_middle(serve: Serve) -> None:
    tracer = Tracer()

    def start(text: str) -> str:
        tracer.start()
        return text

    serve({"m": ASK}, host_functions=host(start), trace=tracer).call("m", "ask", ["abc"])
    assert calls(tracer.stop()) == []


def test_start_and_stop_take_turns() -> None:
    tracer = Tracer()
    with pytest.raises(StateError, match="not recording"):
        tracer.stop()
    tracer.start()
    with pytest.raises(StateError, match="already"):
        tracer.start()


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "7"])
def test_limits_that_are_none(limit: Any) -> None:
    with pytest.raises(ArgumentError, match="limit of a trace"):
        Tracer(limit)


def test_a_trace_is_cut_at_its_limit(serve: Serve) -> None:
    tracer = Tracer(limit=3)
    service = serve(guests("donkey", "shrek"), trace=tracer)
    tracer.start()
    for _ in range(5):
        service.modules.shrek.greeting("x")
    document = tracer.stop()
    assert calls(document) == [*CHAIN, CHAIN[0]]
    note = "the trace was cut at its limit of 3 events; 7 are missing"
    assert document["otherData"] == {"limit": 3, "dropped": 7, "note": note}
    assert [event["name"] for event in document["traceEvents"] if event["ph"] == "i"] == [note]


def test_long_names_are_cut(serve: Serve) -> None:
    name = "x" * 10_000
    with recorded() as tracer:
        serve({name: guest("greeting")}, trace=tracer).call(name, "greeting", ["x"])
    assert max(len(event["name"]) for event in tracer.document()["traceEvents"]) == 200
    json.dumps(tracer.document())


def test_a_track_for_each_service(configuration: Configuration) -> None:
    options = {"engine": configuration.engine, "call_layer": configuration.call_layer}
    marine_gen.load(guests("greeting"), **options).close()  # compiles, so that the threads need not

    def work() -> None:
        with marine_gen.load(guests("greeting"), trace=tracer, **options) as service:
            for _ in range(20):
                service.modules.greeting.greeting("x")

    with recorded() as tracer:
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = spans(tracer.document())
    assert [sum(event["tid"] == number and event["cat"] == "call" for event in found) for number in (1, 2)] == [20, 20]


def test_another_thread_is_refused_and_leaves_no_mark(serve: Serve) -> None:
    with recorded() as tracer:
        service = serve(guests("greeting"), trace=tracer)
        caught: list[BaseException] = []

        def work() -> None:
            try:
                service.modules.greeting.greeting("x")
            except MarineError as error:
                caught.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert [type(error) for error in caught] == [StateError]
    assert calls(tracer.document()) == []


def test_the_file_is_written_when_the_call_fails(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    with pytest.raises(TrapError), tracing(path) as tracer:
        serve(modules("failing"), trace=tracer).modules.failing.failing()
    document = json.loads(path.read_text("utf-8"))
    assert calls(document) == [(0, "call", "failing.failing")]
    assert spans(document)[-1]["args"]["error"].startswith("TrapError: ")


@pytest.mark.parametrize("place", [".", "missing/out.json", "a\0b.json"])
def test_places_that_can_not_be_written_are_refused_beforehand(tmp_path: Path, place: str) -> None:
    reached = False
    with pytest.raises(LoadError, match=r"the trace `.*` can't be written: "), tracing(tmp_path / place):
        reached = True
    assert not reached


def test_a_place_that_goes_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(LoadError, match="can't be written"), tracing(folder / "out.json"):
        folder.rmdir()
    folder.mkdir()
    with pytest.raises(ZeroDivisionError), tracing(folder / "out.json"):  # which the lost trace does not hide
        folder.rmdir() or 1 / 0
    assert "the trace is lost" in caplog.text


RECORDS = {
    0: RecordType("Inner", (Field("text", Prim.STRING), Field("flag", Prim.BOOLEAN))),
    1: RecordType(
        "Outer", (Field("inner", Record(0)), Field("many", Array(Record(0))), Field("data", Prim.BYTE_ARRAY))
    ),
}
INNER = ("éa", True)


@pytest.mark.parametrize(
    ("ty", "value"),
    [
        *((prim, 1) for prim in Prim if prim not in (Prim.STRING, Prim.BYTE_ARRAY)),
        (Prim.STRING, ""),
        (Prim.STRING, "Grüße"),
        (Prim.BYTE_ARRAY, b"abc"),
        (Array(Prim.U8), b"abc"),
        (Array(Prim.U64), [1, 2, 3]),
        (Array(Prim.STRING), []),
        (Array(Array(Prim.STRING)), [["a"], [], ["bc", "d"]]),
        (Record(0), INNER),
        (Record(1), (INNER, [INNER, INNER], b"1234")),
    ],
    ids=str,
)
def test_sizes_are_what_the_codec_allocates(ty: IType, value: Any) -> None:
    """One array slot, and the blocks that lowering the value allocates."""
    memory = _Memory()
    Codec(memory, RECORDS, memory.allocate).lower_array(Array(ty), [[value]] if ty is not Prim.U8 else [bytes([value])])  # type: ignore[arg-type]
    assert memory_size(ty, RECORDS, value) == memory.used - layout_of(Array(ty)).size


class _Memory:
    """Counts what is allocated, and takes what is written."""

    used = 0
    meter = None  # nothing is lifted

    def allocate(self, length: int, tag: int) -> int:
        self.used += length
        return self.used + 1

    def write(self, ptr: int, data: bytes) -> None: ...

    def require(self, ptr: int, length: int) -> None: ...


def test_results_of_several_values() -> None:
    signature = FunctionType((), (Prim.STRING, Prim.U8))
    assert sum(memory_size(ty, {}, value) for ty, value in zip(signature.results, ("abc", 1), strict=True)) == 12


def test_an_untraced_service_is_what_it_was() -> None:
    """Nothing stands between a caller and the generated entry, or between two fused modules."""
    with marine_gen.load(guests("donkey", "shrek")) as service, recorded() as tracer:
        assert service.engine == "fused"
        entry = service.modules.shrek.greeting
        assert entry.__code__.co_filename.endswith("shrek_fused.py")
        assert service._linked["donkey"].bound.exports["greeting"].__code__.co_filename.endswith("donkey_fused.py")
        with marine_gen.load(guests("donkey", "shrek"), trace=tracer) as traced:
            assert not traced.modules.shrek.greeting.__code__.co_filename.endswith("shrek_fused.py")
