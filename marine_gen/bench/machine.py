"""The machine of a measurement: processor, system, versions. Reads, never runs anything."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from marine_gen._version import __version__
from marine_runtime.texts import counted


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with the versions that matter.

    Attributes:
        cores: logical processors that this process may use.
    """

    cpu: str
    cores: int
    system: str
    python: str
    wasmtime: str
    marine_gen: str

    def to_json(self) -> dict[str, str | int]:
        """The description for `--json` outputs."""
        return asdict(self)

    def __str__(self) -> str:
        cores = counted(self.cores, "core")
        return (
            f"{self.cpu}, {cores}, {self.system}, {self.python}, wasmtime {self.wasmtime}, marine-gen {self.marine_gen}"
        )


def describe_machine() -> Machine:
    """The machine that this process runs on."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = os.cpu_count() or 1
    return Machine(
        cpu=_cpu_model(),
        cores=cores,
        system=f"{platform.system()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        wasmtime=installed_version("wasmtime"),
        marine_gen=__version__,
    )


def installed_version(distribution: str) -> str:
    """The version of an installed distribution, without importing it."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return " ".join(value.split())
    return platform.processor() or platform.machine() or "unknown processor"
