"""`connect(url)`: the functions, record classes and errors of a local service, over HTTP; sync and async."""

from __future__ import annotations

import asyncio
import importlib
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import marine_gen
from marine_gen.client import AsyncRemoteService, RemoteError, RemoteService, connect
from marine_gen.client.failures import error_of
from marine_runtime import (
    ArgumentError,
    CallParameters,
    CallTimeoutError,
    LoadError,
    ParticleParameters,
    Service,
    StateError,
    TrapError,
)
from tests.guests.descriptions import ROOT
from tests.support.engines import guests
from tests.support.packages import mypy
from tests.support.pools import host_functions
from tests.support.served import Served, served, service


@pytest.fixture
def remote(shared: Served) -> Iterator[RemoteService]:
    """A client of the shared server."""
    with connect(shared.url) as found:
        yield found


@pytest.fixture
def local() -> Iterator[Service]:
    """The same service, here."""
    with marine_gen.load(service(), host_functions=host_functions()) as found:
        yield found


def failure(function: Any, *args: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function(*args)
    return caught.value


def test_results_are_those_of_a_local_service(remote: RemoteService, local: Service) -> None:
    assert str(remote.interface) == str(local.interface)
    for module, function, args in (
        ("greeting", "greeting", ["Jörg\n\0🐢"]),
        ("greeting_record", "void_fn", []),
        ("bench_effector", "echo_bytes", [bytes(range(256)) * 100]),
        ("arguments_passing_effector", "u64_type", [2**64 - 9]),
        ("arguments_passing_effector", "i64_type", [-(2**63)]),
        ("arguments_passing_effector", "f32_type", [0.1]),
        ("arguments_passing_effector", "f64_type", [1e300]),
        ("arguments_passing_effector", "all_types", [1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, "x", b"yz"]),
    ):
        wanted = local.call(module, function, args)
        assert remote.call(module, function, args) == wanted
        assert remote.modules[module][function](*args) == wanted
        assert type(remote.modules[module][function](*args)) is type(wanted)
    record = remote.modules.records_pure.invoke()
    assert type(record) is remote.records["records_pure"]["TestRecord"]
    assert record.field_11 == local.modules.records_pure.invoke().field_11
    given = remote.records["records_effector"]["TestRecord"](True, 1, 2, 3, 4, 5, 6, 7, 8, 9.0, 10.0, "x", b"y")
    assert remote.modules.records_effector.mutate_struct(test_record=given).field_0 in (True, False)


def test_failures_are_those_of_a_local_service(remote: RemoteService, local: Service) -> None:
    for module, function, args in (
        ("greeting", "greeting", [7]),
        ("lab", "trap", [1]),
        ("third", "f", [1]),
        ("first", "f", [1]),
    ):
        ours = failure(local.modules[module][function], *args)
        theirs = failure(remote.modules[module][function], *args)
        assert type(theirs) is type(ours)
        assert str(theirs) == str(ours)
        assert getattr(theirs, "site", None) == getattr(ours, "site", None)
    assert isinstance(failure(remote.call, "nothing", "nothing"), ArgumentError)
    assert isinstance(failure(lambda: remote.call("endless", "spin", timeout=0.2)), CallTimeoutError)
    found = failure(remote.modules.lab.blow, 0)
    assert isinstance(found, RemoteError)
    assert (found.code, found.status) == ("host-function", 500)


def test_batches_and_parameters(remote: RemoteService) -> None:
    found = remote.call_batch("greeting", "greeting", [["A"], [7], {"name": "B"}] * 400)
    assert [found[0], found[2], len(found)] == ["Hi, A", "Hi, B", 1200]
    assert isinstance(found[1], ArgumentError)
    assert isinstance(remote.call_batch("lab", "trap", [[1]])[0], TrapError)
    parameters = CallParameters(ParticleParameters(id="7", signature=b"\1\2"), service_id="s")
    seen = remote.call("call_parameters", "call_parameters", call_parameters=parameters)
    assert (seen.particle.id, seen.particle.signature, seen.service_id) == ("7", b"\1\2", "s")


def test_instances_keep_their_state(remote: RemoteService) -> None:
    with remote.instance() as one, remote.instance() as two:
        assert [one.modules.lab.count(0) for _ in range(3)] == [1, 2, 3]
        assert two.modules.lab.count(0) == 1
    assert isinstance(failure(one.modules.lab.count, 0), ArgumentError)


def test_a_batch_of_an_instance_is_one_of_it(remote: RemoteService) -> None:
    with remote.instance() as own:
        found = own.call_batch("lab", "count", [[0], ["x"], {"p0": 0}])
        assert (found[0], found[2]) == (1, 2)
        assert isinstance(found[1], ArgumentError)
        assert own.modules.lab.count(0) == 3
        assert isinstance(own.call_batch("lab", "blow", [[1]])[0], RemoteError)


def test_batches_of_large_rows_are_cut() -> None:
    limits = {"body": 40_000}
    with served(guests("bench_effector"), limits=limits) as server, connect(server.url) as remote:
        rows = [[str(number) * (50_000 if number == 7 else 9_000)] for number in range(10)]
        found = remote.call_batch("bench_effector", "echo", rows)
        assert [item for number, item in enumerate(found) if number != 7] == [
            row[0] for row in rows if row[0][0] != "7"
        ]
        assert isinstance(found[7], RemoteError)
        assert found[7].code == "body-size"


def test_a_closed_service_says_so() -> None:
    with served(guests("greeting")) as server:
        remote = connect(server.url)
        with remote.instance():
            remote.close()
        assert isinstance(failure(remote.modules.greeting.greeting, "x"), StateError)


def test_event_loops_have_connections_of_their_own(remote: RemoteService) -> None:
    async def call(service: RemoteService, module: str, function: str, argument: Any) -> Any:
        try:
            return await service.call_async(module, function, [argument])
        finally:
            await service._async[asyncio.get_running_loop()].aclose()

    for text in ("a", "b"):
        assert asyncio.run(call(remote, "greeting", "greeting", text)) == f"Hi, {text}"
    with remote.instance() as own:
        assert asyncio.run(call(own, "lab", "count", 0)) == 1


def test_asyncio(shared: Served) -> None:
    async def main() -> None:
        async with RemoteService(shared.url) as remote:
            function = remote.modules.greeting.greeting
            found = await asyncio.gather(*(remote.run_async(function, str(number)) for number in range(20)))
            assert found == [f"Hi, {number}" for number in range(20)]
            assert await remote.call_async("greeting", "greeting", {"name": "x"}) == "Hi, x"
            with pytest.raises(TrapError):
                await remote.run_async(remote.modules.lab.trap, 1)
            with pytest.raises(ArgumentError, match="run_async"):
                await remote.run_async(len, "x")
        async with AsyncRemoteService(shared.url) as other:
            assert await other.modules.greeting.greeting("y") == "Hi, y"
            assert await other.call("greeting", "greeting", ["z"]) == "Hi, z"

    asyncio.run(main())


def test_servers_that_are_none() -> None:
    found = failure(connect, "http://127.0.0.1:9")
    assert isinstance(found, RemoteError)
    assert "does not answer" in str(found)


def test_tokens() -> None:
    from marine_gen.serve import Access

    with served(guests("greeting"), access=Access("0123456789abcdef-token")) as server:
        assert failure(connect, server.url).code == "token"  # type: ignore[attr-defined]
        with connect(server.url, token="0123456789abcdef-token") as remote:
            assert remote.modules.greeting.greeting("x") == "Hi, x"


def test_a_float_that_is_no_number_comes_as_one(remote: RemoteService) -> None:
    function = remote._functions["arguments_passing_effector", "f64_type"]
    assert math.isnan(function.public(None))


def test_answers_that_are_no_problems() -> None:
    assert isinstance(error_of([], 500), RemoteError)
    assert isinstance(error_of({"code": "token", "detail": "x"}, 401), RemoteError)


PROGRAM = """
import asyncio, sys
from swamp.client import SwampServiceClient, connect
from swamp import GreetingRecord

with connect(sys.argv[1]) as service:
    record: GreetingRecord = service.modules.greeting_record.greeting_record()
    assert type(record) is GreetingRecord, record
    assert service.modules.greeting.greeting("x") == "Hi, x"

async def main() -> str:
    async with connect(sys.argv[1]) as service:
        return await service.run_async(service.modules.greeting.greeting, "y")

assert asyncio.run(main()) == "Hi, y"
print("fine")
"""


@pytest.mark.slow
def test_a_typed_package_connects(tmp_path: Path) -> None:
    modules = guests("greeting", "greeting_record")
    config = tmp_path / "swamp.toml"
    lines = [f'[[module]]\nname = "{name}"\n' for name in modules]
    for name, binary in modules.items():
        (tmp_path / f"{name}.wasm").write_bytes(binary)
    config.write_text(f'modules_dir = "{tmp_path}"\ntotal_memory_limit = "Infinity"\n' + "\n".join(lines))
    marine_gen.build(config, tmp_path / "swamp")
    (tmp_path / "program.py").write_text(PROGRAM)
    with served(tmp_path / "swamp", options={"host_functions": None}) as server:
        command = [sys.executable, "program.py", server.url]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr) == ("fine\n", "")
    code, text = mypy(tmp_path, "program.py", paths=[ROOT])
    assert code == 0, text
    with served(guests("greeting")) as other:
        sys.path.insert(0, str(tmp_path))
        try:
            package = importlib.import_module("swamp.client")
            assert isinstance(failure(package.connect, other.url), LoadError)
        finally:
            sys.path.remove(str(tmp_path))
            for name in [name for name in sys.modules if name.split(".")[0] == "swamp"]:
                del sys.modules[name]
