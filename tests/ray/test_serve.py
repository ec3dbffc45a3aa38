"""`marine-gen serve --ray`: calls, instances that keep their state, what is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ray.clusters import RAY, Nodes
from tests.support.paths import ROOT
from tests.support.pools import lab as modules

if RAY:
    from tests.support.served import serving


@pytest.fixture(scope="module")
def server(cluster: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server whose two copies are actors; the service is built for them."""
    folder = tmp_path_factory.mktemp("served")
    module, host = folder / "lab.wasm", folder / "host.py"
    module.write_bytes(modules()["lab"])
    host.write_text("from tests.support.pools import host_functions as make\nhost_functions = make()\n")
    environment = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'runtime'}"}
    address = cluster.cluster.address
    given = ("--ray", address, "--threads", "2", "--host-file", str(host), "--timeout", "20")
    with serving(module, *given, environment=environment) as made:
        yield made
        assert made.terminate() == 0


def test_calls_run_on_the_cluster(server: Any) -> None:
    with server.client() as client:
        assert client.post("/lab/echo", json=[7]).json() == 7
        assert client.post("/lab/trap", json=[7]).json()["code"] == "trap"
        assert [client.post("/lab/echo", json=[number]).json() for number in range(20)] == list(range(20))
        assert "marine_calls" in client.get("/metrics").text


def test_instances_keep_their_state(server: Any) -> None:
    with server.client() as client:
        first, second = (client.post("/instances").json()["id"] for _ in range(2))
        counts = [client.post(f"/instances/{name}/lab/count", json=[0]).json() for name in (first, first, second)]
        assert counts == [1, 2, 1]
        assert client.delete(f"/instances/{first}").status_code == 200
        assert client.post(f"/instances/{first}/lab/count", json=[0]).status_code in (404, 410)
        died = client.post(f"/instances/{second}/lab/die", json=[0])
        assert died.status_code >= 500
        assert client.post(f"/instances/{second}/lab/count", json=[0]).status_code >= 500, "not a fresh guest"


@pytest.mark.parametrize(
    ("address", "text"),
    [("ray://127.0.0.1:10001", "is an address of Ray's client"), ("127.0.0.1:1", "there is no Ray cluster at")],
)
def test_an_address_that_cannot_be_used_is_told(tmp_path: Path, address: str, text: str) -> None:
    module = tmp_path / "lab.wasm"
    module.write_bytes(modules()["lab"])
    command = [sys.executable, "-m", "marine_gen", "serve", str(module), "--ray", address, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            output, _ = process.communicate(timeout=100)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            output, _ = process.communicate()
        assert process.returncode not in (0, None, -signal.SIGKILL), output
    assert text in " ".join(output.split())
    assert "Traceback" not in output
