"""`marine-gen serve` as a process: start, workers, instances across workers, a killed worker, the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.pools import lab
from tests.support.served import TIME, patiently, serving

GREETING = GUESTS_FOLDER / "greeting.wasm"


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A module file and a host file for it."""
    folder = tmp_path_factory.mktemp("lab")
    module, host = folder / "lab.wasm", folder / "host.py"
    module.write_bytes(lab()["lab"])
    host.write_text("from tests.support.pools import host_functions as make\nhost_functions = make()\n")
    return module, host


def children(process: int) -> list[int]:
    """The processes that a process has started, but for helpers of multiprocessing."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    found = []
    for child in text.split():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def test_it_serves_and_ends() -> None:
    with serving(GREETING, "--log-format", "json") as server:
        with server.client() as client:
            assert client.post("/greeting/greeting", json=["x"]).json() == "Hi, x"
            assert client.get("/").status_code == 200
        assert server.terminate() == 0
    lines = [json.loads(line) for line in server.lines]
    assert any(line.get("path") == "/greeting/greeting" and line["status"] == 200 for line in lines)


def test_running_calls_end_and_new_ones_are_refused(laboratory: tuple[Path, Path]) -> None:
    module, host = laboratory
    environment = {"PYTHONPATH": os.getcwd()}
    with serving(module, "--host-file", str(host), environment=environment) as server:
        answers: list[httpx.Response] = []

        def nap() -> None:
            with server.client() as client:
                client.post("/lab/nap", json=[1])  # calls of a path that is known are made without a task
                answers.append(client.post("/lab/nap", json=[1500]))

        thread = threading.Thread(target=nap)
        thread.start()
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        with pytest.raises(httpx.TransportError), server.client() as client:
            client.get("/health")
        thread.join()
        assert answers[0].json() == 1500
        assert server.process.wait(20) == 0


def test_no_answer_is_lost_when_a_busy_server_ends() -> None:
    """Clients hear of every call that was made, whatever they were doing when the server got its signal."""
    answered, counting = [0], threading.Lock()

    def call_on(client: httpx.Client) -> None:
        with suppress(httpx.TransportError):  # the server is gone, or has closed an idle connection
            while True:
                assert client.post("/greeting/greeting", json=["x"]).json() == "Hi, x"
                with counting:
                    answered[0] += 1

    with serving(GREETING, "--log-format", "json") as server, ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(6)]
        threads = [threading.Thread(target=call_on, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        patiently(lambda: answered[0] > 50)
        assert server.terminate() == 0
        for thread in threads:
            thread.join()
    lines = [json.loads(line) for line in server.lines]
    assert sum(line.get("path") == "/greeting/greeting" and line["status"] == 200 for line in lines) == answered[0]


@pytest.mark.slow
@pytest.mark.parametrize(("drain", "signals"), [("1", [signal.SIGTERM]), ("60", [signal.SIGINT, signal.SIGINT])])
def test_calls_that_do_not_end_are_broken_off(
    laboratory: tuple[Path, Path], drain: str, signals: list[signal.Signals]
) -> None:
    module, host = laboratory
    environment = {"PYTHONPATH": os.getcwd()}
    with serving(module, "--host-file", str(host), "--drain", drain, environment=environment) as server:
        answers: list[Any] = []

        def nap() -> None:
            with server.client() as client:
                client.post("/lab/nap", json=[1])
                with suppress(httpx.TransportError):  # who says it twice does not wait for answers
                    answers.append(client.post("/lab/nap", json=[8000]))

        thread = threading.Thread(target=nap)
        thread.start()
        with server.client() as other:
            patiently(lambda: other.get("/figures").json()["running"] == 1)
        for number in signals:
            server.process.send_signal(number)
            time.sleep(0.3)
        thread.join()
        assert [answer.json()["code"] for answer in answers] == ["closing"] or len(signals) > 1
        assert server.process.wait(20) == 0
    assert not [line for line in server.lines if "Traceback" in line]


@pytest.mark.slow
def test_workers_share_instances_and_figures(laboratory: tuple[Path, Path]) -> None:
    module, host = laboratory
    environment = {"PYTHONPATH": os.getcwd()}
    with serving(module, "--workers", "2", "--host-file", str(host), environment=environment) as server:
        patiently(lambda: fresh(server.url, "/figures")["processes"] == 2)
        made = [post(server.url, "/instances")["id"] for _ in range(8)]
        for turn in range(1, 4):
            for identifier in made:
                assert post(server.url, f"/instances/{identifier}/lab/count", [0]) == turn
        assert {item["id"] for item in fresh(server.url, "/instances")["instances"]} == set(made)
        assert fresh(server.url, "/figures")["instances"] == 8
        found = [fresh(server.url, "/figures")["functions"] for _ in range(4)]
        assert {item["codes"]["ok"] for functions in found for item in functions} == {24}
        for identifier in made:
            assert httpx.delete(f"{server.url}/instances/{identifier}").status_code == 200
            assert httpx.get(f"{server.url}/instances/{identifier}").status_code == 404


@pytest.mark.slow
def test_a_killed_worker_is_replaced() -> None:
    with serving(GREETING, "--workers", "2") as server:
        patiently(lambda: fresh(server.url, "/figures")["processes"] == 2)
        made = [post(server.url, "/instances")["id"] for _ in range(16)]  # spread over both by the system
        victim = children(server.process.pid)[0]
        os.kill(victim, signal.SIGKILL)
        patiently(lambda: victim not in children(server.process.pid) and len(children(server.process.pid)) == 2)

        def answers() -> bool:
            try:
                return bool(fresh(server.url, "/figures")["processes"] == 2)
            except httpx.TransportError:
                return False

        patiently(answers)
        for _ in range(20):
            assert post(server.url, "/greeting/greeting", ["x"]) == "Hi, x"
        statuses = {httpx.get(f"{server.url}/instances/{identifier}").status_code for identifier in made}
        assert statuses == {200, 404}
        assert server.terminate() == 0


@pytest.mark.slow
def test_workers_end_with_their_supervisor() -> None:
    with serving(GREETING, "--workers", "2") as server:
        workers = children(server.process.pid)
        assert len(workers) == 2
        server.process.kill()
        server.process.wait(30)
        patiently(lambda: not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers), 2 * TIME)


def usage(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A server that does not come to serve."""
    command = [sys.executable, "-m", "marine_gen", "serve", *arguments, "--port", "0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_wrong_usage_is_told() -> None:
    exposed = usage(str(GREETING), "--host", "0.0.0.0")
    assert exposed.returncode == 1
    assert "--no-auth" in exposed.stderr
    missing = usage("nothing.wasm")
    assert missing.returncode == 1
    assert "Traceback" not in missing.stderr
    assert "nothing.wasm" in missing.stderr


@pytest.mark.slow
def test_a_module_that_can_not_be_loaded_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wasm"
    broken.write_bytes(b"\0asm\2\0\0\0")
    unfit = usage(str(broken))
    assert unfit.returncode == 1
    assert unfit.stderr.splitlines()[-2:] == [
        "error[MG101]: version 2 of the WebAssembly binary format is not supported",
        "  --> broken: byte 0",
    ]
    documents = usage(str(broken), "--log-format", "json", "--host", "[::1]")
    assert documents.returncode == 1
    last = [json.loads(line) for line in documents.stderr.splitlines()][-1]
    assert (last["level"], last["message"][:12]) == ("error", "error[MG101]")


def test_a_token_that_is_too_short_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from marine_gen.cli import cli

    monkeypatch.setenv("MARINE_GEN_TOKEN", "short")
    done = CliRunner().invoke(cli, ["serve", str(GREETING)])
    assert done.exit_code == 1
    assert "16 printable" in done.output + str(done.exception)


@pytest.mark.slow
def test_a_token_opens_it_to_other_machines(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef-token\n")
    with serving(GREETING, "--host", "0.0.0.0", "--token-file", str(token)) as server, server.client() as client:
        assert client.post("/greeting/greeting", json=["x"]).status_code == 401
        right = {"Authorization": "Bearer 0123456789abcdef-token"}
        assert client.post("/greeting/greeting", json=["x"], headers=right).json() == "Hi, x"


def fresh(url: str, path: str) -> Any:
    """A document, over a connection of its own, so that any worker may answer."""
    return httpx.get(f"{url}{path}", timeout=20).json()


def post(url: str, path: str, arguments: Any = None) -> Any:
    """A call, over a connection of its own."""
    response = httpx.post(f"{url}{path}", timeout=20, **({} if arguments is None else {"json": arguments}))
    assert response.is_success, response.text
    return response.json()
