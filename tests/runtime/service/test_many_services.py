"""Many services of one build in one process: what each adds, and which limit is named when no more fit."""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
from pathlib import Path
from time import process_time

import pytest

import marine_gen
import marine_runtime
from marine_runtime import Service
from marine_runtime.wasm.memory_creator import problem
from tests.support.children import lines_of
from tests.support.engines import guests
from tests.support.memory_use import mappings, resident

pytestmark = [
    pytest.mark.host_side,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
    pytest.mark.skipif(problem() is not None, reason=str(problem())),
]

FEW = 100
MANY = int(os.environ.get("MARINE_GEN_SERVICES", "10000"))
EACH = 4
"""Mappings of a service with one module: two for its memory, and two for the one through which values travel."""

RESIDENT = 70 << 10
OWN = 40  # mappings that Python makes for its objects
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = marine_gen.build(guests("greeting"), tmp_path_factory.mktemp("many") / "built").directory
    for file in directory.iterdir():  # services share no build whose files were written just now
        os.utime(file, (1, 1))
    return directory


def opened(built: Path) -> Service:
    service = marine_runtime.load(built)
    assert service.call("greeting", "greeting", ["John"]) == "Hi, John"
    return service


def test_what_a_service_adds(built: Path) -> None:
    services = [opened(built) for _ in range(3)]
    gc.collect()
    before, threads, files = mappings(), threading.active_count(), len(list(DESCRIPTORS.iterdir()))
    services += [opened(built) for _ in range(FEW)]
    assert mappings() - before <= EACH * FEW + OWN
    assert (threading.active_count(), len(list(DESCRIPTORS.iterdir()))) == (threads, files)
    random.Random(3).shuffle(services)
    for service in services[FEW // 2 :]:
        service.close()
    del services[FEW // 2 :]
    services += [opened(built) for _ in range(FEW // 2)]
    assert mappings() - before <= (EACH + 1) * FEW + OWN  # some lie alone now
    for service in services:
        service.close()
    assert mappings() - before <= OWN


@pytest.mark.slow
def test_as_many_as_the_system_has_room_for(built: Path) -> None:
    """10,000 unless MARINE_GEN_SERVICES says otherwise: each like the first in time, memory and mappings."""
    services = [opened(built) for _ in range(10)]
    gc.collect()
    gc.freeze()  # the collector looks at everything that lives, which is no cost of a load
    try:
        alone = cost_of_loads(built)
        before, mapped = resident(), mappings()
        services += [opened(built) for _ in range(MANY)]
        assert mappings() - mapped <= 1.02 * EACH * MANY + OWN
        assert (resident() - before) / MANY <= RESIDENT
        gc.freeze()
        assert cost_of_loads(built) <= 1.5 * alone
        services[MANY // 2].close()
        assert services[-1].call("greeting", "greeting", ["Ann"]) == "Hi, Ann"
        for service in services:
            service.close()
        assert mappings() - mapped <= OWN + EACH * 10
    finally:
        gc.unfreeze()


def cost_of_loads(built: Path) -> float:
    """Seconds of processor time of some loads, the fewest of several rounds."""
    rounds = []
    for _ in range(15):
        began = process_time()
        for _ in range(20):
            opened(built).close()
        rounds.append(process_time() - began)
    return min(rounds)


REFUSED = """
import ctypes, os, marine_runtime

libc = ctypes.CDLL(None, use_errno=True)
place, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
libc.mmap.restype, libc.mmap.argtypes = place, (place, size, number, number, number, ctypes.c_long)
libc.mprotect.argtypes, libc.munmap.argtypes = (place, size, number), (place, size)

def reserve(length):
    return libc.mmap(None, length, 0, 0x4022, -1, 0)

def fill_mappings():
    with open("/proc/sys/vm/max_map_count") as file:
        most = int(file.read())
    start = reserve(8192 * most)
    for at in range(most):
        if libc.mprotect(start + 8192 * at, 4096, 1):
            break
    return lambda: libc.munmap(start, 8192 * most)

def fill_address_space():
    kept, length = [], 1 << 46
    while length >= 1 << 30:
        start = reserve(length)
        if start == 2**64 - 1:
            length //= 2
        else:
            kept.append((start, length))
    return lambda: [libc.munmap(*item) for item in kept]

def load():
    service = marine_runtime.load(os.environ["BUILT"])
    return service, service.call("greeting", "greeting", ["you"])

living, _ = load()
if not KEPT:
    living.close()
    del living
free = FILL()
for _ in range(2):
    try:
        print(load())
    except marine_runtime.LoadError as error:
        print(type(error).__name__, error)
free()
print(load()[1])
"""


def refused(built: Path, fill: str, *, kept: bool) -> list[str]:
    """The output of a process that loads twice when nothing is left, and once more; a service is `kept`, or not."""
    code = REFUSED.replace("FILL", fill).replace("KEPT", str(kept))
    return lines_of("-c", code, timeout=200, BUILT=str(built))


@pytest.mark.slow
def test_no_mapping_is_left(built: Path) -> None:
    most = int(Path("/proc/sys/vm/max_map_count").read_text("ascii"))
    *lines, last = refused(built, "fill_mappings", kept=True)
    assert last == "Hi, you"
    for line in lines:
        assert line.startswith("LinkError module `greeting`: the system refuses a memory: Cannot allocate memory (")
        assert line.endswith(
            f"(vm.max_map_count, which `sysctl vm.max_map_count` shows, is {most}: no mapping is left)"
        )
    *lines, last = refused(built, "fill_mappings", kept=False)
    assert last == "Hi, you"
    for line in lines:
        assert line.startswith(
            ("CodeMemoryError the system refuses memory for machine code: ", "LinkError module `greeting`: the system ")
        )
        assert line.endswith(
            f"(vm.max_map_count, which `sysctl vm.max_map_count` shows, is {most}: no mapping is left)"
        )


def test_no_address_space_is_left(built: Path) -> None:
    *lines, last = refused(built, "fill_address_space", kept=True)
    assert last == "Hi, you"
    for line in lines:
        assert line.startswith(
            "LinkError module `greeting`: the system refuses a memory: Cannot allocate memory (a memory"
        )
        assert line.endswith(" MiB of address space, and the process has no such range left)")
