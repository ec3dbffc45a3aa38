"""Everyone who takes part, in the order in which tables show them; a file per peer."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from marine_gen.artifact import ENGINES
from tests.bench.peers.accelerated import Accelerated
from tests.bench.peers.base import NotMeasuredError, Peer
from tests.bench.peers.by_hand import ByHand
from tests.bench.peers.components import Component
from tests.bench.peers.composed import Composed
from tests.bench.peers.engines import OURS, Engine
from tests.bench.peers.extism_sdk import Extism
from tests.bench.peers.floors import Copies, EmptyCall, PlainCall
from tests.bench.peers.marine_js import MarineJs, Node
from tests.bench.peers.native_marine import NativeMarine, NativeProcess
from tests.bench.peers.references import Callback, Packed, StandardJson
from tests.bench.peers.uninterrupted import Uninterrupted

__all__ = ["BASELINE", "OURS", "ByHand", "Component", "Composed", "Engine", "open_peers"]

BASELINE = "interpreter, public API"
"""The interpreter over the public API of the binding: what there was before."""


def open_peers(npm: Path, stack: ExitStack) -> list[Peer]:
    """All peers; one that is not there says so in every case."""
    node: Node | str
    try:
        node = stack.enter_context(Node(npm))
    except NotMeasuredError as error:
        node = str(error)
    natives = [_native(stack), _native(stack, "--pooling")]
    engines: list[Peer] = [
        Engine(OURS),
        Accelerated(),
        *(Engine(engine) for engine in ENGINES[1:]),
        Engine("interpreter", "public"),
    ]
    components = [Component(), Component(epochs=True)]
    others: list[Peer] = [
        *(ByHand(), *natives, MarineJs(node), MarineJs(node, text=True), Extism()),
        *(*components, Composed()),
    ]
    floors: list[Peer] = [EmptyCall(), PlainCall(), Copies(), Packed(), StandardJson(), Callback(), Uninterrupted()]
    return [*engines, *others, *floors]


def _native(stack: ExitStack, *options: str) -> NativeMarine:
    try:
        return NativeMarine(stack.enter_context(NativeProcess(*options)), options)
    except NotMeasuredError as error:
        return NativeMarine(str(error), options)
