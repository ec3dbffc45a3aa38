"""Build wheels of the extension: `python wheels.py FOLDER` for this machine, with `--all` for every Linux.

One for this machine is made by its C compiler, or by `ziglang` where it has none. Those for other machines are made by
`ziglang`, which has their C libraries: manylinux and musllinux, x86-64 and aarch64, with the source distribution.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent

TARGETS = {
    "manylinux_2_17_x86_64": ("x86_64-linux-gnu.2.17", "linux-x86_64"),
    "manylinux_2_17_aarch64": ("aarch64-linux-gnu.2.17", "linux-aarch64"),
    "musllinux_1_2_x86_64": ("x86_64-linux-musl", "linux-x86_64"),
    "musllinux_1_2_aarch64": ("aarch64-linux-musl", "linux-aarch64"),
}
"""The targets of `ziglang` by the tags of wheels, and what Python calls the machine."""

ZIG = [sys.executable, "-m", "ziglang", "cc"]


def compiler() -> dict[str, str]:
    """The variables of the environment that choose a C compiler; none where Python's own choice is there.

    Raises:
        SystemExit: there is none.
    """
    if "CC" in os.environ or sys.platform == "win32":
        return {}
    usual = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(usual):
        return {}
    if found := shutil.which("cc") or shutil.which("gcc") or shutil.which("clang"):
        return {"CC": found}
    if importlib.util.find_spec("ziglang") is None:
        raise SystemExit("there is no C compiler: install one, or `pip install ziglang`")
    return {"CC": shlex.join(ZIG)}


def build(folder: Path, *options: str, **variables: str) -> None:
    """Run the build backend in an environment of its own, with those variables in its environment."""
    command = [sys.executable, "-m", "build", "--outdir", str(folder), *options, str(HERE)]
    environment = os.environ | variables
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    shutil.rmtree(HERE / "build", ignore_errors=True)  # objects of one machine must not reach the next
    shutil.rmtree(HERE / "marine_speedups.egg-info", ignore_errors=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}\nthe extension can't be built")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="for every Linux, by ziglang")
    options = parser.parse_args()
    if not options.all:
        build(options.folder, "--wheel", **compiler())
        return
    if importlib.util.find_spec("ziglang") is None:
        raise SystemExit("wheels for other machines are made by ziglang: `pip install ziglang`")
    build(options.folder, "--sdist")
    for tag, (target, machine) in TARGETS.items():
        compile_it = shlex.join([*ZIG, "-target", target, "-g0", "-s"])
        variables = {"CC": compile_it, "LDSHARED": f"{compile_it} -shared", "_PYTHON_HOST_PLATFORM": machine}
        build(options.folder, "--wheel", f"-C--build-option=--plat-name={tag}", **variables)


if __name__ == "__main__":
    main()
