"""Tries out one call layer for real: a call, a callback, memory, a trap, an exception through Wasm.

`marine-gen doctor` runs this in a process of its own, because a binding that is not as the fast layer expects may crash
instead of raising. Exit code 0 and no output: everything works; otherwise one line on stdout names the fault.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

_MODULE = """
(module
  (import "host" "mix" (func $mix (param i32 i64 f64) (result i64)))
  (memory (export "memory") 1)
  (func (export "call") (param i32 i64 f64) (result i64)
    (call $mix (local.get 0) (local.get 1) (local.get 2)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "trap") unreachable))
"""

_TIMEOUT = 60


class _SignalError(Exception):
    """Travels from a callback through Wasm to the caller."""


def problems(layer: str) -> Iterator[str]:
    """The failures of the call layer `layer` in this process."""
    import wasmtime

    from marine_runtime import TrapError
    from marine_runtime.wasm import open_runtime

    runtime = open_runtime(layer)
    if runtime.name != layer:
        yield f"it is not available: {runtime.fallback_reason}"
        return
    refuse = False

    def mix(number: int, big: int, real: float) -> int:
        if refuse:
            raise _SignalError
        return number + big + int(real)

    store = runtime.store()
    try:
        module = runtime.compile(bytes(wasmtime.wat2wasm(_MODULE)))
        instance = store.instantiate(module, {("host", "mix"): store.host_function("IQd", "Q", mix)})
        call = instance.function("call", "IQd", "Q")
        if call(2**32 - 1, 2**63, 2.0) != 2**63 + 2**32 + 1:
            yield "a callback received or returned wrong numbers"
        memory = instance.memory
        if memory is None:
            yield "an exported memory was not found"
        else:
            memory.write(65_530, b"marine")
            if instance.function("grow", "", "I")() != 1 or memory.read(65_530, 8) != b"marine\0\0":
                yield "memory does not read back what was written, or does not grow"
        refuse = True
        try:
            call(1, 1, 1.0)
            yield "an exception of a callback was lost"
        except _SignalError:
            pass
        try:
            instance.function("trap", "", "")()
            yield "a trap was not noticed"
        except TrapError:
            pass
    finally:
        store.close()


def probe(layer: str) -> str | None:
    """The failure of a call layer, found in a new process; None when it works."""
    code = f"from marine_gen.cli.probe import main; main({layer!r})"
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and code
            [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"it could not be tested: {error}"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"it crashed with signal {-done.returncode}"
    said = (done.stdout or done.stderr).strip().splitlines()
    return said[-1] if said else f"it failed with exit code {done.returncode}"


def main(layer: str) -> None:
    """The program of the new process."""
    found = list(problems(layer))
    if found:
        sys.stdout.write("; ".join(found) + "\n")
        sys.exit(1)
