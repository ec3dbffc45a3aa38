"""Host functions behind the Wasm of `adapters.host_glue`: arguments come packed, results are left packed in staging."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from struct import Struct as Row

from marine_runtime.abi.layout import Bytes, Flat, Shape, Text, shape
from marine_runtime.abi.packed import packing, packing_of_result
from marine_runtime.adapters.codec import to_carrier
from marine_runtime.adapters.pack import UNUSUAL, packer
from marine_runtime.adapters.staging import SLACK, Staging
from marine_runtime.adapters.unpack import Maker, unpacker
from marine_runtime.host.function import (
    GuestSide,
    HostFunction,
    acceptor,
    giver,
    over_values,
    published,
    readers,
)
from marine_runtime.lazy.typing import Any
from marine_runtime.types import Records
from marine_runtime.values.instances import instance_maker
from marine_runtime.values.records import ToPublic

Read = Callable[[Sequence[Any]], Any]
Run = Callable[..., Any]

_LENGTH = Row("<I")


def adapt_staged(
    host: HostFunction,
    name: str,
    guest: Callable[[Records], GuestSide],
    staging: Staging,
    linked: Callable[[], bool],
    observe: Callable[[Run], Run] | None = None,
) -> Run:
    """`host` as the function that the stub calls, see `HostGlue.add`.

    `guest` is asked at the first call, and so is `linked`, which tells whether there is a guest whose memory Wasm
    reaches. `observe` is as for `adapt`.
    """
    reads: list[Read] = []
    give: Callable[[Any, int], Any] | None = None
    run: Run = host.function

    def call(*raw: Any) -> Any:
        nonlocal reads, give, run
        if give is None:
            side = guest(host.records)
            prepared = _Prepared(host, name, side, staging, observe)
            reads, run = prepared.reads(), prepared.run()
            give = prepared.give(linked=linked())
        if len(reads) == 1:
            return give(run(reads[0](raw)), raw[-1])
        return give(run(*[read(raw) for read in reads]) if reads else run(), raw[-1])

    return call


def places_results(host: HostFunction, *, staged: bool) -> bool:
    """Return whether results are images: those that Wasm does not lower, see `adapters.images`."""
    if not host.gives_memory:
        return False
    return not staged or packing_of_result(host.type.results[0], host.records) is None


class _Prepared:
    """The parts of a call.

    A function that is observed is called over internal values, any other over public ones. Instances of classes that
    the user declared run the user's code when they are made; that is done once, with internal values.
    """

    def __init__(
        self,
        host: HostFunction,
        name: str,
        side: GuestSide,
        staging: Staging,
        observe: Callable[[Run], Run] | None,
    ) -> None:
        self._host, self._side, self._staging = host, side, staging
        publish, self._classes = published(host, name)
        if observe is None:
            self._run, self._publish, self._accept = host.function, publish, acceptor(host)
        else:
            self._run, self._publish, self._accept = observe(over_values(host, name)), [None] * len(publish), None
        self._observed = observe is not None

    def run(self) -> Run:
        return self._run

    def reads(self) -> list[Read]:
        """From the raw arguments to each of those that the function gets."""
        side, memory = self._side, self._staging.memory
        made = self._made() if not self._observed and not self._host.classes else None
        found: list[Read] = []
        address = at = 0
        for param in self._host.type.params:
            address += len(shape(param.type).layout.carrier)
        general = readers(self._host, side)
        for param, read, publish in zip(self._host.type.params, general, self._publish, strict=True):
            part = shape(param.type)
            if isinstance(part, Text):
                read = _text_reader(at, side, read)
            if publish is not None and made is not None:
                read = _publishing(read, publish)
            if (form := packing(param.type, self._host.records)) is not None:
                read = _packed_reader(address, unpacker(form, memory, made), read)
                address += 1
            if publish is not None and made is None:
                read = _publishing(read, publish)
            found.append(read)
            at += len(part.layout.carrier)
        return found

    def _made(self) -> Callable[[int], Maker]:
        makers: dict[int, Maker] = {}

        def maker(index: int) -> Maker:
            if index not in makers:
                make: Callable[[Any], Any] = instance_maker(self._classes[index])
                makers[index] = make
            return makers[index]

        return maker

    def give(self, *, linked: bool) -> Callable[[Any, int], Any]:
        """From what the function gives, and the free address of staging, to what the stub gets."""
        host, accept = self._host, self._accept
        if not host.type.results:
            return lambda result, at: 0
        part, accepting = shape(host.type.results[0]), accept or (lambda result: result)
        if isinstance(part, Flat):
            return lambda result, at: to_carrier(part, accepting(result))
        form = packing_of_result(host.type.results[0], host.records)
        if form is None or not linked:
            lower = giver(host, self._side)

            def lowered(result: Any, at: int) -> int:
                lower(accepting(result))
                return 0

            return lowered
        if host.settled:
            return self._settled(packer(form))
        if isinstance(part, (Text, Bytes)):
            return self._text(part, accepting)
        return self._packed(packer(form, self._instances()), accepting)

    def _instances(self) -> Mapping[int, tuple[type, list[str]]]:
        """The classes whose instances are packed as they are: those of what the function gets."""
        return {
            index: (cls, [field.name for field in dataclasses.fields(cls)])
            for index, cls in self._classes.items()
            if dataclasses.is_dataclass(cls) and not issubclass(cls, (Mapping, Sequence))
        }

    def _packed(self, pack: Callable[[Any], bytes], accept: Callable[[Any], Any]) -> Callable[[Any, int], int]:
        stage = self._staging.stage

        def give(result: Any, at: int) -> int:
            try:
                data = pack(result)
            except UNUSUAL:
                data = pack(accept(result))
            return stage(at, data)

        return give

    def _settled(self, pack: Callable[[Any], bytes]) -> Callable[[Any, int], int]:
        stage = self._staging.stage
        last: Any = None
        data = b""

        def give(result: Any, at: int) -> int:
            nonlocal last, data
            if result is not last:
                data = pack(result)
                last = result
            return stage(at, data)

        return give

    def _text(self, part: Shape, accept: Callable[[Any], Any]) -> Callable[[Any, int], int]:
        memory, reserve, put = self._staging.memory, self._staging.reserve, _LENGTH.pack_into
        exact = str if isinstance(part, Text) else bytes

        def give(result: Any, at: int) -> int:
            if type(result) is not exact or (exact is str and not result.isascii()):
                result = accept(result)
            data = result.encode() if exact is str else result
            begin = at + _LENGTH.size
            end: int = begin + len(data)
            if end > len(memory.view) - SLACK:  # check: host room for a result
                reserve(end)
            view = memory.view
            put(view, at, len(data))
            view[begin:end] = data
            return end

        return give


def _text_reader(at: int, side: GuestSide, general: Read) -> Read:
    memory = side.memory

    def read(raw: Sequence[Any]) -> Any:
        size = raw[at + 1]
        view = memory.view[raw[at] : raw[at] + size]
        if len(view) == size:
            try:
                return str(view, "utf-8")
            except UnicodeDecodeError:
                pass
        return general(raw)

    return read


def _packed_reader(address: int, unpack: Callable[[int], Any], general: Read) -> Read:
    """A packed argument; one that was not packed, or can't be read, is read where it is, which tells why."""

    def read(raw: Sequence[Any]) -> Any:
        if raw[address]:
            try:
                return unpack(raw[address])
            except ValueError:
                pass
        return general(raw)

    return read


def _publishing(read: Callable[[Any], Any], publish: ToPublic) -> Callable[[Any], Any]:
    return lambda given: publish(read(given))
