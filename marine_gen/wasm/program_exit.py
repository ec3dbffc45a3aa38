"""Programs that exit with success: `proc_exit(0)` while `_start` runs, where nothing can unwind the stack.

A component has no exceptions, and a trap ends its instance. So what is between `_start` and `proc_exit` is there twice:
the copies run for `_start`, and return from each call once the program has said that it is done.

    (func (param $code i32)                                   ;; instead of `proc_exit`
      (if $code (then (return_call $proc_exit $code)))        ;; as a plain call
      (global.set $done 1))
    … call $copy  (if (global.get $done) (then (return ZERO …))) …

Calls through tables and references are not followed: a program that exits behind one ends the instance.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from marine_gen.diagnostics import DiagnosticError
from marine_gen.wasm.coretypes import read_types
from marine_gen.wasm.immediates import END, next_instruction, skip_value_type
from marine_gen.wasm.reader import Reader, write_u32
from marine_gen.wasm.rewriting import appended, assembled, export_entry, section_reader, spellings
from marine_gen.wasm.sections import Binary, WasmModule, scanned
from marine_gen.wasm.signatures import read_signatures
from marine_runtime.types import CoreSignature
from marine_runtime.wasi import NAMESPACES

START = "_start"
MOST = 40
"""Functions that there are twice at most: those which are the least calls away from `proc_exit`."""

_TYPE, _FUNCTION, _GLOBAL, _EXPORT, _CODE = 1, 3, 6, 7, 10
_CALL, _RETURN_CALL = 0x10, 0x12
_EXIT = CoreSignature(("i32",))
_ZEROS = {"i32": b"\x41\0", "i64": b"\x42\0", "f32": b"\x43" + bytes(4), "f64": b"\x44" + bytes(8)}
_DONE = b"\x7f\x01\x41\x00\x0b"  # (mut i32), which is 0


@dataclass(frozen=True, slots=True)
class _Call:
    """A direct call: where it begins and ends, its opcode, and what it calls."""

    start: int
    end: int
    opcode: int
    callee: int


def with_program_exit(binary: Binary) -> bytes:
    """`binary` with a `_start` that returns when it calls `proc_exit(0)`; the same bytes when it never does.

    A module that can't be read, or imports other things than functions, stays as it is too.
    """
    module = scanned(binary)
    wasm = module.data
    signatures = read_signatures(module)
    exits = [
        number
        for number, item in enumerate(signatures.imports)
        if item.namespace in NAMESPACES and item.name == "proc_exit" and item.signature == _EXIT
    ]
    if not exits or signatures.other_imports or signatures.exports.get(START) != CoreSignature():
        return wasm
    try:
        return _Copies(module, exits, len(signatures.imports)).written() or wasm
    except DiagnosticError:  # an instruction that is not known
        return wasm


class _Copies:
    """The functions between `_start` and `proc_exit`, and the module with their copies."""

    def __init__(self, module: WasmModule, exits: list[int], imported: int) -> None:
        self._module = module
        self._wasm = module.data
        self._sections = {item.id: item for item in module.sections if item.id}
        self._exits = exits
        self._imported = imported
        self._types = read_types(self._reader(_TYPE))
        reader = self._reader(_FUNCTION)
        self._type_of = [reader.u32("a type index") for _ in range(reader.u32("the number of functions"))]
        reader = self._reader(_CODE)
        self._bodies = [self._body(reader) for _ in range(reader.u32("the number of bodies"))]
        self._start = self._exported_start()
        self._known_calls: dict[int, list[_Call]] = {}

    def written(self) -> bytes | None:
        """The module with copies; None when `_start` can't reach `proc_exit`."""
        calls = self._on_the_way()
        chosen = self._reached(calls)
        if self._start not in chosen:
            return None
        first = self._imported + len(self._bodies)
        done = section_reader(self._wasm, self._sections[_GLOBAL]).u32("globals") if _GLOBAL in self._sections else 0
        numbers = {number: first + 1 + place for place, number in enumerate(chosen)}
        numbers |= dict.fromkeys(self._exits, first)
        copies = [self._copy(number, calls[number], numbers, done) for number in chosen]
        bodies = [_leaving(self._exits[0], done), *copies]
        exit_type = self._exit_type()
        types = [exit_type, *(self._type_of[number - self._imported] for number in chosen)]
        sized = [write_u32(len(body)) + body for body in bodies]
        return assembled(
            self._module,
            {
                _FUNCTION: appended(self._wasm, self._sections[_FUNCTION], [write_u32(number) for number in types]),
                _GLOBAL: appended(self._wasm, self._sections.get(_GLOBAL), [_DONE]),
                _EXPORT: self._exports(numbers[self._start]),
                _CODE: appended(self._wasm, self._sections[_CODE], sized),
            },
        )

    def _on_the_way(self) -> dict[int, list[_Call]]:
        """The functions from which calls lead to `proc_exit`, with their calls of such functions and of `proc_exit`."""
        known, news = {*self._exits}, [*self._exits]
        while news and len(known) < MOST:
            wanted, news = {*news}, []
            for number in self._candidates(wanted):
                if number not in known and any(call.callee in wanted for call in self._calls(number)):
                    news += [number] if self._can_return(number) else []
            news = news[: MOST - len(known)]
            known |= {*news}
        return {
            number: [call for call in self._calls(number) if call.callee in known] for number in known - {*self._exits}
        }

    def _candidates(self, wanted: Collection[int]) -> list[int]:
        """The functions with bytes that may be a call of one of some functions."""
        pattern = re.compile(rb"[\x10\x12](?:" + b"|".join(map(spellings, sorted(wanted))) + rb")", re.DOTALL)
        section = self._sections[_CODE]
        ends = [end for _, end in self._bodies]
        found = pattern.finditer(self._wasm, section.payload_start, section.end)
        places = dict.fromkeys(bisect_right(ends, match.start()) for match in found)
        return [self._imported + place for place in places if place < len(ends)]

    def _reached(self, calls: Mapping[int, list[_Call]]) -> list[int]:
        """Those of the functions that `_start` comes by, itself first."""
        found = [self._start] if self._start in calls else []
        for number in found:
            found += dict.fromkeys(
                call.callee for call in calls[number] if call.callee in calls and call.callee not in found
            )
        return found

    def _can_return(self, number: int) -> bool:
        signature = self._types[self._type_of[number - self._imported]]
        return signature is not None and all(result in _ZEROS for result in signature.results)

    def _calls(self, number: int) -> list[_Call]:
        """The direct calls of a function."""
        if number not in self._known_calls:
            reader = self._code(*self._bodies[number - self._imported])
            found = self._known_calls[number] = []
            while not reader.exhausted:
                at = reader.position
                opcode, _ = next_instruction(reader)
                if opcode in (_CALL, _RETURN_CALL):
                    after, reader.position = reader.position, at + 1
                    found.append(_Call(at, after, opcode, reader.u32("a function index")))
        return self._known_calls[number]

    def _copy(self, number: int, calls: list[_Call], numbers: Mapping[int, int], done: int) -> bytes:
        """A body whose calls are those of copies, and return when the program is done."""
        signature = self._types[self._type_of[number - self._imported]]
        assert signature is not None
        zeros = b"".join(_ZEROS[result] for result in signature.results)
        leave = b"\x23" + write_u32(done) + b"\x04\x40" + zeros + b"\x0f\x0b"  # if it is done: return zeros
        start, end = self._bodies[number - self._imported]
        parts, copied = [], start
        for call in calls:
            if call.callee in numbers:
                parts += [self._wasm[copied : call.start], bytes([call.opcode]), write_u32(numbers[call.callee])]
                parts += [leave] if call.opcode == _CALL else []
                copied = call.end
        return b"".join([*parts, self._wasm[copied:end]])

    def _exports(self, start: int) -> bytes:
        """The exports, with `_start` as another function."""
        reader = self._reader(_EXPORT)
        entries = []
        for _ in range(reader.u32("the number of exports")):
            at = reader.position
            name = reader.name("the name of an export")
            reader.byte("the kind of an export")
            reader.u32("an index")
            entries.append(export_entry(START, 0, start) if name == START else self._wasm[at : reader.position])
        return write_u32(len(entries)) + b"".join(entries)

    def _exported_start(self) -> int:
        reader = self._reader(_EXPORT)
        for _ in range(reader.u32("the number of exports")):
            name = reader.name("the name of an export")
            reader.byte("the kind of an export")
            index = reader.u32("an index")
            if name == START:
                return index
        raise AssertionError("`_start` is exported")

    def _exit_type(self) -> int:
        """The index of a type (i32) -> (), which `proc_exit` has."""
        return next(index for index, signature in enumerate(self._types) if signature == _EXIT)

    def _reader(self, section: int) -> Reader:
        return section_reader(self._wasm, self._sections[section])

    def _body(self, reader: Reader) -> tuple[int, int]:
        size = reader.u32("the size of a body")
        start = reader.position
        reader.position += size
        return start, reader.position

    def _code(self, start: int, end: int) -> Reader:
        """A reader of the instructions of a body."""
        whole = self._reader(_CODE)
        reader = Reader(self._wasm, start, end, whole.within, whole.code)
        for _ in range(reader.u32("the number of groups of locals")):
            reader.u32("a number of locals")
            skip_value_type(reader)
        return reader


def _leaving(proc_exit: int, done: int) -> bytes:
    """The body of the function that replaces `proc_exit`."""
    failing = b"\x20\x00\x04\x40\x20\x00\x10" + write_u32(proc_exit) + b"\x0b"
    return b"\x00" + failing + b"\x41\x01\x24" + write_u32(done) + bytes([END])
