"""A disk without room: told as that, and nothing half-written is left.

The disk is a small one in a name space of its own, in the memory of a process.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
from typing import Any, cast

import pytest

from marine_runtime import ModuleConfig
from marine_runtime.texts import os_reason
from tests.support.engines import Configuration
from tests.support.paths import ROOT
from tests.support.wasi import Player, load_configured, wasi_guest

pytestmark = pytest.mark.host_side

MOUNTED = 'mount -t tmpfs -o "$0" none "$1" && shift && exec "$@"'
NOSPC = 51  # of WASI
FULL = "No space left on device"
SIZES = {"bytes": "size=64k", "files": "size=64k,nr_inodes=3"}

PROGRAM = """
import json, os, subprocess, sys, tempfile
from pathlib import Path
import marine_gen, marine_runtime
from marine_runtime import ModuleConfig, MountedBinary
from marine_runtime.host.mounted_binary import run
from marine_runtime.pool import ServicePool
from tests.support.engines import guests
from tests.support.wasi import Player, wasi_guest

CREATE = 1  # of the flags of `path_open`
disk, found, modules = Path(sys.argv[1]), {}, dict(guests("greeting"))
os.mkdir(disk / "files")
(disk / "ballast").touch()

def attempt(name, work):
    try:
        found[name] = work()
    except marine_runtime.MarineError as error:
        found[name] = f"{type(error).__name__}: {error}"
    except BaseException as error:
        found[name] = f"not ours: {error!r}"
    found[name] = [found[name], sorted(item.name for item in (disk / "files").iterdir())]

def use(**options):
    with marine_gen.load(modules, **options) as service:
        return service.call("greeting", "greeting", ["x"])

def pooled():
    with ServicePool(marine_gen.build(modules, sys.argv[2]).directory, kind="processes", workers=1) as pool:
        return pool.call("greeting", "greeting", ["x"])

def traced():
    with marine_runtime.tracing(disk / "files/trace.json") as tracer:
        return use(trace=tracer)

def by_command(*words):
    command = [sys.executable, "-m", "marine_gen", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    return f"{done.returncode}: {done.stdout}{done.stderr}"

def guest():
    settings = {"m": ModuleConfig(mapped_dirs={"d": str(disk)})}
    with marine_gen.load({"m": wasi_guest()}, config=marine_runtime.ServiceConfig(modules=settings)) as service:
        player = Player(service, "m")
        opened = player.open(3, "more", CREATE, write=True)
        return opened if opened < 0 else player.write(opened, b"x" * 5000)

def program():
    outcome = run("cat", MountedBinary("/bin/sh"), ["-c", f"cat /dev/zero > {disk}/ballast"])
    return [outcome.ret_code, outcome.stderr.decode()]

attempt("before", lambda: "")
with open(disk / "ballast", "ab", buffering=0) as ballast, __import__("contextlib").suppress(OSError):
    while True:
        ballast.write(b"x" * 4096)
attempt("pool", pooled)
os.environ["MARINE_GEN_CACHE"] = str(disk / "files")
attempt("cache", use)
attempt("build", lambda: marine_gen.build(modules, disk / "files/built"))
attempt("build command", lambda: by_command("build", sys.argv[3], "-o", str(disk / "files/built")))
attempt("trace", traced)
words = ["run", sys.argv[3], "greeting.greeting", '["x"]', "--trace", f"{disk}/files/t"]
attempt("trace command", lambda: by_command(*words))
attempt("program", program)
attempt("guest", guest)
os.environ["MARINE_GEN_CACHE"], tempfile.tempdir = "", str(disk / "files")
attempt("temporary", lambda: use(cache=False))
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=SIZES)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Outcomes of the attempts on a full disk, each with the files that it left there."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no `unshare`")
    folder = tmp_path_factory.mktemp("full")
    disk = folder / "disk"
    disk.mkdir()
    for name in ("alone", "mapped"):
        rights = ["-m"] if name == "alone" else ["-rm"]
        command = ["unshare", *rights, "sh", "-c", MOUNTED, SIZES[request.param], str(disk)]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            break
    else:
        pytest.skip("this process may not mount anything")
    words = [str(disk), str(folder / "built"), str(ROOT / "tests/guests/greeting.wasm")]
    done = subprocess.run(
        [*command, sys.executable, "-c", PROGRAM, *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made: dict[str, list[Any]] = json.loads(done.stdout)
    return made


@pytest.mark.slow
def test_caches_and_pools_do_without(found: dict[str, list[Any]]) -> None:
    assert found["before"] == ["", []]
    assert found["cache"] == ["Hi, x", []]
    assert found["pool"] == ["Hi, x", []]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["build", "trace"])
def test_what_is_to_be_written_is_told_and_nothing_is_left(found: dict[str, list[Any]], way: str) -> None:
    said, left = found[way]
    assert said.startswith("LoadError: ")
    assert said.endswith(f"` can't be written: {FULL}")
    said, left_by_command = found[f"{way} command"]
    assert said.startswith("1: ")
    assert said.endswith(f"can't be written: {FULL}\n")
    assert left == left_by_command == []


@pytest.mark.slow
def test_a_place_for_building_is_told(found: dict[str, list[Any]]) -> None:
    said, left = found["temporary"]
    assert said.startswith("LoadError: ")
    assert FULL in said
    assert left == []


@pytest.mark.slow
def test_guests_and_programs_see_it(found: dict[str, list[Any]]) -> None:
    """As their own failure, which they tell."""
    assert found["guest"][0] == -NOSPC
    code, said = found["program"][0]
    assert code
    assert FULL in said


def test_the_reason_names_the_limit_of_the_process() -> None:
    """`RLIMIT_FSIZE`, which has the same effect."""
    error = OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    assert re.fullmatch(r"File too large \(RLIMIT_FSIZE, which `ulimit -f` shows, is .*\)", os_reason(error))


def test_a_captured_output_is_whole_or_an_error(configuration: Configuration) -> None:
    """Files without a buffer take a part of what they are given."""

    class Slow(io.RawIOBase):
        def __init__(self, room: int) -> None:
            self.taken = bytearray()
            self.room = room

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            taken = bytes(data[: min(3, self.room - len(self.taken))])
            if not taken:
                raise OSError(errno.ENOSPC, FULL)
            self.taken += taken
            return len(taken)

    enough, full = Slow(100), Slow(4)
    settings = {"m": ModuleConfig(stdout=cast("Any", enough), stderr=cast("Any", full))}
    with load_configured({"m": wasi_guest()}, configuration, settings) as service:
        guest = Player(service, "m")
        assert guest.write(1, b"01234567") == 8
        with pytest.raises(OSError, match=FULL):
            guest.write(2, b"01234567")
    assert enough.taken == b"01234567"


def test_an_output_that_nobody_reads(configuration: Configuration) -> None:
    """It does not block, so the call says that bytes were lost."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb"), open(writing, "wb", buffering=0) as file:
        settings = {"m": ModuleConfig(stdout=cast("Any", file))}
        with load_configured({"m": wasi_guest()}, configuration, settings) as service:
            guest = Player(service, "m")
            os.write(writing, b"x" * (1 << 20))  # as much as fits
            with pytest.raises(BlockingIOError, match="nobody reads it"):
                guest.write(1, b"x" * 1000)
