"""Fuel: calls have as much as they were given, and a service without any pays nothing for it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import marine_gen
import marine_runtime
from marine_runtime import (
    ArgumentError,
    CallError,
    FuelLimitError,
    MemoryLimitError,
    Service,
    ServiceConfig,
    ServiceState,
    TrapError,
)
from marine_runtime.pool import ServicePool
from tests.support.engines import Configuration, guests
from tests.support.greedy import PAGE, endless_helper, greedy

Serve = Callable[..., Service]
PLENTY = 10_000_000


def forwarding() -> dict[str, bytes]:
    return {"first": greedy(), "second": greedy(import_from="first")}


def _out_of_fuel(call: Callable[[], Any]) -> FuelLimitError:
    with pytest.raises(FuelLimitError) as caught:
        call()
    return caught.value


def test_a_guest_that_loops(serve: Serve) -> None:
    service = serve(forwarding(), fuel=5000)
    for module in ("first", "second"):
        error = _out_of_fuel(lambda: service.call(module, "loop"))  # noqa: B023
        assert error.limit == 5000
        assert error.reason.endswith("ran out of its 5000 units of fuel")
        assert error.site is not None
        assert (error.site.module, error.site.function) == (module, "loop")
        assert not isinstance(error, (TrapError, MemoryLimitError))
    assert service.state is ServiceState.FAILED
    assert service.modules.second.plain("still here") == "still here"


def test_every_way_of_calling_has_fuel(serve: Serve) -> None:
    service = serve({"m": greedy()}, fuel=5000)
    _out_of_fuel(lambda: service.modules.m.loop())
    _out_of_fuel(lambda: service.call("m", "loop"))
    _out_of_fuel(lambda: service.call_json("m", "loop", "[]"))
    assert _out_of_fuel(lambda: service.call("m", "loop", fuel=7000)).limit == 7000
    assert _out_of_fuel(lambda: service.call_json("m", "loop", "[]", fuel=1)).limit == 1
    assert [item.limit for item in service.call_batch("m", "loop", [[]] * 3, fuel=9000)] == [9000] * 3
    assert _out_of_fuel(lambda: service.call("m", "loop", fuel=3000, timeout=60)).limit == 3000


def test_a_single_unit_is_written_so(serve: Serve) -> None:
    service = serve({"m": greedy()}, fuel=PLENTY)
    error = _out_of_fuel(lambda: service.call("m", "loop", fuel=1))
    assert error.reason.endswith("ran out of its 1 unit of fuel")


@pytest.mark.parametrize("helper", ["allocate", "get_result_ptr", "release_objects"])
def test_an_abi_helper_that_loops(serve: Serve, helper: str) -> None:
    service = serve({"m": endless_helper(helper)}, fuel=5000)
    assert _out_of_fuel(lambda: service.modules.m.plain("x")).limit == 5000


def test_what_a_call_used_is_enough_for_it(serve: Serve) -> None:
    """To the last unit. With less it fails, though not with one unit less: guests look at every loop and function."""
    service = serve(forwarding(), fuel=PLENTY)
    service.call("second", "plain", ["x"])
    before = service.statistics().fuel_used
    service.call("second", "plain", ["x"])
    found = service.statistics()
    assert before is not None
    assert found.fuel_used is not None
    needed = found.fuel_used - before
    assert 0 < needed < PLENTY
    assert found.fuel_left == PLENTY - needed
    assert service.call("second", "plain", ["x"], fuel=needed) == "x"
    assert service.statistics().fuel_left == 0
    assert _out_of_fuel(lambda: service.call("second", "plain", ["x"], fuel=needed // 2)).limit == needed // 2
    assert service.statistics().fuel_left == 0
    assert service.call("second", "plain", ["x"], fuel=needed) == "x"


def test_a_batch_has_one_budget(serve: Serve) -> None:
    service = serve({"m": greedy()}, fuel=PLENTY)
    before = service.statistics().fuel_used
    assert service.call_batch("m", "plain", [["x"]] * 8) == ["x"] * 8
    after = service.statistics().fuel_used
    assert before is not None
    assert after is not None
    found = service.call_batch("m", "plain", [["x"]] * 8, fuel=(after - before) // 2)
    kinds = [type(item) for item in found]
    assert kinds[0] is str
    assert kinds[-1] is FuelLimitError
    assert kinds == sorted(kinds, key=lambda kind: kind is FuelLimitError)  # once it is gone, it is gone


def test_loading_has_the_same_budget(serve: Serve) -> None:
    with pytest.raises(FuelLimitError, match="initialiser `_initialize`: ran out of its 9000 units"):
        serve({"m": greedy(start="(loop $l (br $l))")}, fuel=9000)


def test_memory_is_not_blamed_for_fuel(serve: Serve) -> None:
    start = "(drop (memory.grow (i32.const 99))) (loop $l (br $l))"
    config = ServiceConfig(total_memory_limit=2 * PAGE)
    with pytest.raises(FuelLimitError):
        serve({"m": greedy(start=start)}, config=config, fuel=9000)


def test_statistics_count_fuel(serve: Serve) -> None:
    service = serve({"m": greedy()}, fuel=PLENTY, collect_statistics=True)
    service.call("m", "plain", ["x"])
    _out_of_fuel(lambda: service.call("m", "loop", fuel=123))
    found = service.statistics()
    assert found.functions["m", "loop"].fuel == 123
    assert 0 < found.functions["m", "plain"].fuel < PLENTY
    assert found.fuel_used is not None
    assert found.fuel_used >= 123 + found.functions["m", "plain"].fuel
    assert f"\nFuel - {found.fuel_used} used, 0 left by the last call\n" in str(found)
    assert str(found).endswith(" s, 123 fuel\n")


def test_a_service_without_fuel(serve: Serve) -> None:
    service = serve({"m": greedy()})
    with pytest.raises(ArgumentError, match="the service was loaded without fuel"):
        service.call("m", "plain", ["x"], fuel=1000)
    assert service.state is ServiceState.READY
    found = service.statistics()
    assert (found.fuel_used, found.fuel_left) == (None, None)
    assert "uel" not in str(found)
    assert service.modules.m.plain("x") == "x"


@pytest.mark.host_side
@pytest.mark.parametrize("fuel", [0, -1, 1.5, 2**64, True, "1", float("inf")])
def test_odd_amounts(serve: Serve, fuel: Any) -> None:
    service = serve({"m": greedy()}, fuel=2**64 - 1)
    with pytest.raises(ArgumentError, match=r"fuel must be a positive integer below 2\^64"):
        service.call("m", "plain", ["x"], fuel=fuel)
    with pytest.raises(ArgumentError, match=r"fuel must be a positive integer below 2\^64"):
        serve({"m": greedy()}, fuel=fuel)
    assert service.call("m", "plain", ["x"]) == "x"


def test_code_that_counts_fuel_is_kept_apart(
    configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With and without fuel, in turns, from one cache: everything is found there, and nothing is mixed up."""
    monkeypatch.setenv("MARINE_GEN_CACHE", str(tmp_path))
    caplog.set_level("INFO", "marine_runtime")
    for fuel in (None, 5000, None, 5000):
        options = {"engine": configuration.engine, "call_layer": configuration.call_layer, "fuel": fuel}
        with marine_gen.load(guests("greeting"), **options) as service:
            assert service.modules.greeting.greeting("x") == "Hi, x"
            assert (service.statistics().fuel_used is None) == (fuel is None)
    assert len(list(tmp_path.iterdir())) == 2
    assert caplog.messages == []


@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_built_directories_run_on_fuel(tmp_path: Path, engine: str) -> None:
    marine_gen.build(guests("greeting"), tmp_path / "built", engine=engine)
    with marine_runtime.load(tmp_path / "built", fuel=5000) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
        _out_of_fuel(lambda: service.call("greeting", "greeting", ["x"], fuel=3))


def test_the_error_can_be_sent() -> None:
    error = FuelLimitError("broken off", limit=7)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.limit, str(copy)) == (FuelLimitError, 7, "broken off")
    assert isinstance(copy, CallError)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_pools_run_on_fuel(tmp_path: Path, kind: Any) -> None:
    marine_gen.build({"m": greedy()}, tmp_path / "built")
    with ServicePool(tmp_path / "built", workers=1, kind=kind, options={"fuel": 5000}) as pool:
        assert _out_of_fuel(lambda: pool.call("m", "loop")).limit == 5000
        assert pool.call("m", "plain", ["x"]) == "x"
        assert pool.statistics.replaced == 1
