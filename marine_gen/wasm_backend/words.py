"""Short strings and byte arrays in words that overlap, so that no bytes are left over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from marine_gen.wasm_backend.code import FunctionCode
from marine_gen.wasm_backend.expressions import const, get, when

_BYTES_BEYOND_ASCII = {"i64": 0x8080808080808080, "i32": 0x80808080}


def _between(size: str, least: int, most: int) -> str:
    return f"(i32.le_u (i32.sub {size} {const(least)}) {const(most - least)})"


def _last(ty: str, memory: str, ptr: str, size: str) -> str:
    """The word that ends where `size` bytes at `ptr` end."""
    word = 8 if ty == "i64" else 4
    return f"({ty}.load {memory} align=1 (i32.sub (i32.add {ptr} {size}) {const(word)}))"


def ascii_in_words(code: FunctionCode, found: str, memory: str, ptr: str, size: str) -> None:
    """Branch to the label `found` if a string has 4 to 16 bytes and all of them are ASCII."""

    def test(ty: str) -> None:
        # check: fused UTF-8: words of ASCII
        words = f"({ty}.or ({ty}.load {memory} align=1 {ptr}) {_last(ty, memory, ptr, size)})"
        beyond = f"({ty}.and {words} {const(_BYTES_BEYOND_ASCII[ty], ty)})"
        code.line(f"(br_if {found} ({ty}.eqz {beyond}))")

    # check: fused UTF-8: 8 to 16 bytes in words
    with code.block(f"if {_between(size, 8, 16)}"):
        with code.block("then"):
            test("i64")
        # check: fused UTF-8: 4 to 7 bytes in words
        with code.block("else", f"if {_between(size, 4, 7)}", "then"):
            test("i32")


@contextmanager
def move_in_words(code: FunctionCode, there: str, here: str, to: str, ptr: str, size: str) -> Iterator[None]:
    """Copy 4 to 16 bytes from the memory `here` to another, `there`; any other number by what is written inside."""

    def copy(ty: str) -> None:
        word = 8 if ty == "i64" else 4
        code.line(f"({ty}.store {there} align=1 {to} ({ty}.load {here} align=1 {ptr}))")
        end = f"(i32.sub (i32.add {to} {size}) {const(word)})"
        code.line(f"({ty}.store {there} align=1 {end} {_last(ty, here, ptr, size)})")

    # check: fused copies of 8 to 16 bytes
    with code.block(f"if {_between(size, 8, 16)}"):
        with code.block("then"):
            copy("i64")
        # check: fused copies of 4 to 7 bytes
        with code.block("else", f"if {_between(size, 4, 7)}"):
            with code.block("then"):
                copy("i32")
            with code.block("else"):
                yield


def move_function(name: str, there: str, here: str) -> list[str]:
    """The function (to, ptr, size) that copies bytes which two memories have; `size` is not 0.

    Up to 128 bytes it is cheaper than `memory.copy`, which calls the host's code when the size is not constant.
    """
    code = FunctionCode()
    to, ptr, size = get("to"), get("ptr"), get("size")
    whole = f"(memory.copy {there} {here} {to} {ptr} {size})"
    with when(code, f"(i32.gt_u {size} {const(128)})"):
        code.line(whole)
        code.line("(return)")
    with when(code, f"(i32.lt_u {size} {const(16)})"):
        with move_in_words(code, there, here, to, ptr, size):
            _few(code, there, here, to, ptr, size)
        code.line("(return)")
    end = code.keep("end", f"(i32.sub (i32.add {ptr} {size}) {const(16)})")
    with code.block("block $last", "loop $next"):
        # check: fused copies: from 16 bytes to the last
        code.line(f"(br_if $last (i32.ge_u {ptr} {end}))")
        code.line(f"(v128.store {there} align=1 {to} (v128.load {here} align=1 {ptr}))")
        code.line(f"(local.set $ptr (i32.add {ptr} {const(16)}))")
        code.line(f"(local.set $to (i32.add {to} {const(16)}))")
        code.line("(br $next)")
    # check: fused copies: the last 16 bytes
    code.line(f"(v128.store {there} align=1 (i32.sub (i32.add {to} {end}) {ptr}) (v128.load {here} align=1 {end}))")
    return code.function(name, " (param $to i32) (param $ptr i32) (param $size i32)")


def _few(code: FunctionCode, there: str, here: str, to: str, ptr: str, size: str) -> None:
    """Copy 1 to 3 bytes: the first, the one in the middle and the last."""
    # check: fused copies of 1 to 3 bytes
    for at in (const(0), f"(i32.shr_u {size} {const(1)})", f"(i32.sub {size} {const(1)})"):
        code.line(f"(i32.store8 {there} (i32.add {to} {at}) (i32.load8_u {here} (i32.add {ptr} {at})))")
