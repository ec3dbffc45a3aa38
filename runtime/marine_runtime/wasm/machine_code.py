"""The machine code of the memory creator: three functions over a structure, for each processor.

All take the address of a structure, `memory_creator._Cell`, as their first argument. They keep the stack aligned, and
save what they use.

* `ask` gives the base of a memory, and stores its size and its capacity where the second and third argument point.
* `grow` and `create` pass their arguments on to `target`. When that gives 1 they give 0, else `error_new(message)`.
"""

from __future__ import annotations

import sys

from marine_runtime.lazy.data import dataclass
from marine_runtime.wasm.capi.library import machine


@dataclass(frozen=True, slots=True)
class MachineCode:
    """The three functions for one processor, with its calling convention on Linux."""

    ask: bytes
    grow: bytes
    create: bytes


def _words(*codes: int) -> bytes:
    return b"".join(code.to_bytes(4, "little") for code in codes)


_X86_FINISH = bytes.fromhex(
    "4885c0 7404"  # if it gave 0, skip the next line
    "31c0 5b c3"  # restore rbx, return 0: success
    "488b7b28 488b4320 5b ffe0"  # restore rbx, return cell.error_new(cell.message)
)
_X86_64 = MachineCode(
    # rdi is the cell
    ask=bytes.fromhex(
        "f30f1efa"  # endbr64
        "488b4708 488906"  # *size = cell.size
        "488b4710 488902"  # *capacity = cell.capacity
        "488b07 c3"  # return cell.base
    ),
    grow=bytes.fromhex("f30f1efa 53 4889fb ff5718") + _X86_FINISH,  # rbx = cell; cell.target(cell, new size)
    # As before, with the seventh argument, which lies on the stack, passed on.
    create=bytes.fromhex("f30f1efa 53 4889fb 4883ec08 ff742418 ff5718 4883c410") + _X86_FINISH,
)

_ARM_PASS_ON = _words(
    0xD503245F,  # bti c
    0xA9BE7BFD,  # stp x29, x30, [sp, #-32]!
    0x910003FD,  # mov x29, sp
    0xF9000BF3,  # str x19, [sp, #16]
    0xAA0003F3,  # mov x19, x0
    0xF9400C10,  # ldr x16, [x0, #24]: cell.target
    0xD63F0200,  # blr x16, with all arguments in their registers still
    0xB40000A0,  # cbz x0, to the fifth instruction from here
    0xD2800000,  # mov x0, #0: success
    0xF9400BF3,  # ldr x19, [sp, #16]
    0xA8C27BFD,  # ldp x29, x30, [sp], #32
    0xD65F03C0,  # ret
    0xF9401270,  # ldr x16, [x19, #32]: cell.error_new
    0xF9401660,  # ldr x0, [x19, #40]: cell.message
    0xF9400BF3,  # ldr x19, [sp, #16]
    0xA8C27BFD,  # ldp x29, x30, [sp], #32
    0xD61F0200,  # br x16
)
_AARCH64 = MachineCode(
    ask=_words(
        0xD503245F,  # bti c
        0xF9400403,  # ldr x3, [x0, #8]: cell.size
        0xF9000023,  # str x3, [x1]
        0xF9400803,  # ldr x3, [x0, #16]: cell.capacity
        0xF9000043,  # str x3, [x2]
        0xF9400000,  # ldr x0, [x0]: cell.base
        0xD65F03C0,  # ret
    ),
    grow=_ARM_PASS_ON,
    create=_ARM_PASS_ON,  # seven arguments are in registers
)

_PROCESSORS = {"x86_64": _X86_64, "aarch64": _AARCH64}


def machine_code() -> MachineCode | None:
    """The functions for this machine, or None. They are for Linux and processes of 64 bits."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    return _PROCESSORS.get(machine())
