"""A thousand calls of each kind in C under valgrind: `python -m tests.speedups.valgrind`. Takes minutes.

Python's own allocator is off, so that every block is one of valgrind's. Only errors with a frame of the extension are
counted: Wasmtime's machine code and Python's start are not ours.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress

from tests.support.paths import ROOT

CALLS = 1000
OURS = re.compile(r"_native\.abi3|(source|speedups)/src/\w+\.c")
"""In a line of a report: the library, or one of its files, which `make speedups` compiles in a folder `source`."""


def calls() -> None:
    """The program that valgrind runs."""
    import marine_gen
    from marine_gen import HostFunction
    from marine_gen.generate import Description, Vector
    from marine_runtime import ArgumentError, TrapError
    from marine_runtime.types import Prim
    from marine_runtime.wasm.speedups import speedups
    from tests.support.echo import Memory, echo_module, function
    from tests.support.pools import lab

    extension = speedups()
    assert extension is not None, "install the extension: `make speedups`"
    samples = {
        Prim.STRING: "é" * 50,
        Prim.U64: 2**64 - 1,
        Prim.S8: -128,
        Prim.BOOLEAN: True,
        Prim.F32: 0.5,
        Prim.F64: 0.1,
        Vector(Prim.U8): b"\0\xff" * 50,
    }
    signatures = {f"f{at}": ty for at, ty in enumerate(samples)}
    description = Description(functions=tuple(function(name, ty) for name, ty in signatures.items()))
    host = {name: HostFunction.of(lambda value: None, [Prim.U32]) for name in ("nap", "hold", "die", "blow")}
    with (
        marine_gen.load({"echo": echo_module(description, Memory(pages=16))}) as service,
        marine_gen.load(lab(), host_functions=host) as other,
    ):
        for name, ty in signatures.items():
            run, value = service.modules.echo[name], samples[ty]
            assert type(run) is extension.Call
            for number in range(CALLS):
                assert run(value) == value
                if not number % 10:
                    with suppress(ArgumentError, TypeError):
                        run(None, unknown=value) if number % 20 else run(None)
        for _ in range(CALLS):
            other.modules.lab.nap(1)
            with suppress(TrapError):
                other.modules.lab.trap(1)
    sys.stdout.write("done\n")


def main() -> int:
    """Run it; the number of errors with a frame of the extension."""
    if shutil.which("valgrind") is None:
        raise SystemExit("there is no valgrind here")
    # Signals of Wasmtime and its stacks confuse valgrind's own guesses, so those are told to be quiet.
    command = ["valgrind", "--quiet", "--num-callers=40", "--leak-check=full", "--show-leak-kinds=definite"]
    command += ["--max-stackframe=20000000", "--smc-check=all-non-file", "--fullpath-after=", sys.executable, "-c"]
    environment = os.environ | {"PYTHONMALLOC": "malloc", "PYTHONPATH": f"{ROOT}:{ROOT / 'runtime'}"}
    program = "from tests.speedups.valgrind import calls; calls()"
    done = subprocess.run([*command, program], env=environment, capture_output=True, text=True)
    reports = done.stderr.replace("\r", "").split("\n==")
    blocks: list[list[str]] = [[]]
    for line in reports:
        text = line.partition("==")[2].strip()
        blocks[-1].append(text) if text else blocks.append([])
    ours = [block for block in blocks if any(map(OURS.search, block))]
    for block in ours:
        sys.stdout.write("\n".join(block) + "\n\n")
    sys.stdout.write(f"{done.stdout}exit code {done.returncode}, {len(ours)} reports with frames of the extension\n")
    sys.stdout.write("" if done.returncode == 0 else done.stderr[-2000:])
    return len(ours) or done.returncode


if __name__ == "__main__":
    sys.exit(main())
