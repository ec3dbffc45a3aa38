"""Whole services: a store of strings, and the AquaVM interpreter from npm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.bench.model import Case, Kind, Work
from tests.support.engines import guests

GROUP = "Whole services"
SCRIPT = '(seq (call "me" ("srv" "fn") ["text" 7] x) (call "other" ("srv" "g") [x] y))'
_NO_CALL_RESULTS = b"\x81\x04\x80"  # an empty MessagePack map behind its multicodec prefix
_PARAMETERS = ("init", "me", 1_700_000_000_000, 60_000, 0, bytes(range(32)), "particle", 2**32, 2**32, 2**32, True)


def store_cases() -> Iterator[Case]:
    """A Redis-like guest."""
    modules = guests("bench_store")
    for name, request, answer in (("SET", "SET key some value", "OK"), ("GET", "GET greeting", "hello")):
        work = Work(modules, "execute", (request,), answer)
        yield Case(f"store {name}", GROUP, f"key-value store, `{request}`", "call", work)


def avm_cases(avm: Path) -> Iterator[Case]:
    """The syntax tree and a run of a script, by the module of 6 MB, compiled from Rust."""
    arguments = (SCRIPT, b"", b"", _PARAMETERS, _NO_CALL_RESULTS)
    # Their results have no short plain form, so they are not compared.
    work = Work({"avm": avm.read_bytes()} if avm.is_file() else {}, "invoke", arguments, None)
    for temperature, where in (("cold", "with nothing in the cache"), ("warm", "from the cache")):
        title = f"AquaVM 0.62.0: load {where}, and `invoke` once"
        kind: Kind = "cold answer" if temperature == "cold" else "warm answer"
        yield Case(f"avm {temperature} answer", GROUP, title, kind, work)
    tree = replace(work, function="ast", arguments=(SCRIPT,))
    yield Case("avm ast", GROUP, "AquaVM 0.62.0 `ast`, the same script", "call", tree)
    yield Case("avm invoke", GROUP, "AquaVM 0.62.0 `invoke`, a script of two calls", "call", work)
