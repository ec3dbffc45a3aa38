"""The curl service from sources to answers, on every engine, and what a call costs on each of them.

    python examples/curl_service/demo.py [--quick]

The service is built ahead of time, loaded, and asked to download a page from a web server on this machine and to keep
it as a file. Its `curl` is the program that `Config.toml` mounts where that exists, and the Python function in
`host.py`; so the demo needs no network and no curl program. What the modules log is shown.
"""

from __future__ import annotations

import ctypes
import http.server
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from host import host
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import marine_gen
import marine_runtime
from marine_gen.artifact import ENGINES, clear_cache
from marine_gen.bench import BASELINE, PUBLIC_BASELINE, Candidate, compare, describe_machine, open_candidates
from marine_gen.bench.measure import format_time
from marine_runtime import read_config
from marine_runtime.calls.statistics import Statistics, human_size

EXAMPLE = Path(__file__).resolve().parent
ROOT = EXAMPLE.parents[1]
CONFIG = EXAMPLE / "Config.toml"
BUILT = ROOT / "build" / "curl_service"
GUESTS = ROOT / "tests" / "guests"
MODULES = ("local_storage", "curl", "facade")
KEPT = EXAMPLE / "sites" / "page"
"""The file in which the service keeps the page called `page`."""

PAGE = "<h1>It works</h1>\n<p>Grüße von der Schleife</p>\n".encode()
CALLS_IN_LOOP = 1000
BATCH = 1000
PLAIN = "plain Wasm call"
ROUND_TRIPS = 20
ROUNDS = {True: 1, False: 5}
"""Rounds of a measurement, by whether it is to be quick."""


class _OnePage(http.server.BaseHTTPRequestHandler):
    """Answers every request with the page."""

    def do_GET(self) -> None:
        """Send the page."""
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def page_server() -> Iterator[str]:
    """A web server on this machine; gives its URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _OnePage) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/page.html"
        finally:
            server.shutdown()
            thread.join()


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """Run `action`; its result, and the nanoseconds that it took."""
    began = time.perf_counter_ns()
    result = action()
    return result, time.perf_counter_ns() - began


class _Lines(logging.Handler):
    """Shows what the modules log."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line, with the module that logged it."""
        self._console.print(f"  [dim]{record.name}:[/] {escape(record.getMessage())}", soft_wrap=True)


@contextmanager
def shown_logs(console: Console) -> Iterator[None]:
    """Meanwhile, what the modules log on level INFO and above is shown; the loggers have the modules' names."""
    lines = _Lines(console)
    loggers = [logging.getLogger(name) for name in MODULES]
    for logger in loggers:
        logger.addHandler(lines)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(lines)
            logger.setLevel(logging.NOTSET)


def mounted_curl() -> str | None:
    """The program that the configuration mounts as `curl`, if it exists."""
    program = read_config(CONFIG).config.module("curl").mounted_binaries["curl"]
    path = program if isinstance(program, str) else program.path
    return path if os.path.isfile(path) else None


def download_and_keep(service: marine_gen.Service, url: str) -> bytes:
    """The main job: fetch a page and store it as a file, then read it back."""
    KEPT.unlink(missing_ok=True)
    answer = service.modules.facade.get_n_save(url, "page")
    if answer != "Ok":
        raise SystemExit(f"get_n_save answered {answer!r}")
    stored: bytes = service.modules.local_storage.get("page")
    if stored != KEPT.read_bytes():
        raise SystemExit(f"get gave something else than {KEPT} holds")
    return stored


def show_built_service(console: Console, url: str) -> Statistics:
    """Build ahead of time, load what was built, and run it once; gives the figures of the service at its end."""
    built, build_time = timed(lambda: marine_gen.build(CONFIG, BUILT, force=True))
    program = mounted_curl()
    # A function of the host takes precedence over a program: it is given where there is no program.
    load = partial(marine_runtime.load, BUILT, host_functions={} if program else host)
    service, load_time = timed(load)
    with service:
        files = [item for item in built.directory.iterdir() if item.is_file()]
        size = sum(item.stat().st_size for item in files)
        where = built.directory.relative_to(ROOT)
        console.print(f"built  [bold]{where}[/]: {len(files)} files, {size:,} bytes, in {format_time(build_time)}")
        console.print(f"loaded [bold]{service}[/] in {format_time(load_time)}")
        console.print(f"curl   is {f'the program {program}' if program else 'the Python function of host.py'}")
        console.print()
        with shown_logs(console):
            stored = download_and_keep(service, url)
        console.print(f'service.modules.facade.get_n_save("{url}", "page") → "Ok"')
        console.print(f'service.modules.local_storage.get("page") → {stored!r}')
        figures: Statistics = service.statistics()
    console.print()
    return figures


def show_engines(console: Console, url: str, file_url: str) -> None:
    """The same job on every engine and with both kinds of `curl`, and the time to load from sources and from the cache.

    A page is kept when it came over http and from a file, and the file that the service wrote has it.
    """
    program = mounted_curl()
    table = Table(title="The service on every engine", title_justify="left")
    table.add_column("engine")
    for column in ("cold: compile and load", "warm: load from cache"):
        table.add_column(column, justify="right")
    table.add_column("pages by the program")
    table.add_column("pages by host.py")
    for engine in ENGINES:
        clear_cache()
        load = partial(marine_gen.load, CONFIG, engine=engine)
        service, cold = timed(partial(load, host_functions=host))
        service.close()
        service, warm = timed(partial(load, host_functions=host))
        cells = ["kept" if program else "no program", "kept"]
        with service, load() as with_program:
            for used in (service, with_program) if program else (service,):
                if any(download_and_keep(used, address) != PAGE for address in (url, file_url)):
                    raise SystemExit(f"the {engine} engine did not keep the page")
        table.add_row(engine, format_time(cold), format_time(warm), *cells)
    console.print(table)
    console.print()


def show_memory(console: Console, figures: Statistics) -> None:
    """One line about the memory of the service."""
    sizes = ", ".join(f"{name} {human_size(size)}" for name, size in figures.memory.items())
    numbers = (figures.used, figures.limit, figures.rejects)
    used, limit, rejects = ("an unknown number" if number is None else f"{number:,}" for number in numbers)
    line = f"Memory of the service: {sizes}; {used} of {limit} bytes, {rejects} growths refused"
    console.print(line, soft_wrap=True)


def show_speed(console: Console, *, quick: bool) -> None:
    """A string in and a string out, from Python and between modules, and bulk data between modules."""
    pair = {name: GUESTS / f"{name}.wasm" for name in ("bench_effector", "bench_pure")}
    # A loop inside the guest, so that what is measured is the import and not the entry from Python.
    loop = [CALLS_IN_LOOP, "John"]
    with open_candidates(
        GUESTS / "greeting.wasm", lambda _: ("greeting", "greeting"), '["John"]', batch=BATCH
    ) as candidates:
        show_comparison(console, 'Python → module: greeting.greeting("John")', contenders(candidates), quick=quick)
    with open_candidates(pair, lambda _: ("bench_pure", "call_many"), json.dumps(loop)) as candidates:
        title = 'module → module: bench_effector.echo("John")'
        with marine_gen.load(pair) as service:
            # What both guests do, in one module: blocks, the call, the release; without the glue and its copies.
            plain = partial(service.modules.bench_pure.plain, *loop)
            calls = contenders(candidates) | {PLAIN: (plain, 1)}
            show_comparison(console, title, calls, per=CALLS_IN_LOOP, quick=quick, floor=PLAIN)
    show_bulk(console, pair, quick=quick)
    console.print(f"{'One round' if quick else f'Medians of {ROUNDS[quick]} rounds'} on {describe_machine()}")


Contenders = dict[str, tuple[Callable[[], Any], int]]
"""The timed actions by name, with the number of calls that one run makes."""


def contenders(candidates: Sequence[Candidate]) -> Contenders:
    """Every engine; batches only where one entry into Wasm serves many calls."""
    return {item.name: (item.call, item.per) for item in candidates if item.per == 1 or item.engine == "fused"}


def show_bulk(console: Console, pair: dict[str, Path], *, quick: bool) -> None:
    """A mebibyte from one module to another and back, and what two plain copies of it cost."""
    data = bytes(range(256)) * 4096
    here, there = ctypes.create_string_buffer(data), ctypes.create_string_buffer(len(data))

    def two_copies() -> None:
        ctypes.memmove(there, here, len(data))
        ctypes.memmove(here, there, len(data))

    floor = "two memcpy of 1 MiB"
    with ExitStack() as stack:
        timed_calls: Contenders = {}
        for engine in ENGINES:
            service = stack.enter_context(marine_gen.load(pair, engine=engine))
            call = partial(service.modules.bench_pure.bytes_many, ROUND_TRIPS, data)
            timed_calls[f"{engine} (fast calls)"] = call, ROUND_TRIPS
        timed_calls[floor] = two_copies, 1
        title = "module → module: 1 MiB of bytes there and back"
        show_comparison(console, title, timed_calls, quick=quick, baselines=(BASELINE,), floor=floor)


def show_comparison(
    console: Console,
    title: str,
    timed_calls: Contenders,
    *,
    quick: bool,
    per: int = 1,
    baselines: Sequence[str] = (PUBLIC_BASELINE, BASELINE),
    floor: str = "",
) -> None:
    """Time calls against each other; `per` is how often the work happens in the guest per call from here.

    `floor` names the one that can't be beaten, which the others are shown as multiples of.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("engine")
    table.add_column("one call", justify="right")
    for baseline in baselines:
        table.add_column(f"times as fast as\n{baseline}", justify="right")
    if floor:
        table.add_column(f"times the time of\n{floor}", justify="right")
    calls = {name: call for name, (call, _) in timed_calls.items()}
    divisors = {name: count * per for name, (_, count) in timed_calls.items()}
    taken = compare(calls, rounds=ROUNDS[quick], min_time=0 if quick else 0.05, per=divisors)
    timings = {timing.name: timing for timing in taken}
    for timing in taken:
        ratios = [timing.speedup_over(timings[name]) for name in baselines]
        ratios += [timings[floor].speedup_over(timing)] if floor else []
        table.add_row(timing.name, format_time(timing.median), *(f"{x:.{1 if x < 100 else 0}f} ×" for x in ratios))
    console.print(table)
    console.print()


def main() -> None:
    """Run everything in a cache of its own."""
    quick = "--quick" in sys.argv[1:]
    # Without a terminal, such as in a log, lines may be as long as they are.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory() as scratch, page_server() as url:
        os.environ["MARINE_GEN_CACHE"] = scratch
        # The server is on this machine, whatever proxy there is for others.
        os.environ["no_proxy"] = "127.0.0.1"
        page = Path(scratch, "page.html")
        page.write_bytes(PAGE)
        figures = show_built_service(console, url)
        show_engines(console, url, page.as_uri())
        show_speed(console, quick=quick)
        show_memory(console, figures)


if __name__ == "__main__":
    main()
