"""The guests of the tests and of the example: their names, their files, and their descriptions.

A description is an `.idl` file beside the guest's source, and what its adapter text is generated from; those of the
example are here. Nothing here builds or embeds anything; see `rebuild`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Type,
    Vector,
)
from marine_gen.idl import parse_description
from marine_runtime.types import Prim

ROOT = Path(__file__).parents[2]
GUESTS_FOLDER = ROOT / "tests" / "guests"
EXAMPLE_FOLDER = ROOT / "examples" / "curl_service"
HOSTILE_FOLDER = GUESTS_FOLDER / "hostile"


@dataclass(frozen=True, slots=True)
class Guest:
    """One module: where its files are. Hostile ones are `.wat` files without sections."""

    name: str
    folder: Path

    @property
    def source(self) -> Path:
        """The C or Wasm text that the module is made from."""
        return self.folder / f"{self.name}.{'wat' if self.folder == HOSTILE_FOLDER else 'c'}"

    @property
    def interface(self) -> Path:
        """The description of the module, which its adapters are generated from."""
        return self.folder / f"{self.name}.idl"

    @property
    def adapters(self) -> Path:
        """The adapter text."""
        return self.folder / f"{self.name}.it"

    @property
    def module(self) -> Path:
        """The built module, for those that are built."""
        return self.folder / f"{self.name}.wasm"

    @property
    def description(self) -> Description:
        """What the description says."""
        return _EXAMPLE[self.name] if self.folder == EXAMPLE_FOLDER else _read(self.interface)


@cache
def _read(path: Path) -> Description:
    return parse_description(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


HOST = "__marine_host_api_v3"

BOOL, STRING, BYTES = Prim.BOOLEAN, Prim.STRING, Vector(Prim.U8)
S8, S16, S32, S64 = Prim.S8, Prim.S16, Prim.S32, Prim.S64
U8, U16, U32, U64 = Prim.U8, Prim.U16, Prim.U32, Prim.U64
F32, F64 = Prim.F32, Prim.F64
STRINGS = Vector(STRING)


def record(name: str, /, **fields: Type) -> RecordDeclaration:
    """A record declaration."""
    return RecordDeclaration(name, members(fields))


def members(types: Mapping[str, Type]) -> tuple[Member, ...]:
    """Fields or parameters."""
    return tuple(Member(name, ty) for name, ty in types.items())


def function(name: str, result: Type | None = None, /, **params: Type) -> Signature:
    """A function signature."""
    return Signature(name, members(params), result)


def imported(namespace: str, *functions: Signature) -> ExternModule:
    """What a module imports from another, under the names that it has there."""
    return ExternModule(namespace, tuple(map(ImportedFunction, functions)))


LOG = function("log_utf8_string", level=S32, target=S32, msg_ptr=S32, msg_size=S32)
MOUNTED_BINARY = record("MountedBinaryResult", ret_code=S32, error=STRING, stdout=BYTES, stderr=BYTES)

DOWNLOAD = function("download", STRING, url=STRING)
PUT = function("put", STRING, name=STRING, content=BYTES)
GET = function("get", BYTES, name=STRING)

_EXAMPLE: dict[str, Description] = {
    "local_storage": Description(functions=(PUT, GET)),
    "curl": Description(
        (MOUNTED_BINARY,),
        (DOWNLOAD,),
        (imported(HOST, LOG, function("curl", Named("MountedBinaryResult"), cmd=STRINGS)),),
    ),
    "facade": Description(
        functions=(function("get_n_save", STRING, url=STRING, file_name=STRING),),
        imports=(imported("curl", DOWNLOAD), imported("local_storage", PUT)),
    ),
}

_TESTS = (
    *("greeting", "donkey", "shrek", "failing", "greeting_record", "logger", "call_parameters"),
    *("arguments_passing_effector", "arguments_passing_pure", "arrays_passing_effector", "arrays_passing_pure"),
    *("records_effector", "records_pure", "records_passing_effector", "records_passing_pure"),
    *("bench_effector", "bench_pure"),
)
_HOSTILE = (
    *("any_result", "cyclic_result", "invalid_utf8", "any_allocation", "trapping_services", "no_memory", "no_allocate"),
    *("no_cells", "one_argument_allocate", "wrong_signature", "endless", "narrow_results"),
)

GUESTS = (
    *(Guest(name, GUESTS_FOLDER) for name in _TESTS),
    *(Guest(name, EXAMPLE_FOLDER) for name in _EXAMPLE),
)
"""The guests that are built from C, each behind those that it imports from."""

HOSTILE = tuple(Guest(name, HOSTILE_FOLDER) for name in _HOSTILE)
"""Modules that do what a correct guest would not; tests assemble them and embed their adapters."""
