"""The curl service with both kinds of `curl`, its files, its logs and its budget; and the demo from start to end."""

from __future__ import annotations

import http.server
import logging
import os
import runpy
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import marine_gen
from marine_gen.artifact import ENGINES
from marine_runtime import MountedBinary, Service, ServiceHost, read_config
from marine_runtime.host.mounted_binary import NOT_STARTED
from tests.guests.descriptions import EXAMPLE_FOLDER
from tests.support.engines import Configuration
from tests.support.markdown import blocks, output_pattern
from tests.support.paths import ROOT

pytestmark = [pytest.mark.host_side, pytest.mark.costly]

CONFIG = EXAMPLE_FOLDER / "Config.toml"
HOST = runpy.run_path(str(EXAMPLE_FOLDER / "host.py"))
curl: Callable[[list[str]], Any] = HOST["curl"]
LIMIT: int = HOST["MAX_PAGE"]
PYTHON: ServiceHost = HOST["host"]
CURL = "/usr/bin/curl"

FAKE = """#!{python} -IS
# Stands for the program: the options that the module passes, and files and pages of this machine.
import sys, urllib.request

def fail(code, text):
    sys.exit(sys.stderr.write(f"fake: {{text}}\\n") and code)

*options, end, url = sys.argv[1:]
if end != "--" or options[0] != "--disable" or "--fail" not in options:
    fail(2, f"options {{options}} {{end}}")
try:
    with urllib.request.urlopen(url) as answer:
        page = answer.read(1048577)
except urllib.error.HTTPError as error:
    fail(22, error)
except (OSError, ValueError) as error:
    fail(37, error)
if len(page) > 1048576:
    fail(63, "Maximum file size exceeded")
sys.stdout.buffer.write(page)
"""

Load = Callable[..., Service]


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers by path: `/page?…`, `/away` (which leads there), `/out` (to a file), pages of some sizes, and 404."""

    def do_GET(self) -> None:
        status, body = {
            "/away": (302, b""),
            "/out": (302, b""),
            "/largest": (200, b"x" * LIMIT),
            "/long": (200, bytes(LIMIT + 1)),
            "/latin": (200, b"\xff"),
            "/empty": (200, b""),
            "/page?a=1": (200, b"the page"),
        }.get(self.path, (404, b"no"))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/page?a=1" if self.path == "/away" else "file:///etc/hosts")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # who does not want so long a page hangs up
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as pages:
        patch.setenv("no_proxy", "127.0.0.1")
        thread = threading.Thread(target=pages.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{pages.server_port}"
        pages.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program that stands for curl, so that what needs one is tested everywhere."""
    path = tmp_path_factory.mktemp("bin") / "curl"
    path.write_text(FAKE.format(python=sys.executable))
    path.chmod(0o700)
    return str(path)


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    """The directory that the service writes to; it does not exist yet."""
    return tmp_path / "sites"


@pytest.fixture
def load(configuration: Configuration, sites: Path) -> Iterator[Load]:
    """Loads the example with another directory, and what else a test wants in the place of its settings."""
    with ExitStack() as stack:

        def make(program: str | MountedBinary | None = None, *, mask: int | None = None, **options: Any) -> Service:
            config = read_config(CONFIG).config
            modules = {name: config.module(name) for name in ("local_storage", "curl", "facade")}
            changed: dict[str, Any] = {"mapped_dirs": {"sites": str(sites)}}
            if mask is not None:
                changed["logging_mask"] = mask
            modules["local_storage"] = replace(modules["local_storage"], **changed)
            if program is not None:
                modules["curl"] = replace(modules["curl"], mounted_binaries={"curl": program})
            config = replace(config, modules=modules)
            return stack.enter_context(
                marine_gen.load(
                    CONFIG, engine=configuration.engine, call_layer=configuration.call_layer, config=config, **options
                )
            )

        yield make


@pytest.fixture(params=["function", "fake", *(["program"] if os.path.isfile(CURL) else [])])
def service(request: pytest.FixtureRequest, load: Load, fake: str) -> Service:
    """The example with everything that can stand behind its import `curl` on this machine."""
    if request.param == "function":
        return load("/no/such/curl", host_functions=PYTHON)
    return load(fake if request.param == "fake" else None)


def test_the_configuration_uses_everything() -> None:
    config = read_config(CONFIG).config
    assert config.total_memory_limit == 10 << 20
    assert config.module("local_storage").mapped_dirs == {"sites": str(EXAMPLE_FOLDER / "sites")}
    assert config.module("curl").mounted_binaries == {"curl": CURL}
    assert all(config.module(name).logger_enabled for name in ("local_storage", "curl", "facade"))


def test_pages_become_files(service: Service, server: str, sites: Path, tmp_path: Path) -> None:
    source = tmp_path / "a page"
    source.write_text("from a file: ü", "utf-8")
    for url, page in {
        f"{server}/page?a=1": b"the page",
        f"{server}/away": b"the page",
        f"{server}/empty": b"",
        f"{server}/largest": b"x" * LIMIT,
        source.as_uri(): source.read_bytes(),
    }.items():
        assert service.modules.facade.get_n_save(url, "page") == "Ok"
        assert (sites / "page").read_bytes() == page
        assert service.modules.local_storage.get("page") == page
    figures = service.statistics()
    assert figures.used is not None
    assert 3 * LIMIT < figures.used < 10 << 20
    assert figures.rejects == 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/none", "error: curl ended with code 22: "),
        ("/long", "error: curl ended with code "),
        ("/latin", "error: the page is not UTF-8 text"),
    ],
)
def test_failed_downloads_are_told(
    service: Service, server: str, path: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = service.modules.curl.download(server + path)
    assert answer.startswith(reason)
    assert not answer.endswith("\n")
    assert caplog.record_tuples[-1] == ("curl", logging.WARNING, answer)


def test_bad_addresses_are_told(service: Service) -> None:
    for url in ("file:///no/such/file", "-o/tmp/curl", "ftp://127.0.0.1/", "file://192.0.2.1/x", ""):
        assert service.modules.curl.download(url).startswith("error: curl ended with code "), url


def test_redirects_do_not_lead_to_files(load: Load, server: str) -> None:
    service = load(host_functions=PYTHON)
    assert service.modules.curl.download(f"{server}/out").startswith("error: curl ended with code 22: host.py: ")


def test_without_program_and_function(load: Load) -> None:
    """The service loads; who calls is told."""
    answer = load("/no/such/curl").modules.curl.download("file:///x")
    assert answer == f"error: curl ended with code {NOT_STARTED}: No such file or directory"


def test_a_program_at_its_limit(load: Load, fake: str, server: str) -> None:
    program = MountedBinary(fake, output_limit=3)
    answer = load(program).modules.curl.download(f"{server}/page?a=1")
    assert answer.endswith("ended with code 100000: the output has more than 3 bytes; the program was stopped")


def test_the_function_goes_before_the_program(load: Load, fake: str, server: str) -> None:
    function = replace(HOST["curl"], function=lambda cmd: (0, "", b"mine", b""))
    assert load(fake, host_functions={"curl": function}).modules.curl.download(server) == "mine"


def test_files_outside_the_directory_are_refused(load: Load, sites: Path, tmp_path: Path) -> None:
    """By WASI: the module hands every name on."""
    storage = load(host_functions=PYTHON).modules.local_storage
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (sites / "link").symlink_to(secret)
    (sites / "below").mkdir()
    unreadable = b"error while reading file"
    for name in ("../secret", "below/../../secret", "link", "../sites/../secret", "..", "/../secret"):
        assert storage.get(name) == unreadable
        assert storage.put(name, b"overwritten").startswith(f"error: can't write {name}: ")
    assert storage.put(str(secret), b"overwritten").startswith("error: can't write ")  # a path below the directory
    assert storage.put("../new", b"x") == "error: can't write ../new: Operation not permitted"
    assert secret.read_text() == "secret"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["secret", "sites"]
    assert storage.put("below/../inside", b"x") == "Ok"
    assert (sites / "inside").read_bytes() == b"x"


def test_names_and_contents(load: Load, sites: Path) -> None:
    storage = load(host_functions=PYTHON).modules.local_storage
    everything = bytes(range(256)) * 300
    for name, content in {"ü %s": everything, "/page": b"", "-": b"\0", ".hidden": b"x"}.items():
        assert storage.put(name, content) == "Ok"
        assert storage.get(name) == content
    assert storage.put("-", b"") == "Ok"
    assert (sites / "-").read_bytes() == b""
    assert sorted(item.name for item in sites.iterdir()) == ["-", ".hidden", "page", "ü %s"]
    for name, reason in {
        "none/page": "No such file or directory",
        "": "Is a directory",
        ".": "Is a directory",
        "page/x": "Not a directory",
        "page\0x": "Invalid argument",
        "x" * 5000: "Filename too long",
    }.items():
        assert storage.put(name, b"x") == f"error: can't write {name}: {reason}"
        assert storage.get(name) == b"error while reading file"
    assert storage.get("none") == b"error while reading file"


def test_a_file_that_does_not_fit_into_the_budget(load: Load, sites: Path) -> None:
    storage = load(host_functions=PYTHON).modules.local_storage
    with (sites / "huge").open("wb") as file:
        file.truncate(11 << 20)
    assert storage.get("huge") == b"error while reading file"
    assert storage.put("small", b"still here") == "Ok"
    assert storage.get("small") == b"still here"


def test_files_outlive_the_service(load: Load) -> None:
    first = load(host_functions=PYTHON)
    assert first.modules.local_storage.put("page", b"kept") == "Ok"
    first.close()
    assert load(host_functions=PYTHON).modules.local_storage.get("page") == b"kept"


@pytest.mark.parametrize(("mask", "storage"), [(None, ["wrote", "read"]), (1, ["wrote"]), (2, ["read"]), (4, [])])
def test_a_line_is_logged_for_each_step(
    load: Load, sites: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, mask: int | None, storage: list[str]
) -> None:
    page = tmp_path / "page.html"
    page.write_text("page")
    service = load(host_functions=PYTHON, mask=mask)
    with caplog.at_level(logging.INFO):
        service.modules.facade.get_n_save(page.as_uri(), "page")
        service.modules.local_storage.get("page")
    assert caplog.record_tuples == [
        ("facade", logging.INFO, f"keeps {page.as_uri()} as page"),
        ("curl", logging.INFO, f"downloads {page.as_uri()}"),
        *(("local_storage", logging.INFO, f"{verb} 4 bytes, {sites}/page") for verb in storage),
    ]


def test_the_function_reads_files_and_pages(server: str, tmp_path: Path) -> None:
    page = tmp_path / "a page ü"
    page.write_bytes(b"\xff from a file")
    for url, content in {page.as_uri(): b"\xff from a file", f"{server}/away": b"the page"}.items():
        result = curl(["--silent", url])
        assert (result.ret_code, result.error, result.stdout, result.stderr) == (0, "", content, b"")
    assert curl([f"{server}/none"]).ret_code == 22
    assert f"longer than {LIMIT} bytes" in curl([f"{server}/long"]).stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [[], [""], ["/etc/hosts"], ["http:///page"], ["http://[::1"], ["gopher:"], ["data:,x"], ["http://ü:x/"]],
)
def test_the_function_refuses_everything_else(arguments: list[str]) -> None:
    result = curl(arguments)
    assert (result.ret_code, result.error, result.stdout) == (1, "", b"")
    assert result.stderr.startswith(b"host.py: ")


@pytest.mark.slow
@pytest.mark.parametrize("program", [True, False], ids=["program", "function"])
def test_demo_runs_on_every_engine(program: bool, fake: str, tmp_path: Path) -> None:
    """In a copy of the example, with and without a program at the place that the configuration names."""
    example = tmp_path / "examples" / "curl_service"
    shutil.copytree(EXAMPLE_FOLDER, example, ignore=shutil.ignore_patterns("sites", "__pycache__"))
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    config = example / "Config.toml"
    path = fake if program else "/no/such/curl"
    config.write_text(config.read_text("utf-8").replace(f'"{CURL}"', f'"{path}"'), "utf-8")
    done = subprocess.run(
        [sys.executable, str(example / "demo.py"), "--quick"],
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for engine in ENGINES:
        assert sum(line.startswith(f"│ {engine}") for line in done.stdout.splitlines()) >= 3
    kind = f"the program {path}" if program else "the Python function of host.py"
    (block,) = (block.text for block in blocks(EXAMPLE_FOLDER / "README.md", "text") if block.text.startswith("built "))
    printed = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
    assert output_pattern(block.replace(f"the program {CURL}", kind)).fullmatch(printed), printed
    assert f"  local_storage: wrote 50 bytes, {example / 'sites' / 'page'}" in done.stdout.splitlines()
    assert done.stdout.count("no program") == (0 if program else len(ENGINES))
    assert done.stdout.splitlines()[-1].startswith("Memory of the service: local_storage ")
    assert (tmp_path / "build" / "curl_service" / "manifest.json").is_file()
    assert (example / "sites" / "page").read_bytes().startswith(b"<h1>It works</h1>")
