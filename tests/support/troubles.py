"""Groups of modules that go wrong in one particular way, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from marine_gen.generate import Description, ExternModule, ImportedFunction, Member, Named, RecordDeclaration, Vector
from marine_runtime.types import Prim
from tests.guests.descriptions import GUESTS, HOSTILE
from tests.support.echo import PAGE, Memory, chain, echo_module, function
from tests.support.engines import guest

F = function("f", Prim.STRING)
NAMED = RecordDeclaration("Named", (Member("id", Prim.U8), Member("name", Prim.STRING)))

# At 2048 a bad string; at 2064 four records of 9 bytes, the last of which has it; at 2112 their addresses.
BAD_DATA = r"""
  (data (i32.const 2048) "ab\ff")
  (data (i32.const 2064) "\01\00\08\00\00\02\00\00\00" "\02\00\08\00\00\01\00\00\00"
                         "\03\00\00\00\00\00\00\00\00" "\04\00\08\00\00\03\00\00\00")
  (data (i32.const 2112) "\10\08\00\00" "\19\08\00\00" "\22\08\00\00" "\2b\08\00\00")
"""
_RETURN = "(global.set $ptr (i32.const {})) (global.set $size (i32.const {}))"


def _importing(namespace: str, *functions: str) -> ExternModule:
    return ExternModule(namespace, tuple(ImportedFunction(function(name, Prim.STRING)) for name in functions))


def _trap_chain() -> dict[str, bytes]:
    """Three modules; the first traps when it is called, the others forward."""
    plain = function("plain", Prim.STRING)
    return {
        "first": echo_module(Description(functions=(F, plain)), Memory(), {"f": "unreachable"}),
        "second": echo_module(
            Description(functions=(F, plain), imports=(_importing("first", "f", "plain"),)), Memory()
        ),
        "third": echo_module(
            Description(functions=(F, plain), imports=(_importing("second", "f", "plain"),)), Memory()
        ),
    }


def _bad_values() -> dict[str, bytes]:
    """`inner` returns values that can't be lifted; `outer` fetches them, and passes bad ones on."""
    records = Vector(Named("Named"))
    functions = (function("texts", records), function("text", Prim.STRING))
    bodies = {"texts": _RETURN.format(2112, 4), "text": _RETURN.format(2048, 3)}
    passing = function("pass_text", Prim.STRING)
    passing_all = function("pass_texts", records)
    imported = ExternModule("inner", tuple(map(ImportedFunction, (*functions, passing, passing_all))))
    passed = {
        "pass_text": "(call $import2 (i32.const 2048) (i32.const 3))",
        "pass_texts": "(call $import3 (i32.const 2112) (i32.const 4))",
    }
    everything = (*functions, passing, passing_all)
    return {
        "inner": echo_module(Description((NAMED,), everything), Memory(), bodies, BAD_DATA),
        "outer": echo_module(Description((NAMED,), everything, (imported,)), Memory(), passed, BAD_DATA),
    }


def _full_memory() -> dict[str, bytes]:
    """`inner` has 64 bytes for blocks and can't grow; `outer` has plenty."""
    functions = (F, function("numbers", Vector(Prim.U64)), function("texts", Vector(Prim.STRING)))
    small = Memory(base=PAGE - 64, gap=0, limit=1)
    return {**chain(functions), "inner": echo_module(Description(functions=functions), small)}


def _narrow() -> dict[str, bytes]:
    """`inner` gets a wide number where it declares a narrow one: `outer` passes all 32 bits of its import."""
    types = {"s8": Prim.S8, "s16": Prim.S16, "u8": Prim.U8, "u16": Prim.U16}
    wide = tuple(function(name, Prim.S32) for name in types)
    narrow = tuple(function(name, ty) for name, ty in types.items())
    return {
        "inner": echo_module(Description(functions=narrow), Memory()),
        "outer": echo_module(
            Description(functions=wide, imports=(ExternModule("inner", tuple(map(ImportedFunction, narrow))),)),
            Memory(),
        ),
    }


def _in_start() -> dict[str, bytes]:
    """The start function of `outer` calls its import, before anything is linked."""
    start = "(func $begin (call $import0 (i32.const 0) (i32.const 0))) (start $begin)"
    return {
        "inner": echo_module(Description(functions=(F,)), Memory()),
        "outer": echo_module(Description(functions=(F,), imports=(_importing("inner", "f"),)), Memory(), {}, start),
    }


def _trapping_start(field: str) -> dict[str, bytes]:
    return {"m": echo_module(Description(functions=(F,)), Memory(), {}, field)}


def _names(importer: str, *, order: tuple[str, ...], imports: str = "inner", name: str = "f") -> dict[str, bytes]:
    modules = {
        "inner": echo_module(Description(functions=(F,)), Memory()),
        importer: echo_module(
            Description(functions=(function(name, Prim.STRING),), imports=(_importing(imports, name),)), Memory()
        ),
    }
    return {key: modules[key] for key in order}


def _other_signature() -> dict[str, bytes]:
    other = function("f", Vector(Prim.STRING))
    imported = ExternModule("inner", (ImportedFunction(other),))
    return {
        "inner": echo_module(Description(functions=(F,)), Memory()),
        "outer": echo_module(Description(functions=(other,), imports=(imported,)), Memory()),
    }


_TROUBLES = {
    "trap_chain": _trap_chain,
    "bad_values": _bad_values,
    "full_memory": _full_memory,
    "narrow": _narrow,
    "import_in_start": _in_start,
    "trap_in_start": lambda: _trapping_start("(func $begin unreachable) (start $begin)"),
    "trap_in_initialize": lambda: _trapping_start('(func (export "_initialize") unreachable)'),
    "trap_in_main": lambda: _trapping_start('(func (export "_start") unreachable)'),
    "missing_module": lambda: _names("outer", order=("inner", "outer"), imports="iner"),
    "wrong_order": lambda: _names("outer", order=("outer", "inner")),
    "missing_function": lambda: _names("outer", order=("inner", "outer"), name="g"),
    "other_signature": _other_signature,
    "echo": lambda: chain([F, function("all", Vector(Prim.U8), Prim.S8, Prim.F32, Vector(Named("Named")))], [NAMED]),
}


@cache
def modules(names: str) -> Mapping[str, bytes]:
    """The modules of one group above, or guests of tests/guests by their names, separated by blanks."""
    if names in _TROUBLES:
        return _TROUBLES[names]()
    known = {item.name for item in (*GUESTS, *HOSTILE)}
    assert set(names.split()) <= known, names
    return {name: guest(name) for name in names.split()}
