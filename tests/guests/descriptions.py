"""What the guests of the tests and of the example export and import: the source of their adapter texts.

Nothing here builds or embeds anything; see `rebuild`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from marine_runtime.types import Prim

ROOT = Path(__file__).parents[2]
GUESTS_FOLDER = ROOT / "tests" / "guests"
EXAMPLE_FOLDER = ROOT / "examples" / "curl_service"
HOSTILE_FOLDER = GUESTS_FOLDER / "hostile"
HOST = "__marine_host_api_v3"

BOOL, STRING, BYTES = Prim.BOOLEAN, Prim.STRING, Vector(Prim.U8)
S8, S16, S32, S64 = Prim.S8, Prim.S16, Prim.S32, Prim.S64
U8, U16, U32, U64 = Prim.U8, Prim.U16, Prim.U32, Prim.U64
F32, F64 = Prim.F32, Prim.F64
STRINGS = Vector(STRING)


@dataclass(frozen=True, slots=True)
class Guest:
    """One module: where its files are, and its description. Hostile ones are `.wat` files without sections."""

    name: str
    folder: Path
    description: Description

    @property
    def source(self) -> Path:
        """The C or Wasm text that the module is made from."""
        return self.folder / f"{self.name}.{'wat' if self.folder == HOSTILE_FOLDER else 'c'}"

    @property
    def adapters(self) -> Path:
        """The adapter text."""
        return self.folder / f"{self.name}.it"

    @property
    def module(self) -> Path:
        """The built module, for those that are built."""
        return self.folder / f"{self.name}.wasm"


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
GREETING = function("greeting", STRING, name=STRING)

CALL_PARAMETERS = (
    record("SecurityTetraplet", peer_pk=STRING, service_id=STRING, function_name=STRING, lens=STRING),
    record(
        "ParticleParameters",
        id=STRING,
        init_peer_id=STRING,
        timestamp=U64,
        ttl=U32,
        script=STRING,
        signature=BYTES,
        token=STRING,
    ),
    record(
        "CallParameters",
        particle=Named("ParticleParameters"),
        service_id=STRING,
        service_creator_peer_id=STRING,
        host_id=STRING,
        worker_id=STRING,
        tetraplets=Vector(Vector(Named("SecurityTetraplet"))),
    ),
)
MOUNTED_BINARY = record("MountedBinaryResult", ret_code=S32, error=STRING, stdout=BYTES, stderr=BYTES)

_ALL_TYPES: dict[str, Type] = {
    f"arg_{index}": ty for index, ty in enumerate((S8, S16, S32, S64, U8, U16, U32, U64, F32, F64, STRING, BYTES))
}
ARGUMENTS_PASSING = (
    *(function(name, STRING, arg=STRING) for name in ("string_type", "string_ref_type", "str_type")),
    *(
        function(f"{name}{suffix}", ty, arg=ty)
        for name, ty in {
            "bytearray": BYTES,
            "i32": S32,
            "i64": S64,
            "u32": U32,
            "u64": U64,
            "f32": F32,
            "f64": F64,
            "bool": BOOL,
        }.items()
        for suffix in ("_type", "_ref_type")
    ),
    function("empty_type", STRING),
    *(function(name, BYTES, **_ALL_TYPES) for name in ("all_types", "all_ref_types")),
)

_BYTES_3 = Vector(Vector(Vector(BYTES)))
_RECORDS_4 = Vector(Vector(Vector(Vector(Named("TestRecord")))))
ARRAYS_RECORD = record("TestRecord", field_0=S32, field_1=Vector(BYTES))
ARRAYS_PASSING = (
    function("byte_type", BYTES, arg=BYTES),
    function("inner_arrays_1", _BYTES_3, arg=_BYTES_3),
    function("inner_arrays_2", _RECORDS_4, arg=_RECORDS_4),
    *(
        function(f"{name}_type", Vector(ty), arg=Vector(ty))
        for name, ty in {
            "string": STRING,
            "bool": BOOL,
            "f32": F32,
            "f64": F64,
            "u32": U32,
            "u64": U64,
            "i32": S32,
            "i64": S64,
        }.items()
    ),
    function("empty_type", STRINGS),
)

TEST_RECORD = record(
    "TestRecord",
    **{
        f"field_{index}": ty
        for index, ty in enumerate((BOOL, S8, S16, S32, S64, U8, U16, U32, U64, F32, F64, STRING, BYTES))
    },
)
MUTATE_STRUCT = function("mutate_struct", Named("TestRecord"), test_record=Named("TestRecord"))

PASSED_RECORDS = (
    record("TestRecord0", field_0=S32),
    record("TestRecord1", field_0=S32, field_1=STRING, field_2=BYTES, test_record_0=Named("TestRecord0")),
    record("TestRecord2", test_record_0=Named("TestRecord0"), test_record_1=Named("TestRecord1")),
    record("Droppable", id=U32),
    record("DroppableRecord", data=Named("Droppable"), data2=Vector(Named("Droppable"))),
)
_DROPPED = Named("DroppableRecord")
PASSED_FUNCTIONS = (
    function("test_record", Named("TestRecord2"), test_record=Named("TestRecord2")),
    function("test_record_ref", Named("TestRecord2"), test_record=Named("TestRecord2")),
    function("pass_droppable_record", Vector(_DROPPED), record=_DROPPED, records=Vector(_DROPPED)),
)
EFFECTOR_DROP_COUNT = function("get_drop_count", U32)

ECHO = function("echo", STRING, text=STRING)
ECHO_BYTES = function("echo_bytes", BYTES, data=BYTES)
DOWNLOAD = function("download", STRING, url=STRING)
PUT = function("put", STRING, name=STRING, content=BYTES)
GET = function("get", BYTES, name=STRING)

_TESTS: dict[str, Description] = {
    "greeting": Description(functions=(GREETING,)),
    "donkey": Description(functions=(GREETING,)),
    "shrek": Description(
        functions=(function("greeting", STRINGS, name=STRING),), imports=(imported("donkey", GREETING),)
    ),
    "failing": Description(functions=(function("failing"),)),
    "greeting_record": Description(
        (record("GreetingRecord", str=STRING, num=S32),),
        (function("greeting_record", Named("GreetingRecord")), function("void_fn")),
    ),
    "logger": Description(
        functions=(
            *(function(f"log_{level}") for level in ("error", "warn", "info", "debug", "trace")),
            function("log_line", level=U32, target=U32, text=STRING),
            function("log_garbage"),
            function("log_outside"),
        ),
        imports=(imported(HOST, LOG),),
    ),
    "call_parameters": Description(
        CALL_PARAMETERS,
        (function("call_parameters", Named("CallParameters")),),
        (imported(HOST, function("get_call_parameters", Named("CallParameters"))),),
    ),
    "arguments_passing_effector": Description(functions=ARGUMENTS_PASSING),
    "arguments_passing_pure": Description(
        functions=ARGUMENTS_PASSING, imports=(imported("arguments_passing_effector", *ARGUMENTS_PASSING),)
    ),
    "arrays_passing_effector": Description((ARRAYS_RECORD,), ARRAYS_PASSING),
    "arrays_passing_pure": Description(
        (ARRAYS_RECORD,), ARRAYS_PASSING, (imported("arrays_passing_effector", *ARRAYS_PASSING),)
    ),
    "records_effector": Description((TEST_RECORD,), (MUTATE_STRUCT,)),
    "records_pure": Description(
        (TEST_RECORD,), (function("invoke", Named("TestRecord")),), (imported("records_effector", MUTATE_STRUCT),)
    ),
    "records_passing_effector": Description(PASSED_RECORDS, (*PASSED_FUNCTIONS, EFFECTOR_DROP_COUNT)),
    "records_passing_pure": Description(
        PASSED_RECORDS,
        (*PASSED_FUNCTIONS, function("get_drop_count", Vector(U32))),
        (imported("records_passing_effector", *PASSED_FUNCTIONS, EFFECTOR_DROP_COUNT),),
    ),
    "bench_effector": Description(functions=(ECHO, ECHO_BYTES)),
    "bench_pure": Description(
        functions=(
            *(function(name, U32, n=U32, text=STRING) for name in ("call_many", "plain")),
            function("bytes_many", U32, n=U32, data=BYTES),
        ),
        imports=(imported("bench_effector", ECHO, ECHO_BYTES),),
    ),
}

_EXAMPLE: dict[str, Description] = {
    "local_storage": Description(functions=(PUT, GET), imports=(imported(HOST, LOG),)),
    "curl": Description(
        (MOUNTED_BINARY,),
        (DOWNLOAD,),
        (imported(HOST, LOG, function("curl", Named("MountedBinaryResult"), cmd=STRINGS)),),
    ),
    "facade": Description(
        functions=(function("get_n_save", STRING, url=STRING, file_name=STRING),),
        imports=(imported("curl", DOWNLOAD), imported("local_storage", PUT), imported(HOST, LOG)),
    ),
}

_HOSTILE: dict[str, Description] = {
    # The result cells say what the caller asked for: any pointer and any size.
    "any_result": Description(
        (record("Node", children=Vector(Named("Node"))), record("Pair", a=U64, b=U64)),
        tuple(
            function(name, ty, ptr=U32, size=U32)
            for name, ty in {
                "text": STRING,
                "bytes": BYTES,
                "numbers": Vector(U64),
                "texts": STRINGS,
                "nested": Vector(Vector(U64)),
                "pair": Named("Pair"),
                "pairs": Vector(Named("Pair")),
                "node": Named("Node"),
            }.items()
        ),
    ),
    "cyclic_result": Description((record("Node", children=Vector(Named("Node"))),), (function("node", Named("Node")),)),
    "invalid_utf8": Description(
        (record("Named", name=STRING),),
        (function("text", STRING), function("texts", STRINGS), function("named", Named("Named"))),
    ),
    "any_allocation": Description(
        (record("Pair", a=U64, b=U64),),
        (
            function("answer", U32, address=U32),
            function("text", text=STRING),
            function("bytes", data=BYTES),
            function("numbers", data=Vector(U64)),
            function("texts", texts=STRINGS),
            function("pair", pair=Named("Pair")),
        ),
    ),
    "trapping_services": Description(
        functions=(function("trap_in", service=U32), function("echo", STRING, text=STRING)),
    ),
    "no_memory": Description(functions=(GREETING,)),
    "no_allocate": Description(functions=(GREETING,)),
    "no_cells": Description(functions=(GREETING,)),
    "one_argument_allocate": Description(functions=(GREETING,)),
    "wrong_signature": Description(functions=(GREETING,)),
    "endless": Description(functions=(function("spin"), function("recurse"), function("grow", U32, pages=U32))),
    "narrow_results": Description(
        functions=tuple(
            function(name, ty, bits=U32)
            for name, ty in {"bool": BOOL, "s8": S8, "s16": S16, "u8": U8, "u16": U16}.items()
        ),
    ),
}

GUESTS: tuple[Guest, ...] = (
    *(Guest(name, GUESTS_FOLDER, description) for name, description in _TESTS.items()),
    *(Guest(name, EXAMPLE_FOLDER, description) for name, description in _EXAMPLE.items()),
)
"""The guests that are built from C."""

HOSTILE: tuple[Guest, ...] = tuple(Guest(name, HOSTILE_FOLDER, description) for name, description in _HOSTILE.items())
"""Modules that do what a correct guest would not; tests assemble them and embed their adapters."""
