"""The Wasm of host functions: what is between a guest and the Python functions that it imports.

The *stub* has a function for each import. It exists before the guest does, so it reaches the guest through a table that
the *worker* fills. The worker packs arguments out of the guest's memory, and lowers packed results into it. Neither
knows types when it is compiled: both are given programs, tables that describe a type place by place (`host_programs`).

The state of a walk lies in staging, as the guest's `allocate` may call the host, which begins another one:

    0    row, 4 top of the bodies that are being built, 8 cursor or length of the row's text (i64)
    16   cursor or extent of each column (i64), then the separator of each column of strings (i64)
"""

from __future__ import annotations

from marine_runtime.abi.helpers import AbiHelper
from marine_runtime.adapters.host_arguments import ARGUMENTS
from marine_runtime.adapters.host_results import RESULTS
from marine_runtime.adapters.staging import DATA, FAULT_KIND, FAULT_VALUES, FREE, SLACK, STACK_TOP, Fault
from marine_runtime.lazy.data import dataclass

_CORE = {"i": "i32", "I": "i32", "q": "i64", "Q": "i64", "f": "f32", "d": "f64"}


@dataclass(frozen=True, slots=True)
class StubFunction:
    """An import of the stub.

    Attributes:
        params: codes of its parameters.
        results: codes of its results; one at most.
        packed: for each packed argument the number of its first parameter, and its program.
        result: the program of its result, 0 for none.
        position: its position for the site table.
    """

    params: str
    results: str
    packed: tuple[tuple[int, int], ...]
    result: int
    position: int


def stub_text(functions: list[StubFunction]) -> str:
    """The stub with these functions, each exported under its number."""
    imports = "\n".join(_import(number, function) for number, function in enumerate(functions))
    defined = "\n".join(_function(number, function) for number, function in enumerate(functions))
    return f"""(module $host_stub
  (import "0" "staging" (memory $staging 1))
{imports}
  (table (export "table") 2 funcref)
  (global $linked (export "linked") (mut i32) (i32.const 0))
  (type $pack (func (param i32 i32 i32) (result i32)))
  (type $place (func (param i32 i32 i32)))
{defined}
)
"""


def _import(number: int, function: StubFunction) -> str:
    params = "".join(f" (param {_CORE[code]})" for code in function.params) + " (param i32)" * len(function.packed)
    return f'  (import "2" "{number}" (func $host{number}{params} (param i32) (result {_result(function)})))'


def _result(function: StubFunction) -> str:
    return _CORE[function.results] if function.results else "i32"


def _function(number: int, function: StubFunction) -> str:
    """A function of the stub. What may fail in Wasm has its position on the stack of positions."""
    params = "".join(f" (param $p{at} {_CORE[code]})" for at, code in enumerate(function.params))
    given = f" (result {_CORE[function.results]})" if function.results else ""
    addresses = range(len(function.packed))
    values = [*(f"(local.get $p{at})" for at in range(len(function.params)))]
    values += [*(f"(local.get $a{at})" for at in addresses), "(local.get $at)"]
    return f"""\
  (func (export "{number}"){params}{given}
    (local $here i32) (local $free i32) (local $at i32) (local $result {_result(function)})
    {" ".join(f"(local $a{at} i32)" for at in addresses)}
    (local.set $here (i32.load $staging (i32.const {STACK_TOP})))
    (local.set $free (i32.load $staging (i32.const {FREE})))
    (if (i32.ge_u (local.get $here) (i32.const {DATA}))  ;; check: host depth of calls
      (then (i32.store $staging (i32.const {FAULT_KIND}) (i32.const {int(Fault.DEPTH)})) (unreachable)))
    {_packing(function)}
    (local.set $at (i32.load $staging (i32.const {FREE})))
    (local.set $result (call $host{number} {" ".join(values)}))
    {_placing(function)}
    (i32.store $staging (i32.const {FREE}) (local.get $free))
    {"(local.get $result)" if function.results else ""})"""


def _packing(function: StubFunction) -> str:
    if not function.packed:
        return ""
    calls = []
    for at, (first, program) in enumerate(function.packed):
        length = f"(local.get $p{first + 1})" if program & 1 else "(i32.const 0)"
        operands = f"(i32.const {program}) (local.get $p{first}) {length} (i32.const 0)"
        calls.append(f"(local.set $a{at} (call_indirect (type $pack) {operands}))")
    return f"(if (global.get $linked) (then {_marked(function, calls)}))"


def _placing(function: StubFunction) -> str:
    if not function.result:
        return ""
    operands = f"(i32.const {function.result}) (local.get $at) (local.get $result) (i32.const 1)"
    placed = _marked(function, [f"(call_indirect (type $place) {operands})"])
    return f"(if (local.get $result) (then {placed}))"


def _marked(function: StubFunction, lines: list[str]) -> str:
    """Instructions with the position of a function on the stack."""
    top = f"i32.store $staging (i32.const {STACK_TOP})"
    mark = f"(i32.store $staging (local.get $here) (i32.const {function.position}))"
    before = [mark, f"({top} (i32.add (local.get $here) (i32.const 4)))"]
    return "\n      ".join([*before, *lines, f"({top} (local.get $here))"])


WORKER = f"""\
(module $host_worker
  (import "0" "staging" (memory $staging 1))
  (import "0" "programs" (memory $programs 1))
  (import "0" "table" (table 2 funcref))
  (import "0" "linked" (global $linked (mut i32)))
  (import "1" "memory" (memory $guest 0))
  (import "1" "{AbiHelper.ALLOCATE.export}" (func $allocate (param i32 i32) (result i32)))
  (import "1" "{AbiHelper.SET_RESULT_PTR.export}" (func $set_result_ptr (param i32)))
  (import "1" "{AbiHelper.SET_RESULT_SIZE.export}" (func $set_result_size (param i32)))
  (elem (i32.const 0) func $pack $place)
  (global $left (mut i64) (i64.const 0))
  (global $bad (mut i32) (i32.const 0))
  (start $link)
  (func $link (global.set $linked (i32.const 1)))

  ;; A word of a program.
  (func $kind (param $node i32) (result i32) (i32.load $programs (local.get $node)))
  (func $row_offset (param $node i32) (result i32) (i32.load $programs offset=4 (local.get $node)))
  (func $counts (param $node i32) (result i32) (i32.load $programs offset=8 (local.get $node)))
  (func $content (param $node i32) (result i32) (i32.load $programs offset=12 (local.get $node)))
  (func $size (param $node i32) (result i32) (i32.load $programs offset=16 (local.get $node)))
  (func $more (param $node i32) (result i32) (i32.load $programs offset=20 (local.get $node)))
  (func $part (param $node i32) (result i32) (i32.load $programs offset=24 (local.get $node)))

  ;; Take room behind what is taken; 0 when there is none.
  (func $take (param $size i64) (result i32)
    (local $at i32) (local $end i64) (local $missing i64)
    (local.set $at (i32.load $staging (i32.const {FREE})))
    (local.set $end (i64.add (i64.extend_i32_u (local.get $at)) (i64.add (local.get $size) (i64.const {SLACK}))))
    (if (i64.gt_u (local.get $end) (i64.const 0xffffffff)) (then (return (i32.const 0))))
    (local.set $missing (i64.sub (local.get $end)
      (i64.shl (i64.extend_i32_u (memory.size $staging)) (i64.const 16))))
    (if (i64.gt_s (local.get $missing) (i64.const 0))
      (then (if (i32.eq (i32.const -1) (memory.grow $staging (i32.wrap_i64
          (i64.shr_u (i64.add (local.get $missing) (i64.const 65535)) (i64.const 16)))))
        (then (return (i32.const 0))))))
    (i32.store $staging (i32.const {FREE}) (i32.wrap_i64 (local.get $end)))
    (local.get $at))

  (func $fault (param $kind i32) (param $first i64) (param $second i64) (param $third i64)
    (i32.store $staging (i32.const {FAULT_KIND}) (local.get $kind))
    (i64.store $staging (i32.const {FAULT_VALUES}) (local.get $first))
    (i64.store $staging (i32.const {FAULT_VALUES + 8}) (local.get $second))
    (i64.store $staging (i32.const {FAULT_VALUES + 16}) (local.get $third))
    (unreachable))

  ;; True where one of 8 bytes is 0.
  (func $zero (param $word i64) (result i32)
    (i64.ne (i64.const 0) (i64.and (i64.const 0x8080808080808080)
      (i64.and (i64.xor (local.get $word) (i64.const -1)) (i64.sub (local.get $word) (i64.const 0x0101010101010101))))))

  (func $add (param $at i32) (param $by i64)
    (i64.store $staging (local.get $at) (i64.add (i64.load $staging (local.get $at)) (local.get $by))))

  ;; What is at a cursor, which moves on.
  (func $next (param $cursor i32) (param $by i32) (result i32)
    (local $at i32)
    (local.set $at (i32.load $staging (local.get $cursor)))
    (i32.store $staging (local.get $cursor) (i32.add (local.get $at) (local.get $by)))
    (local.get $at))

{ARGUMENTS}
{RESULTS})
"""
