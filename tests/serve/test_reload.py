"""A service that is loaded again while requests arrive, and while its files come and go."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from marine_gen.serve.backend import Backend
from marine_gen.serve.reload import state, watched
from marine_gen.serve.runner import Options
from marine_gen.serve.settings import Settings
from marine_gen.wire.problems import ProblemError
from tests.serve.test_calls import problem
from tests.support.engines import guests
from tests.support.served import Served, patiently, served

GUESTS = guests("greeting", "donkey", "arguments_passing_effector")


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a module that changes."""
    return tmp_path_factory.mktemp("reload") / "m.wasm"


@pytest.fixture(scope="module")
def changing(module: Path) -> Iterator[Served]:
    """A server that watches it."""
    module.write_bytes(GUESTS["greeting"])
    with served(module, reload=True) as server:
        yield server


def swap(server: Served, module: Path, guest: str) -> None:
    """Let another guest take the place of the one that is served."""
    reloads = server.application.figures.reloads
    before = reloads.get("ok", 0)
    module.write_bytes(GUESTS[guest])
    patiently(lambda: reloads.get("ok", 0) > before)


def head(path: str, length: int) -> bytes:
    """The head of the only request of a connection."""
    fields = f"Host: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}"
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("after", "wanted"), [("donkey", b'"Donkey: hi, abc"'), ("arguments_passing_effector", b"no function `greeting`")]
)
def test_a_call_whose_body_comes_later_is_of_the_new_service(
    changing: Served, module: Path, after: str, wanted: bytes
) -> None:
    swap(changing, module, "greeting")
    host, port = changing.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as sock:
        sock.sendall(head("/m/greeting", 7) + b'["a')
        swap(changing, module, after)
        sock.sendall(b'bc"]')
        found = b""
        while part := sock.recv(65536):
            found += part
    assert wanted in found


def test_instances_keep_their_functions(changing: Served, module: Path) -> None:
    swap(changing, module, "greeting")
    with changing.client() as client:
        path = f"/instances/{client.post('/instances').json()['id']}"
        swap(changing, module, "arguments_passing_effector")
        assert client.post(f"{path}/m/greeting", json=["x"]).json() == "Hi, x"
        problem(client.post(f"{path}/m/u64_type", json=[1]), "not-found")
        path = f"/instances/{client.post('/instances').json()['id']}"
        assert client.post(f"{path}/m/u64_type", json=[1]).json() == 2


def test_arguments_of_another_version_are_refused(module: Path) -> None:
    async def main() -> None:
        backend = Backend(Settings(module))
        module.write_bytes(GUESTS["greeting"])
        await backend.load()
        function = backend.functions["m", "greeting"]
        await backend.load()
        assert backend.current(function) is function  # the interface is the same
        module.write_bytes(GUESTS["arguments_passing_effector"])
        await backend.load()
        with pytest.raises(ProblemError, match="once more") as caught:
            await backend.call(function, ["x"], Options(5))
        assert caught.value.kind.code == "busy"
        await backend.close()

    asyncio.run(main())


def test_a_built_directory_may_be_away_for_a_moment(tmp_path: Path) -> None:
    folder = tmp_path / "built"
    for _ in range(2):
        assert state(watched(folder, None)) == {folder: None}
        folder.mkdir()
        empty = state(watched(folder, None))
        (folder / "manifest.json").write_text("{}")
        assert state(watched(folder, None)).keys() == {folder, folder / "manifest.json"} != empty.keys()
        shutil.rmtree(folder)
