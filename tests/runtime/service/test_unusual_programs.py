"""Programs that are started in unusual ways, and what the operating system refuses to them."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import marine_gen
from marine_runtime import LoadError
from marine_runtime.wasm import open_runtime
from tests.support.engines import guests
from tests.support.paths import ROOT
from tests.support.samples import sampled
from tests.support.wasi import wasi_guest

pytestmark = [pytest.mark.host_side, pytest.mark.skipif(os.name != "posix", reason="POSIX has these")]

SEARCHED = [str(ROOT), str(ROOT / "runtime")]
PROGRAM = """
import os, sys

def use(*kinds):
    import marine_runtime
    from marine_runtime.pool import ServicePool
    for kind in kinds:
        try:
            source = os.environ["BUILT"]
            made = marine_runtime.load(source) if kind == "service" else ServicePool(source, kind=kind, workers=1)
            with made as used:
                answer = used.call("greeting", "greeting", [kind], timeout=50)
        except marine_runtime.MarineError as error:
            answer = f"{kind}: {type(error).__name__} {error}"
        os.write(int(os.environ["REPORT"]), f"{answer}\\n".encode())

if __name__ == "__main__":
    BODY
"""
EVERYTHING = ("service", "threads", "processes")
USED = "Hi, service\nHi, threads\nHi, processes\n"
LIMITED = """
    import resource, marine_runtime.pool.processes, multiprocessing.popen_spawn_posix, multiprocessing.synchronize
    if {loaded}:
        use("service")
    resource.setrlimit(resource.RLIMIT_{name}, ({value}, {value}))
    use(*{kinds})
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A directory with a built service and no machine code, and one for the cache."""

    built: Path
    cache: Path

    def run(
        self, command: Sequence[str], *, given: str = "", unset: Sequence[str] = (), **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program that ends with status 0."""
        variables = {"PYTHONPATH": os.pathsep.join(SEARCHED), "BUILT": str(self.built), "REPORT": "1"}
        variables = os.environ | variables | {"MARINE_GEN_CACHE": str(self.cache)} | env
        for name in unset:
            variables.pop(name, None)
        done = subprocess.run(
            command, input=given, env=variables, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    def output(self, command: Sequence[str], *, given: str = "", unset: Sequence[str] = (), **env: str) -> str:
        """The output of a program; its standard error has to be empty."""
        done = self.run(command, given=given, unset=unset, **env)
        assert done.stderr == ""
        return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    directory = tmp_path_factory.mktemp("unusual")
    built = marine_gen.build(dict(guests("greeting")), directory / "built", native=False).directory
    return Place(built, directory / "cache")


def program(kinds: Sequence[str] = EVERYTHING) -> str:
    return PROGRAM.replace("BODY", f"use(*{tuple(kinds)})")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(program())
    return path


def limited(place: Place, name: str, value: int, *kinds: str, loaded: bool = True) -> list[str]:
    body = LIMITED.format(loaded=loaded, name=name, value=value, kinds=kinds)
    return place.output([sys.executable, "-c", PROGRAM.replace("BODY", body.strip())]).splitlines()


def test_command(place: Place) -> None:
    assert place.output([sys.executable, "-c", program()]) == USED


def test_standard_input(place: Place) -> None:
    lines = place.output([sys.executable, "-"], given=program()).splitlines()
    assert lines[:2] == USED.splitlines()[:2]
    assert lines[2:] == [
        "processes: PoolError a worker process can't be started: it imports the program, and there is no file "
        "`<stdin>`; save the program as a file, or use a pool of threads"
    ]


@pytest.mark.slow
def test_a_zip_application(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "application.pyz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("__main__.py", program())
    assert place.output([sys.executable, str(path)]) == USED


@pytest.mark.parametrize(
    "options",
    sampled([("-O",), ("-OO",), ("-X", "dev", "-W", "error")], lambda options: len(options) > 1),
    ids=" ".join,
)
def test_options_of_python(place: Place, script: Path, options: tuple[str, ...]) -> None:
    assert place.output([sys.executable, *options, str(script)]) == USED


@pytest.mark.slow
def test_an_isolated_python(place: Place, script: Path) -> None:
    script.write_text(f"import sys; sys.path[:0] = {SEARCHED}\n" + program())
    assert place.output([sys.executable, "-I", str(script)]) == USED


def test_closed_streams_and_no_directory(place: Place, script: Path) -> None:
    """Standard streams are closed, there is no home, and nothing for a cache."""
    shell = 'exec 7>&1; exec "$@" 0<&- 1>&- 2>&-'
    command = ["sh", "-c", shell, "sh", sys.executable, str(script)]
    unset = ("MARINE_GEN_CACHE", "XDG_CACHE_HOME")
    assert place.output(command, unset=unset, REPORT="7", HOME="/dev/null/home") == USED
    assert place.output(command, REPORT="7", MARINE_GEN_CACHE="/dev/null/cache") == USED


def test_a_deleted_working_directory(place: Place, script: Path, tmp_path: Path) -> None:
    shell = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"'
    command = ["sh", "-c", shell, str(tmp_path / "gone"), sys.executable, str(script)]
    lines = place.run(command).stdout.splitlines()  # multiprocessing's own process may complain, which is not ours
    assert lines[:2] == USED.splitlines()[:2]
    assert lines[2:] == [
        "processes: PoolError a worker process can't be started: "
        "the working directory of this process was deleted; change to another one"
    ]


def test_a_daemonic_process(place: Place, script: Path) -> None:
    body = """import multiprocessing
    made = multiprocessing.get_context("spawn").Process(target=use, args=KINDS, daemon=True)
    made.start()
    made.join()"""
    script.write_text(PROGRAM.replace("BODY", body.replace("KINDS", str(EVERYTHING))))
    lines = place.output([sys.executable, str(script)]).splitlines()
    assert lines[:2] == USED.splitlines()[:2]
    assert lines[2:] == [
        "processes: PoolError a worker process can't be started: daemonic processes are not allowed to have children; "
        "give `daemon=False` to the process that makes the pool, or use a pool of threads"
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit it")
@pytest.mark.parametrize("gigabytes", [1, 8])
def test_address_space(place: Place, gigabytes: int) -> None:
    """With 8 gigabytes some memories fit and others do not."""
    lines = limited(place, "AS", gigabytes << 30, "service", "threads")
    assert lines[0] == "Hi, service"
    assert len(lines) == 3
    for line in lines[1:]:
        assert "Cannot allocate memory" in line
        assert f"(RLIMIT_AS, which `ulimit -v` shows, is {gigabytes << 30})" in line
        assert "memory limit of the service" not in line


def test_descriptors(place: Place) -> None:
    few, most = (limited(place, "NOFILE", count, *EVERYTHING) for count in (3, 6))
    assert "`" in few[1]
    assert few[1].startswith("service: LoadError")
    assert few[2].startswith("threads: LoadError")
    assert "Too many open files" in few[1]
    assert most[1:3] == ["Hi, service", "Hi, threads"]
    for lines in (few, most):
        assert lines[3] == (
            "processes: PoolError a worker process can't be started: Too many open files "
            f"(RLIMIT_NOFILE, which `ulimit -n` shows, is {3 if lines is few else 6})"
        )


INNER = """
    import sys
    try:
        import _interpreters as interpreters
        made = interpreters.create("legacy")
    except ImportError:
        import _xxsubinterpreters as interpreters
        made = interpreters.create(isolated=False)
    code = f"import sys; sys.path[:] = {sys.path}; program = {PROGRAM!r}; exec(program)"
    failed = interpreters.run_string(made, code)
    assert failed is None, failed
"""


def test_a_sub_interpreter(place: Place) -> None:
    text = f"PROGRAM = {program(('service',))!r}\n" + PROGRAM.replace("BODY", INNER.strip())
    said = place.output([sys.executable, "-W", "ignore", "-c", text])
    assert said == (
        "service: LoadError the runtime can't run here: it works in the main interpreter of a process alone, "
        "not in sub-interpreters: use a process for each\n"
    )


def test_a_python_without_the_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    with pytest.raises(LoadError, match=r"can't run here: it needs the GIL.*`-X gil=1`"):
        open_runtime("fast", 1_234_567)  # a size of stack that no other test has opened one for


MAPPED = """
    import resource, marine_runtime
    from marine_runtime.config.model import ModuleConfig, ServiceConfig
    folders = {f"d{number}": os.path.join(os.environ["FOLDER"], str(number)) for number in range(60)}
    with marine_runtime.load(os.environ["BUILT"]):
        config = ServiceConfig(modules={"m": ModuleConfig(mapped_dirs=folders)})
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        try:
            marine_runtime.load(os.environ["BUILT"], config=config)
        except marine_runtime.MarineError as error:
            print(type(error).__name__, error)
"""


def test_descriptors_of_mapped_directories(tmp_path: Path) -> None:
    built = marine_gen.build({"m": wasi_guest()}, tmp_path / "built", native=False).directory
    place = Place(built, tmp_path / "cache")
    said = place.output([sys.executable, "-c", PROGRAM.replace("BODY", MAPPED.strip())], FOLDER=str(tmp_path / "dirs"))
    assert said.startswith(f"LoadError the directory `{tmp_path / 'dirs'}")
    assert said.endswith("can't be opened: Too many open files (RLIMIT_NOFILE, which `ulimit -n` shows, is 40)\n")


def test_the_size_of_files(place: Place) -> None:
    """The cache can't be written, which is no error."""
    lines = limited(place, "FSIZE", 0, *EVERYTHING, loaded=False)
    assert lines[:2] == ["Hi, service", "Hi, threads"]
    assert lines[2].endswith("can't be started: File too large (RLIMIT_FSIZE, which `ulimit -f` shows, is 0)")


NO_THREADS = """
    import _thread, threading
    def refuse(*_, **__):
        raise RuntimeError("can't start new thread")
    {before}
    _thread.start_new_thread = threading._start_new_thread = threading._start_joinable_thread = refuse
    from marine_runtime import load
    with load(os.environ["BUILT"]) as used:  # which may have to be compiled
        answer = used.call("greeting", "greeting", ["nobody"])
        os.write(int(os.environ["REPORT"]), f"{{answer}}\\n".encode())
    use("service", "threads", "processes")
"""


@pytest.mark.parametrize("before", ["", 'use("service")'], ids=["from the start", "after loading"])
def test_threads(place: Place, before: str, tmp_path: Path) -> None:
    body = NO_THREADS.format(before=before).strip()
    text = PROGRAM.replace("BODY", body)
    lines = place.output([sys.executable, "-c", text], MARINE_GEN_CACHE=str(tmp_path)).splitlines()
    why = "can't start new thread (RLIMIT_NPROC, which `ulimit -u` shows, is "
    assert lines[-4] == "Hi, nobody"
    if not before:  # otherwise the thread may still be there
        assert lines[-3].startswith(f"service: CallError a call with a time limit can't start: {why}")
    for line, kind in zip(lines[-2:], ("threads", "processes"), strict=True):
        assert line.startswith(f"{kind}: PoolError a worker of the pool can't be started: {why}")


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="a user of its own has to be made")
def test_processes_of_a_user(place: Place) -> None:
    """A module that is compiled where no thread can be started does not end the process."""
    code = f"import sys; sys.path[:0] = {[*SEARCHED, *sys.path]}\n" + PROGRAM.replace(
        "BODY",
        "import hashlib, resource, wasmtime, marine_runtime.wasm.reflection\n"  # while it may read files
        "    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))\n"
        "    os.setuid(54321)\n"
        "    from marine_runtime.wasm import open_runtime\n"
        "    made = open_runtime().compile(wasmtime.wat2wasm('(module (func) (func))'))\n"
        "    os.write(1, b'compiled')",
    )
    assert place.output([sys.executable, "-c", code]) == "compiled"
