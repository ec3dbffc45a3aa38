"""Guests that never have enough: of time, of memory, of stack."""

from __future__ import annotations

from marine_gen.generate import Description, ExternModule, ImportedFunction, generate
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module, echo_wat, function
from tests.support.engines import assemble

PAGE = 0x10000
_SIGNATURES = {
    "loop": function("loop"),
    "recurse": function("recurse"),
    "fill": function("fill"),
    "grow": function("grow", Prim.U32, result=Prim.U32),
    "plain": function("plain", Prim.STRING),
}
_BODIES = {
    "loop": "(loop $l (br $l))",
    "recurse": "(call $recurse)",
    # As Rust guests do: a growth that is refused ends in an abort.
    "fill": "(loop $l (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) (br $l))",
    "grow": "(memory.grow (local.get 0))",
}
_RECURSE = "(func $recurse (call $recurse) (call $recurse))"


def greedy(
    *, pages: int = 1, table: int = 0, start: str = "", import_from: str | None = None, fresh: bool = False
) -> bytes:
    """A module with `loop`, `recurse` and `fill`, which do not end well, and `grow` and `plain`, which do.

    Args:
        pages: initial size of its memory.
        table: initial size of its table.
        start: instructions of its `_initialize`.
        import_from: a module whose functions it forwards to.
        fresh: whether every block is in new pages.
    """
    signatures = tuple(_SIGNATURES.values())
    imports = () if import_from is None else (ExternModule(import_from, tuple(map(ImportedFunction, signatures))),)
    fields = _RECURSE if import_from is None else ""
    if table:
        fields += f"(table {table} funcref)"
    if start:
        fields += f'(func (export "_initialize") {start})'
    bodies = _BODIES if import_from is None else {}
    description = Description(functions=signatures, imports=imports)
    return echo_module(description, Memory(pages=pages, base=PAGE * pages - 4096, fresh=fresh), bodies, fields)


def growing_table() -> bytes:
    """A module whose `grow_table` grows a table that starts with 2 elements; `plain` does nothing."""
    signatures = (function("grow_table", Prim.U32, result=Prim.U32), _SIGNATURES["plain"])
    bodies = {"grow_table": "(table.grow $t (ref.null func) (local.get 0))"}
    return echo_module(Description(functions=signatures), Memory(), bodies, "(table $t 2 funcref)")


def endless_helper(name: str) -> bytes:
    """A module with the function `plain` whose ABI helper `name` never returns."""
    interfaces = generate(Description(functions=(_SIGNATURES["plain"],)))
    wat = echo_wat(interfaces, Memory(), {}, "", "")
    head = wat.index(f'(func (export "{name}")')
    body = wat.index("(call $log", head)
    return assemble(f"{wat[:body]}(loop $l (br $l)){wat[body:]}", interfaces)
