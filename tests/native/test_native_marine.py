"""Results of marine-gen against those of Marine's own runtime, and the known differences.

`make native-check` runs this once `make bench-native` has built Marine. What Marine does otherwise is a row of
docs/differences-from-marine.md; nothing else may differ.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest

import marine_gen
from marine_runtime import MarineError, Service
from marine_runtime.types import Array, IType, Prim, Record, Records, is_bytes
from tests.bench.peers.native_marine import BINARY, NativeProcess
from tests.support.draw import scalar
from tests.support.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BINARY.is_file(), reason="`make bench-native` builds Marine")]

GUESTS = ROOT / "tests" / "guests"
CALLS = 40
"""Calls of each function."""

SERVICES = {
    **{name: (name,) for name in ("greeting", "greeting_record", "call_parameters", "failing")},
    **{
        stem: (f"{stem}_effector", f"{stem}_pure")
        for stem in ("records", "arguments_passing", "arrays_passing", "records_passing")
    },
    "shrek": ("donkey", "shrek"),
}
UNSIGNED = {Prim.U32: 1 << 31, Prim.U64: 1 << 63}
"""From here on, Marine does not pass a scalar."""


@pytest.fixture(scope="module")
def native() -> Iterator[NativeProcess]:
    with NativeProcess() as process:
        yield process


def paths(names: tuple[str, ...]) -> dict[str, str]:
    return {name: str(GUESTS / f"{name}.wasm") for name in names}


def value(random: Random, ty: IType, records: Records, depth: int = 0) -> Any:
    """A JSON value of `ty` that both read alike: small unsigned numbers, and decimals of few digits."""
    if isinstance(ty, Record):
        return {field.name: value(random, field.type, records, depth + 1) for field in records[ty.id].fields}
    if is_bytes(ty):
        return list(random.randbytes(random.choice((0, 1, 30))))
    if isinstance(ty, Array):
        count = 0 if depth > 3 else random.choice((0, 1, 3))
        return [value(random, ty.element, records, depth + 1) for _ in range(count)]
    assert isinstance(ty, Prim)
    if ty in (Prim.F32, Prim.F64):
        return random.randint(-4096, 4096) / 8
    drawn = scalar(random, ty)
    return drawn % (UNSIGNED[ty] // 2) if ty in UNSIGNED else drawn  # guests add to it


def close(left: Any, right: Any) -> bool:
    """True if two JSON values are equal; numbers of f32 arithmetic are."""
    if isinstance(left, float) or isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-12)
    if isinstance(left, dict):
        return isinstance(right, dict) and left.keys() == right.keys() and all(close(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(close, left, right))
    return type(left) is type(right) and left == right


def ours(service: Service, module: str, function: str, text: str) -> Any:
    """The result as Python reads its JSON, or None when the call failed."""
    try:
        return (json.loads(service.call_json(module, function, text)),)
    except MarineError:
        return None


def theirs(native: NativeProcess, module: str, function: str, text: str) -> Any:
    """The same of Marine."""
    answer = native.ask("call", module=module, fn=function, text=text)
    return (answer["result"],) if answer["ok"] else None


@pytest.mark.parametrize("engine", ["fused", "interpreter"])
@pytest.mark.parametrize("names", SERVICES.values(), ids=SERVICES)
def test_nothing_else_differs(native: NativeProcess, names: tuple[str, ...], engine: str) -> None:
    native.must("load", modules=list(paths(names).items()))
    random = Random(f"{names}")
    compared = 0
    with marine_gen.load(paths(names), engine=engine) as service:
        for module, interface in service.interface.modules.items():
            for function, ty in interface.functions.items():
                for _ in range(CALLS if ty.params else 1):
                    given = [value(random, item.type, interface.records) for item in ty.params]
                    text = json.dumps(given)
                    mine, marines = ours(service, module, function, text), theirs(native, module, function, text)
                    assert (mine is None) == (marines is None), (module, function, text, mine, marines)
                    assert mine is None or close(list(mine), list(marines)), (module, function, text, mine, marines)
                    compared += 1
    assert compared


DIFFERENCES: Mapping[str, tuple[str, str, str, Any]] = {
    "-0 is an integer here": ("arguments_passing_effector", "i32_type", "[-0]", None),
    "a large u32 is passed here": ("arguments_passing_effector", "u32_type", "[4294967295]", None),
    "a large u64 is passed here": ("arguments_passing_effector", "u64_type", "[18446744073709551615]", None),
}
"""Calls that succeed here and fail on Marine."""


@pytest.mark.parametrize(("module", "function", "text", "marines"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_known_differences_are_there(
    native: NativeProcess, module: str, function: str, text: str, marines: Any
) -> None:
    native.must("load", modules=list(paths((module,)).items()))
    assert theirs(native, module, function, text) == marines
    with marine_gen.load(paths((module,))) as service:
        assert ours(service, module, function, text) is not None


def test_decimals_are_rounded_correctly_here(native: NativeProcess) -> None:
    """Marine's reader is up to two units in the last place off for some decimals."""
    module, function = "arguments_passing_effector", "f64_type"
    native.must("load", modules=list(paths((module,)).items()))
    random = Random("decimals")
    off = 0
    with marine_gen.load(paths((module,))) as service:
        plain = service.call(module, function, [0.0])
        for _ in range(200):
            text = repr(random.uniform(-1e6, 1e6) * 10.0 ** random.randint(-250, 250))
            (mine,), (marines,) = (
                ours(service, module, function, f"[{text}]"),
                theirs(native, module, function, f"[{text}]"),
            )
            assert mine == service.call(module, function, [float(text)])
            off += mine != marines
    assert plain is not None
    assert off
