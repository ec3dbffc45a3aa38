"""Room in the staging memory of a component, taken without a call; blocks start at multiples of 8."""

from __future__ import annotations

from marine_gen.wasm_backend.code import FunctionCode
from marine_gen.wasm_backend.expressions import bytes_of, const, get
from marine_gen.wasm_backend.library import Library
from marine_runtime.adapters import FREE


def staged(size: str) -> str:
    """The bytes (i64) that so many (i32) take there."""
    return f"(i64.and (i64.add (i64.extend_i32_u {size}) {const(7, 'i64')}) {const(-8, 'i64')})"


def room_in_staging(code: FunctionCode, library: Library, size: str) -> str:
    """Take so many bytes (i64), a multiple of 8; the expression for their address."""
    name, have = code.local("block"), bytes_of("$staging")
    code.line(f"(local.set ${name} (i32.load $staging {const(FREE)}))")
    end = code.keep("end", f"(i64.add (i64.extend_i32_u {get(name)}) {size})", "i64")
    # check: component room of results
    with code.block(f"if (i64.gt_u {end} {have})"):
        with code.block("then"):
            code.line(f"(local.set ${name} (call {library.symbol('stage')} {size}))")
        with code.block("else"):
            code.line(f"(i64.store32 $staging {const(FREE)} {end})")
    return get(name)
