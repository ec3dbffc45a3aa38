"""The files of `examples/serve`: checked by the tools that read them, and run as far as this machine can."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.guests.descriptions import GUESTS_FOLDER, ROOT
from tests.support.available import unavailable
from tests.support.served import serving

FOLDER = ROOT / "examples" / "serve"
TOKEN = "0123456789abcdef-token"


def tool(name: str) -> str:
    """The path of a program; where CI runs it has to be there."""
    path = shutil.which(name)
    if path is None:
        unavailable(f"there is no {name}")
    return path


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portable build, and a token."""
    folder = tmp_path_factory.mktemp("portable")
    command = [sys.executable, "-m", "marine_gen", "build", str(GUESTS_FOLDER / "greeting.wasm"), "--portable"]
    subprocess.run([*command, "-o", str(folder / "service")], check=True, capture_output=True, timeout=60)
    (folder / "token").write_text(TOKEN)
    return folder


def arguments(line: str) -> list[str]:
    """The options of a command of the examples, but for addresses and files."""
    return [item for item in re.findall(r"--log-format json|--workers \d", line) for item in item.split()]


@pytest.mark.slow
def test_the_unit_is_one_and_its_command_runs(portable: Path, tmp_path: Path) -> None:
    program = tool("systemd-analyze")
    text = (FOLDER / "marine-greeting.service").read_text("utf-8")
    start = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    unit = tmp_path / "marine-greeting.service"
    unit.write_text(text.replace("/usr/local/bin/marine-gen", str(Path(sys.executable).with_name("marine-gen"))))
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    options = [*arguments(start), "--host", "0.0.0.0", "--token-file", str(portable / "token")]
    assert "--workers" in options
    with serving(portable / "service", *options) as server, server.client() as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert client.post("/greeting/greeting", json=["x"], headers=headers).json() == "Hi, x"


@pytest.mark.slow
def test_the_image_starts_what_the_tests_start() -> None:
    text = (FOLDER / "Dockerfile").read_text("utf-8")
    help_text = subprocess.run(
        [sys.executable, "-m", "marine_gen", "serve", "--help"], capture_output=True, text=True, timeout=60
    ).stdout
    options = {
        *re.findall(r'"(--[a-z-]+)"', text),
        *re.findall(r" (--[a-z-]+)", _line(FOLDER / "marine-greeting.service")),
    }
    assert options >= {"--host", "--token-file", "--workers"}
    assert all(option in help_text for option in options)
    compose = (FOLDER / "compose.yaml").read_text("utf-8")
    for name in ("prometheus.yml", "alerts.yml"):
        assert f"./{name}" in compose


def _line(path: Path) -> str:
    return next(line for line in path.read_text("utf-8").splitlines() if line.startswith("ExecStart="))


@contextmanager
def prometheus(config: Path, folder: Path) -> Iterator[str]:
    """Prometheus with a configuration; its URL."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [tool("prometheus"), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen([*command, f"--storage.tsdb.path={folder / 'data'}"], stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_prometheus_scrapes_a_server(portable: Path, tmp_path: Path) -> None:
    check = tool("promtool")
    token = portable / "token"
    with serving(portable / "service", "--token-file", str(token)) as server, server.client() as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for _ in range(3):
            client.post("/greeting/greeting", json=["x"], headers=headers)
        text = (FOLDER / "prometheus.yml").read_text("utf-8")
        text = text.replace("/run/secrets/marine_token", str(token)).replace("5s", "1s")
        config = tmp_path / "prometheus.yml"
        config.write_text(text.replace("marine:8080", server.url.removeprefix("http://")))
        shutil.copy(FOLDER / "alerts.yml", tmp_path)
        done = subprocess.run([check, "check", "config", str(config)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        exposition = client.get("/metrics", headers=headers).text
        done = subprocess.run([check, "check", "metrics"], input=exposition, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        with prometheus(config, tmp_path) as url:
            limit = time.monotonic() + 60
            found: list[str] = []
            while not found and time.monotonic() < limit:
                time.sleep(0.3)
                try:
                    answer = httpx.get(f"{url}/api/v1/query", params={"query": "marine_calls_total"}, timeout=5)
                    found = [item["value"][1] for item in answer.json()["data"]["result"]]
                except (httpx.TransportError, ValueError, KeyError):
                    continue
            assert found == ["3"]
