"""The private memory of a shim: its map, and what is in it before the guest runs.

    0       descriptor table: native descriptor and preopen number, or -1 and -1, for each guest descriptor
    SCRATCH room for the subscriptions of one poll, or for file attributes in two layouts
    EVENTS  room for the events of one poll
    HEADER  how many environment variables, their total size, addresses of the three tables behind
    then    offsets of the variables; address and length of each preopen's name; the variables; the names

The guest can't reach this memory: only the shim imports it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from marine_runtime.lazy.data import dataclass

DESCRIPTORS = 1024
"""Descriptors that a guest may have at once, and subscriptions of one poll."""

STANDARD = 3
"""Descriptors 0, 1 and 2 are shared by all modules of a service; natively they are never closed."""

SCRATCH = DESCRIPTORS * 8
SUBSCRIPTION_UNSTABLE = 56
EVENTS = SCRATCH + DESCRIPTORS * SUBSCRIPTION_UNSTABLE
EVENT = 32
HEADER = EVENTS + DESCRIPTORS * EVENT
_HEADER = struct.Struct("<5I")


@dataclass(frozen=True, slots=True)
class WasiState:
    """The state that a module sees through WASI, arguments aside: those are always empty.

    Attributes:
        envs: its environment: the configured variables, and one per mapped directory.
        mapped_dirs: host directory by the name that the guest sees.
    """

    envs: Mapping[str, str]
    mapped_dirs: Mapping[str, str]


def image(state: WasiState, first_preopen: int) -> bytes:
    """The bytes of the private memory.

    Args:
        state: the state that the module shall see.
        first_preopen: native descriptor of its first directory; the others follow in order.
    """
    opened = [(number, -1) for number in range(STANDARD)]
    opened += [(first_preopen + number, number) for number in range(len(state.mapped_dirs))]
    opened += [(-1, -1)] * (DESCRIPTORS - len(opened))
    table = b"".join(struct.pack("<ii", *entry) for entry in opened)

    variables = [f"{name}={value}".encode() + b"\0" for name, value in state.envs.items()]
    names = [alias.encode() for alias in state.mapped_dirs]
    offsets_at = HEADER + _HEADER.size
    names_at = offsets_at + 4 * len(variables)
    block_at = names_at + 8 * len(names)
    block = b"".join(variables)
    text_at = block_at + len(block)

    offsets, position = [], 0
    for variable in variables:
        offsets.append(position)
        position += len(variable)
    preopens = []
    for name in names:
        preopens += [text_at, len(name)]
        text_at += len(name)
    return b"".join(
        [
            table.ljust(HEADER, b"\0"),
            _HEADER.pack(len(variables), len(block), offsets_at, names_at, block_at),
            struct.pack(f"<{len(offsets)}I", *offsets),
            struct.pack(f"<{len(preopens)}I", *preopens),
            block,
            *names,
        ]
    )
