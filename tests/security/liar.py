"""A guest that lies on command, as Wasm text: in every ABI helper, in results, in what it passes to its imports.

`tell` arms a lie: the helper, the act, a number for it, and how many honest calls come first. It takes and returns
plain numbers, so it works whatever the helpers do. Everything else echoes: `TYPE` returns what it gets, `at_TYPE`
returns whatever lies at an address, `pass_TYPE` passes it to the module `neighbour`, `host_TYPE` to a host function.

This makes the modules; which lies are tried is in `cases`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Type,
    Vector,
    generate,
)
from marine_gen.interfaces import Interfaces
from marine_runtime import HostFunction
from marine_runtime.types import FunctionType, Prim, Record, RecordType
from tests.security.maze import MAZE
from tests.support.echo import PAGE, Memory, echo_module, function, raw_wat
from tests.support.engines import assemble

HELPERS = ("allocate", "release_objects", "get_result_size", "get_result_ptr", "set_result_size", "set_result_ptr")
"""The ABI helpers, in the order of the call-core index space."""

ACTS = (
    "honest",
    "constant",  # gives, or stores, the number
    "trap",
    "loop",
    "exit",  # proc_exit with the number
    "call_back",  # a host function that calls the service
    "reenter",  # calls an import once, with a good value; what happens inside is honest
    "descend",  # the same without end: the helper is called again inside
    "recurse",  # without end, in Wasm alone
    "shift",  # the honest number, and the number more
    "drift",  # the honest number, and more with every call
    "bad_import",  # calls an import with an address outside
    "grow",  # by that many pages, then is honest
    "scribble",  # fills the whole memory with 0xff
)

RECORDS = (
    RecordDeclaration("Pair", (Member("id", Prim.U8), Member("text", Prim.STRING))),
    RecordDeclaration("Byte", (Member("id", Prim.U8),)),
    RecordDeclaration("Node", (Member("children", Vector(Named("Node"))),)),
    # Both fields of a body can lead to the same place, without any array.
    RecordDeclaration("Twin", (Member("left", Named("Pair")), Member("right", Named("Pair")))),
)

TYPES: Mapping[str, Type] = {
    "text": Prim.STRING,
    "bytes": Vector(Prim.U8),
    "numbers": Vector(Prim.U64),
    "flags": Vector(Prim.BOOLEAN),
    "texts": Vector(Prim.STRING),
    "grid": Vector(Vector(Prim.STRING)),
    "pair": Named("Pair"),
    "pairs": Vector(Named("Pair")),
    "specks": Vector(Named("Byte")),
    "twin": Named("Twin"),
    "node": Named("Node"),
}
"""Types of the functions, by the last part of their names."""

TELL = function("tell", Prim.U32, Prim.U32, Prim.U32, Prim.U32, result=Prim.U32)
INTACT = function("intact", result=Prim.U32)
_ECHOES = tuple(function(name, ty) for name, ty in TYPES.items())
_AT = tuple(function(f"at_{name}", Prim.U32, Prim.U32, result=ty) for name, ty in TYPES.items())
_PASS = tuple(function(f"pass_{name}", Prim.U32, Prim.U32, result=Prim.U32) for name in TYPES)
_HOST = tuple(function(f"host_{name}", Prim.U32, Prim.U32, result=Prim.U32) for name in TYPES)

PAGES = 2
"""Pages of the liar's memory."""

BLOCKS = PAGE
"""The address of its first block; below are the maze and results."""

HELD = 64
"""Address of the honest text that `reenter` passes on."""

_CANARY = 0xA5

# Blocks of the honest modules come last; the page before them is only ever touched by a stray write.
_HONEST = Memory(pages=3, base=2 * PAGE, limit=64)
_INTACT = "(call $intact)"
_CANARY_PAGE = f"""(func $intact (result i32) (local $at i32)
  (local.set $at (i32.const {PAGE}))
  (loop $next
    (if (i64.ne (i64.load (local.get $at)) (i64.const {_CANARY * 0x0101010101010101})) (then (return (i32.const 0))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const {2 * PAGE}))))
  (i32.const 1))
  (func (export "_initialize")
  (memory.fill (i32.const {PAGE}) (i32.const {_CANARY}) (i32.const {PAGE})))"""


@cache
def neighbour() -> bytes:
    """An honest module that echoes; `intact` says whether the page that nobody may write to is as it was."""
    return echo_module(Description(RECORDS, (*_ECHOES, INTACT)), _HONEST, {"intact": _INTACT}, _CANARY_PAGE)


@cache
def outer() -> bytes:
    """An honest module that forwards everything to `liar`."""
    passed = (*_ECHOES, *_AT)
    imported = ExternModule("liar", tuple(map(ImportedFunction, passed)))
    description = Description(RECORDS, (*passed, INTACT), (imported,))
    return echo_module(description, _HONEST, {"intact": _INTACT}, _CANARY_PAGE)


@cache
def liar() -> bytes:
    """The liar; it imports `neighbour`, functions of the host, and `proc_exit`."""
    interfaces = generate(_description())
    return assemble(liar_wat(interfaces), interfaces)


def _description() -> Description:
    exports = (*_ECHOES, *_AT, *_PASS, *_HOST, TELL)
    return Description(RECORDS, exports, (ExternModule("neighbour", tuple(map(ImportedFunction, _ECHOES))),))


def helper_function(name: str, body: str = "") -> str:
    """An ABI helper of the liar as Wasm text; `body` stands for what it does, which is to lie on command."""
    number = HELPERS.index(name)
    honest = {
        "allocate": "(call $block (local.get 0))",
        "get_result_size": "(global.get $size)",
        "get_result_ptr": "(global.get $ptr)",
        "set_result_size": "(local.get 0)",
        "set_result_ptr": "(local.get 0)",
    }.get(name, "(i32.const 0)")
    said = body or f"(call $lie (i32.const {number}) {honest})"
    head = f'(func $helper{number} (export "{name}")'
    if name == "allocate":
        return f"{head} (param i32 i32) (result i32) {said})"
    if name == "release_objects":
        return f"{head} (drop {said}) (global.set $next (i32.const {BLOCKS})))"
    if name.startswith("get"):
        return f"{head} (result i32) {said})"
    return f"{head} (param i32) (global.set ${'size' if name.endswith('size') else 'ptr'} {said}))"


def liar_wat(interfaces: Interfaces) -> str:
    """The Wasm text of the liar."""
    imports = interfaces.imports[::2]
    heads, calls = [], {}
    for position, item in enumerate(imports):
        ty = interfaces.types[item.type_index]
        assert isinstance(ty, FunctionType)
        heads.append(f'(import "neighbour" "{item.name}" (func $import{position} {raw_wat(ty)}))')
        heads.append(f'(import "host" "{item.name}" (func $host{position} {raw_wat(ty)}))')
        single = len(raw_wat(ty).split(")")[0].split()) == 2  # records are one address
        arguments = "(local.get 0)" if single else "(local.get 0) (local.get 1)"
        calls[f"pass_{item.name}"] = f"(call $import{position} {arguments}) (global.get $ptr)"
        calls[f"host_{item.name}"] = f"(call $host{position} {arguments}) (global.get $ptr)"
    lines = ["(module", *heads, _HEAD, _acts()]
    lines += [helper_function(name) for name in HELPERS]
    for export in interfaces.exports[6:]:
        ty = interfaces.types[export.type_index]
        assert isinstance(ty, FunctionType)
        body = calls.get(export.name) or (_TELL if export.name == "tell" else _RESULT)
        if body is _RESULT and export.name in TYPES and isinstance(ty.results[0], Record):
            body = "(global.set $ptr (local.get 0))"
        lines.append(f'(func (export "{export.name}") {raw_wat(ty)} {body})')
    return "\n".join([*lines, MAZE.data(), ")"])


_HEAD = f"""
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "host" "call_back" (func $call_back))
  (memory (export "memory") {PAGES} 64)
  (global $next (mut i32) (i32.const {BLOCKS}))
  (global $ptr (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (global $helper (mut i32) (i32.const -1))
  (global $act (mut i32) (i32.const 0))
  (global $number (mut i32) (i32.const 0))
  (global $patience (mut i32) (i32.const 0))
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const {HELD}) "held")
  (func $block (param $size i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func $endless (result i32) (i32.add (call $endless) (call $endless)))
"""
_RESULT = "(global.set $ptr (local.get 0)) (global.set $size (local.get 1))"
_TELL = f"""
  (global.set $helper (local.get 0)) (global.set $act (local.get 1))
  (global.set $number (local.get 2)) (global.set $patience (local.get 3))
  (global.set $calls (i32.const 0)) (global.set $next (i32.const {BLOCKS}))
  (i32.const 0)"""


def _acts() -> str:
    """The function that lies: from helper and honest number to what the helper gives."""
    held = f"(i32.const {HELD}) (i32.const 4)"
    acts = {
        "constant": "(return (global.get $number))",
        "trap": "unreachable",
        "loop": "(loop $l (br $l))",
        "grow": "(drop (memory.grow (global.get $number)))",
        "exit": "(call $exit (global.get $number))",
        "call_back": "(call $call_back)",
        "reenter": f"(global.set $helper (i32.const -1)) (call $import0 {held})",
        "descend": f"(call $import0 {held})",
        "recurse": "(return (call $endless))",
        "shift": "(return (i32.add (local.get $honest) (global.get $number)))",
        "drift": """(return (i32.add (local.get $honest)
                              (i32.mul (global.get $calls) (global.get $number))))""",
        "bad_import": "(global.set $helper (i32.const -1)) (call $import0 (i32.const -4) (i32.const 8))",
        "scribble": "(memory.fill (i32.const 0) (i32.const 255) (i32.mul (memory.size) (i32.const 65536)))",
    }
    branches = "\n".join(
        f"(if (i32.eq (global.get $act) (i32.const {ACTS.index(name)})) (then {code}))" for name, code in acts.items()
    )
    return f"""(func $lie (param $helper i32) (param $honest i32) (result i32)
      (if (i32.ne (global.get $helper) (local.get $helper)) (then (return (local.get $honest))))
      (if (global.get $patience) (then
        (global.set $patience (i32.sub (global.get $patience) (i32.const 1)))
        (return (local.get $honest))))
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      {branches}
      (local.get $honest))"""


def host_functions(call_back: Callable[[], object]) -> dict[str, HostFunction]:
    """Functions of the host: an echo of every type, and `call_back`."""
    interfaces = generate(_description())
    records = {index: ty for index, ty in enumerate(interfaces.types) if isinstance(ty, RecordType)}
    found = {"call_back": HostFunction.of(call_back)}
    for item in interfaces.imports[::2]:
        ty = interfaces.types[item.type_index]
        assert isinstance(ty, FunctionType)
        found[item.name] = HostFunction(lambda value: value, ty, records)
    return found
