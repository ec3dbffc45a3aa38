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
import tempfile
import tomllib
import venv
from pathlib import Path

HERE = Path(__file__).parent

TARGETS = {
    "manylinux_2_17_x86_64": ("x86_64-linux-gnu.2.17", "linux-x86_64"),
    "manylinux_2_17_aarch64": ("aarch64-linux-gnu.2.17", "linux-aarch64"),
    "musllinux_1_2_x86_64": ("x86_64-linux-musl", "linux-x86_64"),
    "musllinux_1_2_aarch64": ("aarch64-linux-musl", "linux-aarch64"),
}
"""The targets of `ziglang` by the tags of wheels, and what Python calls the machine."""

REQUIRES = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]

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


def run(*command: str, **variables: str) -> None:
    """Run a command with those variables in its environment; end the program with its output when it fails."""
    environment = os.environ | variables
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}\n{shlex.join(command)} failed")


def build(folder: Path, targets: dict[str, tuple[str, str]]) -> None:
    """Build a wheel for this machine, or the source distribution and a wheel for each of `targets`."""
    with tempfile.TemporaryDirectory() as name:
        # A build leaves object files beside its sources, and those of one target must not reach the next.
        source, tools = Path(name, "source"), Path(name, "tools")
        shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
        venv.create(tools, with_pip=True)
        python = str(tools / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        run(python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "build", *REQUIRES)
        into = [python, "-m", "build", "--no-isolation", "--outdir", str(folder)]
        if not targets:
            run(*into, "--wheel", str(source), **compiler())
            return
        run(*into, "--sdist", str(source))
        for tag, (target, machine) in targets.items():
            # No library of C is linked: the few functions that are used are those of the process.
            compile_it = shlex.join([*ZIG, "-target", target, "-g0", "-s"])
            variables = {
                "CC": compile_it,
                "LDSHARED": f"{compile_it} -shared -nostdlib",
                "_PYTHON_HOST_PLATFORM": machine,
            }
            shutil.rmtree(source / "build", ignore_errors=True)
            run(*into, "--wheel", f"-C--build-option=--plat-name={tag}", str(source), **variables)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="for every Linux, by ziglang")
    parser.add_argument("--tag", choices=TARGETS, help="for one of them, by ziglang")
    options = parser.parse_args()
    chosen = {tag: target for tag, target in TARGETS.items() if options.all or tag == options.tag}
    if chosen and importlib.util.find_spec("ziglang") is None:
        raise SystemExit("wheels for other machines are made by ziglang: `pip install ziglang`")
    build(options.folder, chosen)


if __name__ == "__main__":
    main()
