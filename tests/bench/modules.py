"""Guest modules that do almost nothing, made from Wasm text: what a call costs is then what the runtime costs.

Memory is taken from one end and given back all at once, by `release_objects`. The adapters are generated from
descriptions, as for any other module.
"""

from __future__ import annotations

from marine_gen.generate import generate
from marine_gen.idl import parse_description
from marine_gen.interfaces import Interfaces
from marine_runtime.abi.layout import Form, is_flat, layout_of
from marine_runtime.types import FunctionType
from tests.bench.shapes import SHAPES, Shape
from tests.support.echo import raw_wat
from tests.support.engines import assemble

_ABI = """
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (global $ptr (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (func (export "allocate") (param $count i32) (param $tag i32) (result i32)
    (local $block i32) (local $end i32)
    (if (i32.eqz (local.get $count)) (then (return (i32.const 0))))
    (local.set $block (global.get $next))
    ;; Elements of tags 2, 6 and 7 to 10 are wider than a byte; eight bytes are enough for all of them.
    (local.set $end (i32.add (local.get $block) (select
      (i32.and (i32.add (local.get $count) (i32.const 7)) (i32.const -8))
      (i32.mul (local.get $count) (i32.const 8))
      (i32.or (i32.le_u (local.get $tag) (i32.const 1)) (i32.eq (local.get $tag) (i32.const 5))))))
    (if (i32.gt_u (local.get $end) (i32.mul (memory.size) (i32.const 65536))) (then
      (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1) (i32.div_u
            (i32.sub (local.get $end) (i32.mul (memory.size) (i32.const 65536))) (i32.const 65536)))))
        (then (return (i32.const 0))))))
    (global.set $next (local.get $end))
    (local.get $block))
  (func (export "release_objects") {release})
  (func (export "get_result_size") (result i32) (global.get $size))
  (func (export "get_result_ptr") (result i32) (global.get $ptr))
  (func (export "set_result_size") (param i32) (global.set $size (local.get 0)))
  (func (export "set_result_ptr") (param i32) (global.set $ptr (local.get 0)))
"""
_RESET = "(global.set $next (i32.const 1024))"


def echo(shape: Shape, functions: int = 0) -> bytes:
    """A module that exports `echo`, which gives back what it gets.

    Args:
        shape: the type of its parameter and result.
        functions: how many more of that kind it exports, as `echo0` and so on.
    """
    names = ["echo", *(f"echo{number}" for number in range(functions))]
    lines = "".join(f"  fn {name}(value: {shape.type}) -> {shape.type}\n" for name in names)
    interfaces = generate(shape.described(f"export:\n{lines}"))
    fields = [f'(func (export "{name}") {raw_wat(shape.signature)} {_echo(shape.signature)})' for name in names]
    return _module(interfaces, fields)


def looping(shape: Shape, callee: str) -> bytes:
    """A module that exports `many`, which calls `echo` of the module `callee` so many times, and gives that number."""
    blocks = f"import {callee}:\n  fn echo(value: {shape.type}) -> {shape.type}\n"
    blocks += f"export:\n  fn many(n: u32, value: {shape.type}) -> u32\n"
    carriers = [str(carrier) for carrier in layout_of(shape.signature.params[0].type).carrier]
    arguments = " ".join(f"(local.get {index + 1})" for index in range(len(carriers)))
    drop = "drop" if is_flat(shape.signature.results[0]) else ""
    fields = [
        f"""(func (export "many") (param i32 {" ".join(carriers)}) (result i32) (local $left i32) (local $mark i32)
    (local.set $left (local.get 0))
    (local.set $mark (global.get $next))
    (block $done (loop $again
      (br_if $done (i32.eqz (local.get $left)))
      (call $import {arguments}) {drop}
      ;; What the import gave is not needed any more; the argument is.
      (global.set $next (local.get $mark))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $again)))
    {_RESET}
    (local.get 0))"""
    ]
    # The argument belongs to the module while it loops, so a release in the middle must not take it away.
    return _module(generate(shape.described(blocks)), fields, _import(callee, shape.signature), release="")


def chain(length: int) -> dict[str, bytes]:
    """Modules of which each hands a string on to the one before; the first of them, which is loaded first, echoes."""
    shape = SHAPES["string"]
    modules = {"m0": echo(shape)}
    for number in range(1, length):
        blocks = (
            f"import m{number - 1}:\n  fn echo(value: string) -> string\nexport:\n  fn echo(value: string) -> string\n"
        )
        forward = f'(func (export "echo") {raw_wat(shape.signature)} (call $import (local.get 0) (local.get 1)))'
        interfaces = generate(parse_description(blocks, "chain.idl"))
        modules[f"m{number}"] = _module(interfaces, [forward], _import(f"m{number - 1}", shape.signature))
    return modules


def _import(module: str, signature: FunctionType) -> str:
    return f'(import "{module}" "echo" (func $import {raw_wat(signature)}))'


def _echo(signature: FunctionType) -> str:
    result = layout_of(signature.results[0])
    if result.form is Form.FLAT:
        return "(local.get 0)"
    size = "(global.set $size (local.get 1))" if result.form is Form.PAIR else ""
    return f"(global.set $ptr (local.get 0)) {size}"


def _module(interfaces: Interfaces, fields: list[str], head: str = "", release: str = _RESET) -> bytes:
    return assemble("\n".join(["(module", head, _ABI.format(release=release), *fields, ")"]), interfaces)


def empty() -> bytes:
    """A module with a function that takes and does nothing."""
    interfaces = generate(parse_description("export:\n  fn nothing()\n", "empty.idl"))
    return _module(interfaces, ['(func (export "nothing"))'])
