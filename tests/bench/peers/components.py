"""A WebAssembly component through `wasmtime.component`, and components that call each other inside Wasmtime.

The components are made as text, with the same bump allocator as modules.py has. Records are tuples here: they lie in
memory alike, and need no names.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import wasmtime
from wasmtime import component

from marine_gen.bench.machine import installed_version
from marine_runtime.types import Array, IType, Prim, Record, RecordType
from tests.bench.fresh import run_fresh
from tests.bench.model import Case
from tests.bench.peers.base import Contender, NotMeasuredError, contender, least_loops, no_result
from tests.bench.shapes import SHAPES, Shape

_ALIGNMENT = {"bool": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "s64": 8, "u64": 8, "f64": 8}
_SIZES = _ALIGNMENT | {"string": 8, "list": 8}
_STORES = {1: "i32.store8", 2: "i32.store16", 4: "i32.store", 8: "i64.store"}
_MOST_FLAT = 16
"""Parameters of more core values than this are passed in memory, by the canonical ABI."""

LARGEST_BYTES = 2**16

LOOPS = {"u64s": 20_000, "strings": 4000, "records": 4000}
"""The least number of repetitions of a call between components, by what crosses; 20,000 for what is not here."""

_MEMORY = """
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $block i32) (local $end i32)
    (local.set $block (global.get $next))
    (local.set $end (i32.and (i32.add (i32.add (local.get $block) (local.get 3)) (i32.const 7)) (i32.const -8)))
    (if (i32.gt_u (local.get $end) (i32.mul (memory.size) (i32.const 65536))) (then
      (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1) (i32.div_u
            (i32.sub (local.get $end) (i32.mul (memory.size) (i32.const 65536))) (i32.const 65536)))))
        (then unreachable))))
    (global.set $next (local.get $end))
    (local.get $block))
"""
_CANON = '(memory (core memory ${0} "memory")) (realloc (core func ${0} "realloc"))'


def type_text(ty: IType, shape: Shape) -> str:
    """A type of ours as a component type."""
    if isinstance(ty, Record):
        record = shape.interfaces.types[ty.id]
        assert isinstance(record, RecordType)
        return f"(tuple {' '.join(type_text(item.type, shape) for item in record.fields)})"
    if isinstance(ty, Array):
        return f"(list {type_text(ty.element, shape)})"
    if ty is Prim.BYTE_ARRAY:
        return "(list u8)"
    return {"boolean": "bool"}.get(str(ty), str(ty))


def flat(ty: IType, shape: Shape) -> list[str]:
    """Component types of the leaves of a value: what has one core value, or two for strings and lists."""
    if isinstance(ty, Record):
        record = shape.interfaces.types[ty.id]
        assert isinstance(record, RecordType)
        return [leaf for item in record.fields for leaf in flat(item.type, shape)]
    text = type_text(ty, shape)
    return ["list" if text.startswith("(list") else text]


def _core(leaf: str) -> list[str]:
    if leaf in ("string", "list"):
        return ["i32", "i32"]
    return [{"s64": "i64", "u64": "i64", "f32": "f32", "f64": "f64"}.get(leaf, "i32")]


def echo_text(shape: Shape, prefix: str = "") -> str:
    """The text of a component that exports `echo` over a shape; with a prefix, every string gets it, as a greeting."""
    ty = shape.signature.params[0].type
    leaves = flat(ty, shape)
    cores = [core for leaf in leaves for core in _core(leaf)]
    if prefix:
        body = _greet(len(prefix))
        head = f'(data (i32.const 16) "{prefix}")'
    elif len(cores) == 1:
        body, head = f"(param {cores[0]}) (result {cores[0]}) (local.get 0)", ""
    elif len(cores) > _MOST_FLAT:
        # The value lies in this memory already, where its result may be read.
        body, head = "(param i32) (result i32) (local.get 0)", ""
    else:
        body, head = _store(leaves, cores), ""
    text, reset = type_text(ty, shape), ""
    if len(cores) > 1:
        reset = '(post-return (core func $i "reset"))'
    return f"""(component
  (core module $m {_MEMORY} {head}
    (func (export "reset") (param i32) (global.set $next (i32.const 1024)))
    (func (export "echo") {body}))
  (core instance $i (instantiate $m))
  (func (export "echo") (param "value" {text}) (result {text})
    (canon lift (core func $i "echo") {_CANON.format("i")} {reset})))"""


def _store(leaves: list[str], cores: list[str]) -> str:
    """A core function that stores its parameters where the result is read, aligned as the canonical ABI says."""
    lines, offset, index = [], 0, 0
    for leaf in leaves:
        alignment = _ALIGNMENT.get(leaf, 4)
        offset = -(-offset // alignment) * alignment
        for core in _core(leaf):
            size = _SIZES.get(leaf, 4) // len(_core(leaf))
            store = f"{core}.store" if core.startswith("f") else _STORES[size]
            lines.append(f"({store} offset={offset} (i32.const 256) (local.get {index}))")
            offset, index = offset + size, index + 1
    return f"(param {' '.join(cores)}) (result i32) {' '.join(lines)} (i32.const 256)"


def _greet(size: int) -> str:
    return f"""(param i32 i32) (result i32) (local $block i32)
      (local.set $block (global.get $next))
      (memory.copy (local.get $block) (i32.const 16) (i32.const {size}))
      (memory.copy (i32.add (local.get $block) (i32.const {size})) (local.get 0) (local.get 1))
      (i32.store (i32.const 256) (local.get $block))
      (i32.store (i32.const 260) (i32.add (local.get 1) (i32.const {size})))
      (i32.const 256)"""


def _importing(text: str) -> str:
    """The parts of a component that imports `echo` over a type: a memory, and `echo` for core code."""
    return f"""
    (import "echo" (func $echo (param "value" {text}) (result {text})))
    {LOWERING}"""


LOWERING = f"""(core module $memory {_MEMORY} (export "next" (global $next)))
    (core instance $mem (instantiate $memory))
    (core func $lowered (canon lower (func $echo) {_CANON.format("mem")}))"""
"""The memory of a component, and its imported `echo` for core code."""


def chain_text(length: int) -> str:
    """A component of so many, each of which hands a string on to the one before; the first of them echoes."""
    first = echo_text(SHAPES["string"]).replace("(component", "(component $c0", 1)
    others = "\n".join(map(_handing_on, range(1, length)))
    return f"""(component
  {first}
  (instance $i0 (instantiate $c0))
  {others}
  (export "echo" (func $i{length - 1} "echo")))"""


def _handing_on(number: int) -> str:
    """The component of that number in a chain, with its instance."""
    return f"""
  (component $c{number} {_importing("string")}
    (core module $m
      (import "env" "echo" (func $echo (param i32 i32 i32)))
      (import "env" "next" (global $next (mut i32)))
      (func (export "reset") (param i32) (global.set $next (i32.const 1024)))
      (func (export "echo") (param i32 i32) (result i32)
        (call $echo (local.get 0) (local.get 1) (i32.const 256))
        (i32.const 256)))
    (core instance $i (instantiate $m (with "env" (instance
      (export "echo" (func $lowered))
      (export "next" (global $mem "next"))))))
    (func (export "echo") (param "value" string) (result string)
      (canon lift (core func $i "echo") {_CANON.format("mem")} (post-return (core func $i "reset")))))
  (instance $i{number} (instantiate $c{number} (with "echo" (func $i{number - 1} "echo"))))"""


def looping_text(shape: Shape) -> str:
    """A component of two: one calls `echo` of the other so many times, and gives that number."""
    importing = _importing(type_text(shape.signature.params[0].type, shape))
    return f"""(component
  {echo_text(shape).replace("(component", "(component $callee", 1)}
  {caller_text(shape, importing).replace("(component", "(component $caller", 1)}
  (instance $callee (instantiate $callee))
  (instance $caller (instantiate $caller (with "echo" (func $callee "echo"))))
  (export "many" (func $caller "many")))"""


def caller_text(shape: Shape, importing: str) -> str:
    """A component that calls the `echo` of what it imports so many times, and gives that number.

    The value comes from the host, but for bytes: the host converts those one by one, so the component takes a block of
    its own, and its parameter is their number.
    """
    ty = shape.signature.params[0].type
    text_in, prelude = type_text(ty, shape), ""
    cores = [core for leaf in flat(ty, shape) for core in _core(leaf)]
    in_memory = len(cores) > _MOST_FLAT
    params = ["i32"] if in_memory else cores
    # The parameters of `many` are one more than those of `echo`, and lie in memory when they are too many.
    spilled = len(cores) + 1 > _MOST_FLAT
    if spilled:
        offset = 8 if _wide(flat(ty, shape)) else 4
        signature, count = "(param i32) (result i32)", "(i32.load (local.get 0))"
        arguments = f"(i32.add (local.get 0) (i32.const {offset}))"
    elif shape.name == "bytes":
        signature, count, text_in = "(param i32 i32) (result i32)", "(local.get 0)", "u32"
        prelude = "(local.set $block (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get 1)))"
        arguments = "(local.get $block) (local.get 1)"
    else:
        signature, count = f"(param i32 {' '.join(cores)}) (result i32)", "(local.get 0)"
        arguments = " ".join(f"(local.get {index + 1})" for index in range(len(cores)))
    by_pointer = len(cores) > 1
    imported = (
        f"(param {' '.join(params)} {'i32' if by_pointer else ''}) {'' if by_pointer else f'(result {cores[0]})'}"
    )
    call = f"(call $echo {arguments} {'(i32.const 256)' if by_pointer else ''}) {'' if by_pointer else 'drop'}"
    return f"""(component {importing}
    (core module $m
      (import "env" "echo" (func $echo {imported}))
      (import "env" "memory" (memory 1))
      (import "env" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
      (import "env" "next" (global $next (mut i32)))
      (func (export "many") {signature} (local $left i32) (local $mark i32) (local $block i32)
        {prelude}
        (local.set $left {count})
        (local.set $mark (global.get $next))
        (block $done (loop $again
          (br_if $done (i32.eqz (local.get $left)))
          {call}
          (global.set $next (local.get $mark))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $again)))
        (global.set $next (i32.const 1024))
        {count}))
    (core instance $i (instantiate $m (with "env" (instance
      (export "echo" (func $lowered))
      (export "memory" (memory $mem "memory"))
      (export "realloc" (func $mem "realloc"))
      (export "next" (global $mem "next"))))))
    (func (export "many") (param "n" u32) (param "value" {text_in}) (result u32)
      (canon lift (core func $i "many") {_CANON.format("mem")})))"""


def _wide(leaves: list[str]) -> bool:
    return any(_ALIGNMENT.get(leaf, 4) == 8 for leaf in leaves)


def open_component(content: str | bytes, function: str, *, epochs: bool = False) -> Callable[..., Any]:
    """An exported function of a new instance, with checks for interruption or without."""
    config = wasmtime.Config()
    config.epoch_interruption = epochs
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    if epochs:
        store.set_epoch_deadline(2**62)
    instance = component.Linker(engine).instantiate(store, component.Component(engine, content))
    found = instance.get_func(store, function)
    assert found is not None
    return partial(found, store)


def component_of(shape: str, length: int) -> bytes:
    """The component whose function `echo` does the work of a shape; the shape `chain` takes so many.

    Raises:
        NotMeasuredError: there is none.
    """
    if shape == "greeting":
        text = echo_text(SHAPES["string"], "Hi, ")
    elif shape == "chain":
        text = chain_text(length)
    elif shape in SHAPES:
        text = echo_text(SHAPES[shape])
    else:
        raise NotMeasuredError("no component was made for this")
    return bytes(wasmtime.wat2wasm(text))


@dataclass(frozen=True, slots=True)
class Component:
    """Components with the same functions.

    Attributes:
        epochs: whether they can be interrupted, as modules of ours can; measured from component to component only.
    """

    epochs: bool = False

    @property
    def name(self) -> str:
        """Without checks for interruption it is what others measure."""
        return "component, interruptible" if self.epochs else "component"

    @property
    def about(self) -> str:
        """The description for the report."""
        version = installed_version("wasmtime")
        what = f"WebAssembly components that do the same work, through `wasmtime.component` {version}"
        return f"{what}, with checks for interruption (epochs)" if self.epochs else what

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if self.epochs and not case.crossing:
            raise NotMeasuredError("measured from component to component only")
        content = component_of(case.work.shape, len(case.work.modules))
        if case.kind in ("first call", "memory"):
            return run_fresh(case, "component", {})
        if case.kind == "cold load":
            return contender(partial(no_result, partial(open_component, content, "echo")))
        if case.kind != "call":
            raise NotMeasuredError(f"has nothing like this ({case.kind})")
        if case.crossing:
            return crossing(case, looping_text(SHAPES[case.work.shape]), epochs=self.epochs)
        if any(isinstance(item, bytes) and len(item) > LARGEST_BYTES for item in case.work.arguments):
            raise NotMeasuredError("wasmtime.component converts lists element by element; left out above 64 KiB")
        return contender(partial(open_component(content, "echo"), *case.work.arguments), case.work.per)


def crossing(case: Case, content: str | bytes, *, epochs: bool = False) -> Contender:
    """The loop of a component whose function `many` calls another one so many times."""
    if case.work.function in ("call_many", "bytes_many"):
        raise NotMeasuredError("takes part in the case whose guests allocate as its own do")
    work = case.work.longer(least_loops(case.work, LOOPS, 20_000))
    values = [len(item) if isinstance(item, bytes) else item for item in work.arguments]
    made = contender(partial(open_component(content, "many", epochs=epochs), *values), work.per)
    # The guests of a case may count what they got; a component counts its calls.
    if made.result != work.arguments[0]:
        raise NotMeasuredError("failed: gave a wrong number of calls")
    return Contender(made.watch, case.work.expected, made.per)
