"""Walking over the instructions of a function body: how long each one is, and nothing of what it means.

An instruction that is not known here is a diagnostic, never skipped as if it had no immediates: whoever changes code
must have seen all of it. The engine validates the module; indices are not checked here.
"""

from __future__ import annotations

from marine_gen.wasm.reader import Reader

END = 0x0B
_MEMORY_INDEX = 0x40  # flag of an alignment: an index follows
_PREFIXES = range(0xFB, 0xFF)

# What follows an opcode: `l` a LEB128 number, `b` a byte, `m` a memory argument, `v` a vector of numbers,
# `t` a block type, `T` value types, `c` the clauses of a `try_table`; a digit is so many bytes.
_PLAIN = {
    **dict.fromkeys((0x00, 0x01, 0x05, 0x0A, END, 0x0F, 0x1A, 0x1B, *range(0x45, 0xC5), 0xD1, 0xD3, 0xD4), ""),
    **dict.fromkeys((0x02, 0x03, 0x04), "t"),
    **dict.fromkeys((0x08, 0x0C, 0x0D, 0x10, 0x12, 0x14, 0x15, *range(0x20, 0x27), 0x3F, 0x40, 0x41, 0x42), "l"),
    **dict.fromkeys((0xD0, 0xD2, 0xD5, 0xD6), "l"),
    **dict.fromkeys((0x11, 0x13), "ll"),
    **dict.fromkeys(range(0x28, 0x3F), "m"),
    0x0E: "vl",
    0x1C: "T",
    0x1F: "tc",
    0x43: "4",
    0x44: "8",
}
_OBJECTS = {
    **dict.fromkeys((0, 1, 6, 7, 11, 12, 13, 14, 16, 20, 21, 22, 23), "l"),
    **dict.fromkeys((2, 3, 4, 5, 8, 9, 10, 17, 18, 19), "ll"),
    **dict.fromkeys((24, 25), "blll"),
    **dict.fromkeys((15, *range(26, 31)), ""),
}
_BULK = {
    **dict.fromkeys((*range(8), *range(19, 23)), ""),
    **dict.fromkeys((9, 11, 13, 15, 16, 17), "l"),
    **dict.fromkeys((8, 10, 12, 14), "ll"),
}
_VECTORS = {
    **dict.fromkeys(range(0x114), ""),
    **dict.fromkeys((*range(12), 92, 93), "m"),
    **dict.fromkeys((12, 13), "88"),
    **dict.fromkeys(range(21, 35), "b"),
    **dict.fromkeys(range(84, 92), "mb"),
}
_ATOMIC = {**dict.fromkeys((*range(3), *range(0x10, 0x4F)), "m"), 3: "b"}
_PREFIXED = dict(zip(_PREFIXES, (_OBJECTS, _BULK, _VECTORS, _ATOMIC), strict=True))


def next_instruction(reader: Reader) -> tuple[int, int]:
    """Read one instruction: its opcode and, behind a prefix, the number that tells it apart (0 without a prefix).

    Raises:
        DiagnosticError: it is not known, or its bytes end too early.
    """
    start = reader.position
    opcode, sub = reader.byte("an instruction"), 0
    if opcode in _PREFIXED:
        sub = reader.u32("an instruction behind a prefix")
        immediates = _PREFIXED[opcode].get(sub)
    else:
        immediates = _PLAIN.get(opcode)
    if immediates is None:
        number = f" {sub}" if opcode in _PREFIXED else ""
        reader.fail(f"the instruction 0x{opcode:02x}{number} is not known", start)
    for kind in immediates:
        _skip(reader, kind)
    return opcode, sub


def skip_value_type(reader: Reader) -> None:
    """One value type, whose form may be followed by a heap type."""
    if reader.byte("a value type") in (0x63, 0x64):
        _skip(reader, "l")


def _skip(reader: Reader, kind: str) -> None:
    what = "an immediate"
    if kind == "l":
        while reader.byte(what) & 0x80:
            pass
    elif kind == "b":
        reader.byte(what)
    elif kind == "m":
        if reader.u32(what) & _MEMORY_INDEX:
            _skip(reader, "l")
        _skip(reader, "l")
    elif kind == "v":
        for _ in range(reader.u32(what)):
            _skip(reader, "l")
    elif kind == "t":
        start = reader.position
        if reader.byte(what) not in (0x63, 0x64):  # otherwise a number or a one-byte type, which reads as one
            reader.position = start
        _skip(reader, "l")
    elif kind == "T":
        for _ in range(reader.u32(what)):
            skip_value_type(reader)
    elif kind == "c":
        for _ in range(reader.u32(what)):
            tagged = reader.byte(what) in (0, 1)
            _skip(reader, "l")
            if tagged:
                _skip(reader, "l")
    else:
        reader.take(int(kind), what)
