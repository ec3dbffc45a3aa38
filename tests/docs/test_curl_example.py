"""The example's host function reads what it may and nothing else, and the demo runs from start to end."""

from __future__ import annotations

import http.server
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import marine_gen
from marine_gen.artifact import ENGINES
from tests.guests.descriptions import EXAMPLE_FOLDER, ROOT

HOST = runpy.run_path(str(EXAMPLE_FOLDER / "host.py"))
curl: Callable[[list[str]], tuple[int, str, bytes, bytes]] = HOST["curl"]
LIMIT: int = HOST["MAX_PAGE"]


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers by path: `/page?…`, `/away` (elsewhere), `/long`, and 404."""

    def do_GET(self) -> None:
        status, body = {
            "/away": (302, b""),
            "/long": (200, bytes(LIMIT + 1)),
            "/page?a=1": (200, b"the page"),
        }.get(self.path, (404, b"no"))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://192.0.2.1/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as pages:
        thread = threading.Thread(target=pages.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{pages.server_port}"
        pages.shutdown()
        thread.join()


def test_files_and_pages_of_this_machine_are_read(server: str, tmp_path: Path) -> None:
    page = tmp_path / "a page ü"
    page.write_bytes(b"\xff from a file")
    assert curl(["-sS", page.as_uri()]) == (0, "", b"\xff from a file", b"")
    assert curl(["-sS", "-L", f"{server}/page?a=1"]) == (0, "", b"the page", b"")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://192.0.2.1/",
            "http://127.0.0.1.example.org/",
            "http://127.0.0.1@192.0.2.1/",
            "http:///page",
            "ftp://127.0.0.1/",
        ),
        *("https://127.0.0.1/", "file://192.0.2.1/etc/hosts", "/etc/hosts", "", "http://[::1", "gopher:"),
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    code, error, stdout, stderr = curl([url])
    assert (code, error, stdout) == (1, f"can't read {url!r}", b"")
    assert stderr


@pytest.mark.parametrize(
    ("path", "reason"), [("/away", "302 Found"), ("/long", f"longer than {LIMIT} bytes"), ("/none", "404 Not Found")]
)
def test_redirects_long_pages_and_failures_are_errors(server: str, path: str, reason: str) -> None:
    code, _, _, stderr = curl([server + path])
    assert code == 1
    assert reason in stderr.decode()


def test_missing_file_and_missing_argument_are_errors(tmp_path: Path) -> None:
    assert curl([(tmp_path / "none").as_uri()])[0] == 1
    assert curl([])[0] == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_service_downloads_and_keeps(engine: str, server: str) -> None:
    with marine_gen.load(
        EXAMPLE_FOLDER / "Config.toml", engine=engine, host_functions=HOST["host_functions"]
    ) as service:
        assert service.modules.facade.get_n_save(f"{server}/page?a=1", "page") == "Ok"
        assert service.modules.local_storage.get("page") == b"the page"
        assert service.modules.facade.get_n_save(f"{server}/none", "none") == "Ok"
        assert service.modules.local_storage.get("none").startswith(b"error: can't read")
        assert service.modules.local_storage.get("page") == b"the page"


def test_demo_runs_on_every_engine() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE_FOLDER / "demo.py"), "--quick"],
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for engine in ENGINES:
        assert sum(line.startswith(f"│ {engine}") for line in done.stdout.splitlines()) >= 3
    assert (ROOT / "build" / "curl_service" / "manifest.json").is_file()
