"""Programs that say that they are done while `_start` runs: it returns, and what follows in them does not run."""

from __future__ import annotations

import pytest
import wasmtime

from marine_gen.wasm import program_exit
from marine_gen.wasm.program_exit import with_program_exit
from marine_gen.wasm.signatures import read_signatures
from tests.guests.descriptions import GUESTS
from tests.support.engines import guest

HEAD = """(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (global $steps (export "steps") (mut i32) (i32.const 0))
  (func $step (global.set $steps (i32.add (global.get $steps) (i32.const 1))))
  (func $leave (param $code i32) (call $exit (local.get $code)) unreachable)
  (func $no_way (call $step))
  (func (export "later") (param i32) (result i32) (call $leave (local.get 0)) (i32.const 1))
"""
DONE = {
    "at once": '(func (export "_start") (call $step) (call $exit (i32.const 0)) (call $step) unreachable)',
    "below": '(func (export "_start") (call $step) (call $leave (i32.const 0)) (call $step))',
    "in a loop": """(func (export "_start") (loop $l
        (if (i32.eq (global.get $steps) (i32.const 1)) (then (call $leave (i32.const 0)))) (call $step) (br $l)))""",
    "with results": """(func $many (result i32 i64 f32 f64) (call $leave (i32.const 0))
        (i32.const 1) (i64.const 1) (f32.const 1) (f64.const 1))
      (func $one (param i64) (result f64) (local i32 f32) (call $many) (return))
      (func (export "_start") (call $step) (i32.const 7) (drop (call $one (i64.const 1))) (call $step) drop)""",
    "by a tail call": """(func $tail (param i32) (return_call $exit (local.get 0)))
      (func (export "_start") (call $step) (call $tail (i32.const 0)) (call $step))""",
    "by recursion": """(func $down (param i32) (if (i32.eqz (local.get 0)) (then (call $leave (i32.const 0))))
        (call $down (i32.sub (local.get 0) (i32.const 1))) (call $step))
      (func (export "_start") (call $step) (call $down (i32.const 20)) (call $step))""",
    "before another way": """(func $other (call $leave (i32.const 9)))
      (func (export "_start") (call $step) (call $leave (i32.const 0)) (call $other))""",
    "in a try": """(tag $e) (func (export "_start") (call $step)
        (block $out (try_table (catch_all $out) (call $leave (i32.const 0)))) (call $step))""",
}
ENDS = {
    "a code": '(func (export "_start") (call $leave (i32.const 3)))',
    "through a table": """(type $t (func (param i32))) (table funcref (elem $leave))
      (func (export "_start") (call_indirect (type $t) (i32.const 0) (i32.const 0)) (call $leave (i32.const 0)))""",
    "a result without zero": """(func $any (result (ref func)) (call $leave (i32.const 0)) (ref.func $any))
      (elem declare func $any) (func (export "_start") (drop (call $any)))""",
    "another initialiser": '(func (export "_initialize") (call $leave (i32.const 0)))',
}


class ExitedError(Exception):
    """The exception of `proc_exit` in the tests."""


def running(text: str) -> tuple[wasmtime.Store, wasmtime.Instance]:
    made = with_program_exit(bytes(wasmtime.wat2wasm(f"{HEAD}{text})")))
    config = wasmtime.Config()
    config.wasm_exceptions = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)

    def leave(code: int) -> None:
        raise ExitedError(code)

    ty = wasmtime.FuncType([wasmtime.ValType.i32()], [])
    return store, wasmtime.Instance(store, wasmtime.Module(engine, made), [wasmtime.Func(store, ty, leave)])


@pytest.mark.parametrize("title", DONE)
def test_a_program_that_is_done_returns(title: str) -> None:
    store, instance = running(DONE[title])
    exports = instance.exports(store)
    exports["_start"](store)  # type: ignore[operator]
    assert exports["steps"].value(store) == 1  # type: ignore[union-attr]
    with pytest.raises(ExitedError, match="0"):
        exports["later"](store, 0)  # type: ignore[operator]


@pytest.mark.parametrize("title", ENDS)
def test_other_ends_are_what_they_were(title: str) -> None:
    store, instance = running(ENDS[title])
    exports = instance.exports(store)
    name = "_start" if "_start" in ENDS[title] else "_initialize"
    with pytest.raises(ExitedError, match="3" if title == "a code" else "0"):
        exports[name](store)  # type: ignore[operator]


def test_other_modules_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for item in GUESTS:
        assert with_program_exit(guest(item.name)) == guest(item.name)
    never = bytes(wasmtime.wat2wasm(f'{HEAD} (func (export "_start") (call $no_way)))'))
    assert with_program_exit(never) == never
    done = bytes(wasmtime.wat2wasm(f"{HEAD} {DONE['below']})"))
    assert with_program_exit(done) != done
    assert read_signatures(with_program_exit(done)) == read_signatures(done)
    unknown = done.replace(b"\x00\x10\x00", b"\x00\x27\x00")  # an instruction that there is not
    assert with_program_exit(unknown) == unknown
    monkeypatch.setattr(program_exit, "MOST", 1)
    assert with_program_exit(done) == done
