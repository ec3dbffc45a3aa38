"""Functions of WASI 0.2 that components import, as core functions over staging.

Versions 0.2.x are compatible: hosts of a newer one have what is imported here. Only what is used is imported.
"""

from __future__ import annotations

from collections.abc import Mapping

from marine_gen.component_backend.binary import CanonOptions, CoreItem, Item, Sort
from marine_gen.component_backend.frame import ComponentFrame
from marine_gen.component_backend.wasi_files import FILE_FUNCTIONS, FILES, PREOPENS, files_type, preopens_type
from marine_gen.component_backend.wasi_types import U8, U32, U64, InstanceType
from marine_gen.component_backend.wit import Foreign

VERSION = "0.2.0"


def foreign(interface: str, body: str) -> Foreign:
    """An interface of WASI, such as `io/error`."""
    return Foreign(f"wasi:{interface}@{VERSION}", body)


_ERROR = foreign("io/error", "resource error;")
_STREAMS = foreign(
    "io/streams",
    """use error.{error};

variant stream-error {
  last-operation-failed(error),
  closed,
}

resource output-stream {
  blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
}""",
)
_POLL = foreign("io/poll", "resource pollable {\n  block: func();\n}")
_RANDOM = foreign("random/random", "get-random-bytes: func(len: u64) -> list<u8>;")
_WALL = foreign(
    "clocks/wall-clock",
    """record datetime {
  seconds: u64,
  nanoseconds: u32,
}

now: func() -> datetime;

resolution: func() -> datetime;""",
)


class WasiImports:
    """The imported functions of WASI; asking for some imports them."""

    def __init__(self, frame: ComponentFrame) -> None:
        self._frame = frame
        self._known: dict[str, CoreItem] = {}

    def random(self) -> Mapping[str, CoreItem]:
        """Random bytes."""
        ty = InstanceType()
        ty.function("get-random-bytes", {"len": U64}, ty.list(U8))
        return self._functions(
            self._frame.import_interface(_RANDOM, ty.encoded()), {"get-random-bytes": "get-random-bytes"}
        )

    def clocks(self) -> Mapping[str, CoreItem]:
        """The time of day, and the monotonic clock."""
        wall = InstanceType()
        datetime = wall.record("datetime", {"seconds": U64, "nanoseconds": U32})
        wall.function("now", {}, datetime)
        wall.function("resolution", {}, datetime)
        found = self._functions(
            self._frame.import_interface(_WALL, wall.encoded()), {"wall-now": "now", "wall-resolution": "resolution"}
        )
        names = {"monotonic-now": "now", "monotonic-resolution": "resolution"}
        return {**found, **self._functions(self._monotonic(), names)}

    def poll(self) -> Mapping[str, CoreItem]:
        """Waiting for the monotonic clock."""
        waits = self._functions(self._monotonic(), {"subscribe-duration": "subscribe-duration"})
        block = self._functions(self._poll(), {"block": "[method]pollable.block"})
        return {**waits, **block, "drop-pollable": self._dropping("drop-pollable", self._pollable())}

    def output(self, *streams: str) -> Mapping[str, CoreItem]:
        """The standard output or error: a stream, and writing to it, 4096 bytes at a time."""
        error, output = self._streams()
        found: dict[str, CoreItem] = {"drop-error": self._dropping("drop-error", error)}
        for stream in streams:
            ty = InstanceType()
            ty.function(f"get-{stream}", {}, ty.own(ty.outer("output-stream", output)))
            body = f"use wasi:io/streams@{VERSION}.{{output-stream}};\n\nget-{stream}: func() -> output-stream;"
            instance = self._frame.import_interface(foreign(f"cli/{stream}", body), ty.encoded())
            found |= self._functions(instance, {f"get-{stream}": f"get-{stream}"})
        write = {"write-output": "[method]output-stream.blocking-write-and-flush"}
        return {**found, **self._functions(self._frame.import_interface(_STREAMS, b""), write)}

    def files(self) -> Mapping[str, CoreItem]:
        """Directories and what is in them."""
        instance = self._frame.import_interface(FILES, files_type())
        descriptor = self._frame.resource(instance, "descriptor")
        preopens = self._frame.import_interface(PREOPENS, preopens_type(descriptor))
        return {
            **self._functions(instance, FILE_FUNCTIONS),
            **self._functions(preopens, {"get-directories": "get-directories"}),
            "drop-descriptor": self._dropping("drop-descriptor", descriptor),
            "drop-stream": self._dropping("drop-stream", self._frame.resource(instance, "directory-entry-stream")),
        }

    def _poll(self) -> Item:
        ty = InstanceType()
        pollable = ty.resource("pollable")
        ty.function("[method]pollable.block", {"self": ty.borrow(pollable)}, None)
        return self._frame.import_interface(_POLL, ty.encoded())

    def _pollable(self) -> Item:
        return self._frame.resource(self._poll(), "pollable")

    def _monotonic(self) -> Item:
        ty = InstanceType()
        pollable = ty.own(ty.outer("pollable", self._pollable()))
        ty.function("now", {}, U64)
        ty.function("resolution", {}, U64)
        ty.function("subscribe-duration", {"when": U64}, pollable)
        body = f"""use wasi:io/poll@{VERSION}.{{pollable}};

now: func() -> u64;

resolution: func() -> u64;

subscribe-duration: func(when: u64) -> pollable;"""
        return self._frame.import_interface(foreign("clocks/monotonic-clock", body), ty.encoded())

    def _streams(self) -> tuple[Item, Item]:
        """The resource types of errors and of output streams."""
        errors = InstanceType()
        errors.resource("error")
        error = self._frame.resource(self._frame.import_interface(_ERROR, errors.encoded()), "error")
        ty = InstanceType()
        stream = ty.resource("output-stream")
        own_error = ty.own(ty.outer("error", error))
        failure = ty.variant("stream-error", {"last-operation-failed": own_error, "closed": None})
        ty.function(
            "[method]output-stream.blocking-write-and-flush",
            {"self": ty.borrow(stream), "contents": ty.list(U8)},
            ty.result(None, failure),
        )
        instance = self._frame.import_interface(_STREAMS, ty.encoded())
        return error, self._frame.resource(instance, "output-stream")

    def _functions(self, instance: Item, names: Mapping[str, str]) -> dict[str, CoreItem]:
        """Functions of an imported instance, lowered once, by the names that they have here."""
        writer = self._frame.writer
        options = CanonOptions(self._frame.memory, self._frame.staging("realloc"))
        for here, there in names.items():
            if here not in self._known:
                self._known[here] = writer.lower(writer.export_of(instance, Sort.FUNC, there), options)
        return {here: self._known[here] for here in names}

    def _dropping(self, name: str, resource: Item) -> CoreItem:
        if name not in self._known:
            self._known[name] = self._frame.writer.resource_drop(resource)
        return self._known[name]
