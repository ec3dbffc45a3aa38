"""Modules that are no services at all: helpers that are missing or of another kind, initialisers that misbehave, odd
memories. Each is a small module with one function, `echo`, unless its adapters can't be written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from marine_gen.generate import Description, generate
from marine_runtime.types import Prim
from tests.security.liar import HELPERS
from tests.support.echo import function
from tests.support.engines import assemble

_INTERFACES = generate(Description(functions=(function("echo", Prim.STRING),)))

_MEMORY = '(memory (export "memory") 1 16)'
_HEAD = """
  (global $ptr (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (func $endless (result i32) (i32.add (call $endless) (call $endless)))
"""
_ECHO = """(func $echo (export "echo") (param i32 i32)
  (global.set $ptr (local.get 0)) (global.set $size (local.get 1)))"""
_HONEST = {
    "allocate": "(param i32 i32) (result i32) (i32.const 4096)",
    "release_objects": "",
    "get_result_size": "(result i32) (global.get $size)",
    "get_result_ptr": "(result i32) (global.get $ptr)",
    "set_result_size": "(param i32) (global.set $size (local.get 0))",
    "set_result_ptr": "(param i32) (global.set $ptr (local.get 0))",
}
_OTHER_SIGNATURES = {
    "nothing": "",
    "i64": "(param i64) (result i64) (i64.const 4096)",
    "f32": "(param f32 f32) (result f32) (f32.const 4096)",
    "two results": "(param i32 i32) (result i32 i32) (i32.const 4096) (i32.const 4096)",
    "three parameters": "(param i32 i32 i32) (result i32) (i32.const 4096)",
    "a reference": "(param externref) (result externref) (local.get 0)",
}


def _module(
    memory: str = _MEMORY, helpers: Mapping[str, str] | None = None, fields: str = "", echo: str = _ECHO
) -> dict[str, bytes]:
    """A module with other `helpers`: their signature and body, or a whole field, or nothing when empty."""
    imports = fields if fields.startswith("(import") else ""
    # Imports come before everything else.
    first, second = (memory, "") if memory.startswith("(import") else ("", memory)
    lines = ["(module", imports, first, second, _HEAD, echo]
    for name, text in {**_HONEST, **(helpers or {})}.items():
        if text.startswith("!"):
            lines.append(text[1:])
        else:
            lines.append(f'(func (export "{name}") {text})')
    lines += ["" if imports else fields, ")"]
    return {"m": assemble("\n".join(lines), _INTERFACES)}


def _starts() -> dict[str, Callable[[], dict[str, bytes]]]:
    """Initialisers that misbehave. WASI is there for them."""
    bodies = {
        "trap": "unreachable",
        "loop": "(loop $l (br $l))",
        "recurse": "(drop (call $endless))",
        "grow": "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))",
        "exit": "(call $exit (i32.const 3))",
        "exit 0": "(call $exit (i32.const 0))",
    }
    exit_import = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
    made = {}
    for title, body in bodies.items():
        for where, field in (
            ("start", f"(func $begin {body}) (start $begin)"),
            ("_initialize", f'(func (export "_initialize") {body})'),
            ("_start", f'(func (export "_start") {body})'),
        ):
            made[f"{where}: {title}"] = lambda field=field: _module(memory=exit_import + _MEMORY + field)
    made["_initialize: parameters"] = lambda: _module(fields='(func (export "_initialize") (param i32))')
    made["_start: result"] = lambda: _module(fields='(func (export "_start") (result i32) (i32.const 0))')
    return made


def _helpers() -> dict[str, Callable[[], dict[str, bytes]]]:
    made = {}
    for name in HELPERS:
        made[f"{name}: missing"] = lambda name=name: _module(helpers={name: "!"})
        made[f"{name}: a global"] = lambda name=name: _module(
            helpers={name: f'!(global (export "{name}") i32 (i32.const 7))'}
        )
        for title, text in _OTHER_SIGNATURES.items():
            made[f"{name}: {title}"] = lambda name=name, text=text: _module(helpers={name: text})
    return made


def _memories() -> dict[str, Callable[[], dict[str, bytes]]]:
    texts = {
        "none": "",
        "not exported": "(memory 1)",
        "empty": '(memory (export "memory") 0 0)',
        "another name": '(memory (export "other") 1)',
        "two": '(memory (export "a") 1) (memory (export "memory") 1)',
        "64-bit": '(memory (export "memory") i64 1)',
        "4 GiB": '(memory (export "memory") 65536)',
        "data outside": '(memory (export "memory") 1) (data (i32.const 65530) "0123456789")',
        "a table of 2^32-1": '(memory (export "memory") 1) (table 4294967295 funcref)',
        "imported": '(import "env" "memory" (memory 1)) (export "memory" (memory 0))',
        "of another module": '(import "neighbour" "memory" (memory 1)) (export "memory" (memory 0))',
    }
    return {f"memory: {title}": (lambda text=text: _module(memory=text)) for title, text in texts.items()}


def _functions() -> dict[str, Callable[[], dict[str, bytes]]]:
    texts = {
        "missing": "",
        "other parameters": '(func (export "echo") (param i64))',
        "a result too many": '(func (export "echo") (param i32 i32) (result i32) (i32.const 1))',
        "too few": '(func (export "echo") (param i32))',
        "a table": '(table (export "echo") 1 funcref)',
        "calls an import that is not there": '(import "host" "nowhere" (func $n)) ' + _ECHO,
    }
    made = {
        f"function: {title}": (lambda text=text: _module(memory=text + _MEMORY, echo=""))
        for title, text in texts.items()
    }
    made["WASI: no such function"] = lambda: _module(
        fields='(import "wasi_snapshot_preview1" "fd_steal" (func (param i32) (result i32)))'
    )
    made["WASI: another signature"] = lambda: _module(
        fields='(import "wasi_snapshot_preview1" "fd_write" (func (param i64) (result i32)))'
    )
    return made


MISFITS: Mapping[str, Callable[[], dict[str, bytes]]] = {**_helpers(), **_starts(), **_memories(), **_functions()}
"""Makers of each group of modules, by a title that says why."""


@cache
def misfit(title: str) -> dict[str, bytes]:
    """The modules of one group."""
    return MISFITS[title]()
