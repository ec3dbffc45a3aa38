"""Checks of the extension for references and memory: `python -m tests.speedups.checks [NAME] [--calls N]`.

`references` counts all references under a Python with `Py_DEBUG`, Debian's, which is unpacked and not installed.
`sanitizers` runs the kinds of calls and the tests of this folder with AddressSanitizer and UndefinedBehaviorSanitizer.
`valgrind` runs the kinds of calls under Memcheck. `mutants` removes parts of the extension in turn. All of it takes
some minutes. The exit code is the number of checks that found something; one that this machine can't do is named.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.speedups.builds import compile_extension
from tests.speedups.mutants import CHECKS as CHECKED
from tests.speedups.mutants import REFERENCES
from tests.support.debian import UnavailableError, unpack_packages
from tests.support.paths import ROOT
from tests.support.pytests import own_root

HERE = Path(__file__).parent
DEBUG = ROOT / ".venv" / ".debug-python"
RELEASE, VERSION = "bookworm", "3.11"

_SANITIZED = ("-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
_LONGEST = 3600  # seconds of a program; nothing may hang


def run(command: list[str], *folders: Path | str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program that imports from `folders`, then from the tree."""
    path = os.pathsep.join(map(str, (*folders, ROOT, ROOT / "runtime")))
    environment = {name: value for name, value in os.environ.items() if name != "MARINE_SPEEDUPS"}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment | {"PYTHONPATH": path} | variables,
        capture_output=True,
        text=True,
        timeout=_LONGEST,
        check=False,
    )


def references(calls: int, mutant: tuple[str, str] | None = None) -> str:
    """Nothing, or the kinds of calls that leave references behind, also of a mutant.

    Raises:
        UnavailableError: there is no such Python, or it is not of this version.
    """
    if f"{sys.version_info.major}.{sys.version_info.minor}" != VERSION:
        raise UnavailableError(f"the packages of this environment are for another Python than {VERSION}")
    if not DEBUG.exists():
        with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=DEBUG.parent) as scratch:
            root, downloads = Path(scratch, "root"), Path(scratch, "downloads")
            root.mkdir()
            downloads.mkdir()
            packages = [f"python{VERSION}-dbg", f"libpython{VERSION}-dev"]
            unpack_packages(packages, root, downloads, release=RELEASE)
            root.rename(DEBUG)
    headers = DEBUG / "usr" / "include"
    with tempfile.TemporaryDirectory() as name:
        # Only what is compiled with these headers counts its references.
        folder = compile_extension(
            Path(name), "-g", "-idirafter", str(headers), include=headers / f"python{VERSION}d", mutant=mutant
        )
        python = str(DEBUG / f"usr/bin/python{VERSION}-dbg")
        site = next(path for path in sys.path if path.endswith("site-packages"))
        done = run([python, "-m", "tests.speedups.references", str(calls)], folder, ROOT, ROOT / "runtime", site)
    if mutant is None:
        sys.stdout.write(done.stdout)
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr[-3000:]}"


def sanitizers(calls: int) -> str:
    """Nothing, or what the sanitizers report.

    Raises:
        UnavailableError: there is no GCC with its sanitizers.
    """
    libraries = [_library(name) for name in ("libasan.so", "libubsan.so")]
    with tempfile.TemporaryDirectory() as name:
        folder = compile_extension(Path(name), *_SANITIZED)
        # Wasmtime handles the signals of its guests itself. Python does not free everything at its end.
        options = "detect_leaks=0:use_sigaltstack=0:allocator_may_return_null=1"
        options += "".join(f":handle_{signal}=0" for signal in ("segv", "sigbus", "sigfpe", "sigill"))
        variables = {"LD_PRELOAD": " ".join(libraries), "ASAN_OPTIONS": options, "PYTHONMALLOC": "malloc"}
        program = f"import tests.speedups.references as those; raise SystemExit(min(those.main({calls}), 1))"
        pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-m", "not slow", str(HERE)]
        for command in (["-c", program], pytest):
            with own_root() as root:
                done = run([sys.executable, *command], folder, **variables, **root)
            sys.stdout.write(done.stdout)
            if done.returncode:
                return f"{done.stdout[-3000:]}{done.stderr[-5000:]}"
    return ""


def _library(name: str) -> str:
    """The path of a library of GCC."""
    if shutil.which("gcc") is None:
        raise UnavailableError("there is no GCC")
    done = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    if not Path(done.stdout.strip()).is_absolute():
        raise UnavailableError(f"GCC has no {name}")
    return done.stdout.strip()


OURS = re.compile(r"/src/(call|values|module)\.c:\d+\)")
OTHERS = re.compile(r"_PyEval_EvalFrame|_libwasmtime|/_ctypes/|libffi")
"""Frames of a report: ours, and those that are not called by ours on behalf of the same line."""


def valgrind(calls: int) -> str:
    """Nothing, or the reports of Memcheck about lines of the extension.

    Python's own allocator is off, so that every block is one of valgrind's. Reports where Python or Wasmtime runs
    below the extension are not about it.

    Raises:
        UnavailableError: there is no valgrind.
    """
    if shutil.which("valgrind") is None:
        raise UnavailableError("there is no valgrind")
    with tempfile.TemporaryDirectory() as name:
        folder = compile_extension(Path(name), "-g")
        command = ["valgrind", "--quiet", "--num-callers=40", "--leak-check=full", "--show-leak-kinds=definite"]
        command += ["--max-stackframe=20000000", "--smc-check=all-non-file", "--fullpath-after=", sys.executable, "-c"]
        program = f"import tests.speedups.references as those; raise SystemExit(min(those.main({calls}), 1))"
        done = run([*command, program], folder, PYTHONMALLOC="malloc")
    sys.stdout.write(done.stdout)
    found = [report for report in reports(done.stderr) if about_ours(report)]
    if found or done.returncode:
        return "\n\n".join("\n".join(report) for report in found) or done.stdout + done.stderr[-3000:]
    return ""


def reports(text: str) -> list[list[str]]:
    """The reports in what valgrind says, as lines."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        said = re.sub(r"^==\d+==\s*", "", line)
        if said == line:
            continue  # of the program
        if said:
            blocks[-1].append(said)
        else:
            blocks.append([])
    return [block for block in blocks if block]


def about_ours(report: list[str]) -> bool:
    """True if a stack in a report has a line of the extension before it has one of what that calls."""
    for line in report:
        if OURS.search(line):
            return True
        if OTHERS.search(line):
            return False
    return False


def mutants(calls: int) -> str:
    """Nothing, or the mutants that no test notices; references are counted in so many calls.

    Raises:
        UnavailableError: there is no Python that counts references.
    """
    survivors = []
    for title, mutant in CHECKED.items():
        with tempfile.TemporaryDirectory() as name:
            folder = compile_extension(Path(name), "-Wno-error", mutant=mutant)
            files = [str(HERE / file) for file in ("test_calls_in_c.py", "test_same_results.py")]
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
            with own_root() as root:
                done = run(command, folder, **root)
        if done.returncode == 0:
            survivors.append(title)
        print(f"{'survived' if done.returncode == 0 else 'killed':9}{title}", flush=True)
    for title, mutant in REFERENCES.items():
        found = references(calls, mutant)
        if "GROWS" not in found:
            survivors.append(title)
        print(f"{'killed' if 'GROWS' in found else 'survived':9}references: {title}", flush=True)
    return ", ".join(survivors)


CHECKS: dict[str, Callable[[int], str]] = {
    "references": references,
    "sanitizers": sanitizers,
    "valgrind": valgrind,
    "mutants": mutants,
}
CALLS = {"references": 100_000, "sanitizers": 20_000, "valgrind": 2000, "mutants": 20_000}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=", ".join(CHECKS))
    parser.add_argument("--calls", type=int, help="of each kind; those that cost more are fewer")
    options = parser.parse_args()
    if unknown := set(options.names) - set(CHECKS):
        parser.error(f"there is no check {', '.join(unknown)}")
    failed = 0
    for name in options.names or CHECKS:
        calls = options.calls or CALLS[name]
        print(f"{name}: {calls} calls of each kind", flush=True)
        try:
            found = CHECKS[name](calls)
        except UnavailableError as error:
            found, said = "", f"not done: {error}"
        else:
            said = found or "nothing found"
        failed += bool(found)
        print(f"{name}: {said}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
