"""Targets of fuzzing: a function from bytes per reader of input, with the errors it may raise, seeds and a dictionary.

A target reads its input as the project's users hand it over, and checks what it has read: printed and read again it is
the same, what is generated from it compiles. Anything but a value or an error of the documented class is a finding.
How inputs are made and findings kept is told in `worker`; nothing here knows where the bytes come from.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from wasmtime import wat2wasm

from marine_gen.artifact import compile_module, read_target
from marine_gen.artifact.builder import build as build_service
from marine_gen.artifact.compile import CompiledModule
from marine_gen.artifact.fuse import fuse
from marine_gen.binary import decode, embed, encode, extract
from marine_gen.diagnostics import DiagnosticError
from marine_gen.generate import generate, read_description
from marine_gen.idl import parse_description, print_description
from marine_gen.interfaces import INSTRUCTIONS
from marine_gen.text import parse, print_interfaces
from marine_gen.wasm import (
    MANIFEST_SECTION,
    append_custom_section,
    embed_sdk_version,
    find_sdk_version,
    parse_manifest,
    read_manifest,
    read_signatures,
)
from marine_runtime import ServiceConfig, parse_config
from marine_runtime.artifact import manifest as artifact
from marine_runtime.artifact.load import load
from marine_runtime.errors import ArgumentError, ConfigError, LoadError, MarineError
from marine_runtime.types import Array, Field, FunctionType, Prim, Record, RecordType
from marine_runtime.values.json import JsonCodec
from marine_runtime.wasm import assemble
from tests.fuzz.edits import edited
from tests.guests.descriptions import GUESTS, GUESTS_FOLDER
from tests.support.adapters import PRELUDE, with_prelude
from tests.support.golden import GOLDEN, load_cases
from tests.support.paths import ROOT


@dataclass(frozen=True, slots=True)
class Target:
    """One reader of input.

    Attributes:
        run: reads the bytes; the first call may take longer.
        errors: what it may raise.
        seeds: inputs to start from.
        dictionary: tokens that mutations insert.
    """

    name: str
    run: Callable[[bytes], None]
    errors: tuple[type[MarineError], ...]
    seeds: Callable[[], list[bytes]]
    dictionary: Callable[[], list[bytes]]

    def accepts(self, data: bytes) -> bool:
        """True if the input was read; False when it was refused with an error of the right class, which says why."""
        try:
            self.run(data)
        except self.errors as error:
            if not str(error):
                raise AssertionError("an error without a message") from error
            return False
        return True


def _text(data: bytes) -> str:
    """Any bytes as text; those that are not UTF-8 become lone surrogates, which no reader may trip over."""
    return data.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# The Wasm container and the binary section


def _read_wasm(data: bytes) -> None:
    # Few modules have all of these; each is looked for, whatever became of the others.
    for read in (find_sdk_version, read_manifest, read_signatures, extract, read_description):
        with contextlib.suppress(DiagnosticError):
            read(data)
    _check_code(compile_module("m", data))


def _check_code(module: CompiledModule) -> None:
    compile(module.generate().source, "generated", "exec")


def _read_section(data: bytes) -> None:
    interfaces = decode(data)
    assert decode(encode(interfaces)) == interfaces


def _read_module_manifest(data: bytes) -> None:
    parse_manifest(data)


def _wasm_seeds() -> list[bytes]:
    rich = """
        (module
          (type $s (struct (field i8)))
          (import "env" "f" (func (param i32 (ref null $s)) (result f64)))
          (import "env" "m" (memory 1 2))
          (func $start)
          (global (export "g") i32 (i32.const 1))
          (export "start" (func $start))
          (start $start))
    """
    marked = embed_sdk_version(bytes(wat2wasm(rich)), "0.14.0")
    return [
        append_custom_section(marked, MANIFEST_SECTION, _module_manifest()),
        *(embed(_host_module(), parse(text)) for text in (PRELUDE, *_goldens("text/*.it"))),
        *(item.module.read_bytes() for item in GUESTS if item.name in ("greeting", "shrek")),
    ]


def _module_manifest() -> bytes:
    fields = (b"a", b"0.1.0", b"text", b"", b"2022-04-12T18:16:34Z")
    return b"".join(len(field).to_bytes(8, "little") + field for field in fields)


def _section_seeds() -> list[bytes]:
    return [encode(parse(_text(seed))) for seed in _adapter_seeds() if _ADAPTERS.accepts(seed)]


def _wasm_dictionary() -> list[bytes]:
    names = ("interface-types", "__fluence_sdk_version", MANIFEST_SECTION, "memory", "allocate", "release_objects")
    return [*(name.encode() for name in names), b"\0asm\x01\0\0\0", b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x00"]


def _section_dictionary() -> list[bytes]:
    return [
        *(bytes([item.opcode]) for item in INSTRUCTIONS),
        b"\xff\xff\xff\xff\x0f",
        b"\x80\x80\x80\x80\x00",
        b"0.28.0",
    ]


# Adapter text, and everything that is made of it


def _read_adapters(data: bytes) -> None:
    interfaces = parse(_text(data), "fuzz")
    assert parse(print_interfaces(interfaces)) == interfaces


def _compile_adapters(data: bytes) -> None:
    interfaces = parse(with_prelude(_text(data)), "fuzz")
    module = compile_module("m", embed(_host_module(), interfaces))
    _check_code(module)
    for output in fuse([module]):
        if output is not None:
            compile(output.python.source, "generated", "exec")
            for wat in filter(None, (output.code.glue, output.code.stub)):
                assemble(wat)


@cache
def _host_module() -> bytes:
    extra = '(func (export "f") (param i32) (result i32) (local.get 0)) (func (export "g") (param i64 f64)))'
    return embed_sdk_version(bytes(wat2wasm(_ABI + extra)), "0.14.0")


_ABI = """
    (module
      (memory (export "memory") 1)
      (func (export "allocate") (param i32 i32) (result i32) (i32.const 1024))
      (func (export "release_objects"))
      (func (export "get_result_size") (result i32) (i32.const 0))
      (func (export "get_result_ptr") (result i32) (i32.const 0))
      (func (export "set_result_size") (param i32))
      (func (export "set_result_ptr") (param i32))
"""


def _goldens(pattern: str) -> list[str]:
    return [path.read_bytes().decode() for path in sorted(GOLDEN.glob(pattern))]


def _adapter_seeds() -> list[bytes]:
    cases = [case.input for case in load_cases(GOLDEN / "text/errors.golden")]
    return [_encoded(text) for text in (*_goldens("text/*.it"), *cases)]


def _compiler_seeds() -> list[bytes]:
    cases = [case.input for name in ("errors", "printed") for case in load_cases(GOLDEN / f"ir/{name}.golden")]
    whole = [
        "(@interface type (func (param $a: record 8 $b: array (string)) (result record 8)))",
        "(@interface type (func (param $a: s32) (result s32)))",
        "(@interface type (record $R (field $x: u8 field $y: array (record 8))))",
        '(@interface export "f" (func 7))',
        "(@interface func (type 6) arg.get 1 array.lower_memory string array.lift_memory string dup array.lower_memory "
        "string swap2 call-core 4 call-core 5 array.lower_memory string call-core 4 call-core 5 i32.push 1 call-core 6 "
        "call-core 5 arg.get 0 record.lower_memory 8 record.lift_memory 8)",
        "(@interface implement (func 7) (func 6))",
    ]
    number = "(@interface type (func (param $a: s32) (result s32))) (@interface type (func))"
    number += '(@interface export "f" (func 7))'
    number += "(@interface func (type 6) arg.get 0 i32.from_s32 call-core 6 s32.from_i32)"
    number += "(@interface implement (func 7) (func 6))"
    return [_encoded(text) for text in (*cases, "\n".join(whole), number)]


def _adapter_dictionary() -> list[bytes]:
    words = "@interface it_version type func import export implement record field param result array byte_array string"
    return [
        *words.encode().split(),
        *(item.mnemonic.encode() for item in INSTRUCTIONS),
        b"\\u{e9}",
        b"\\00",
        b"(;",
        b";;",
    ]


# Descriptions


def _read_idl(data: bytes) -> None:
    description = parse_description(_text(data), "fuzz")
    assert parse_description(print_description(description)) == description
    decode(encode(generate(description)))


def _idl_seeds() -> list[bytes]:
    files = [item.interface.read_bytes() for item in GUESTS if item.interface.is_file()]
    return [*files, *(case.input.encode() for case in load_cases(GOLDEN / "idl/errors.golden"))]


def _idl_dictionary() -> list[bytes]:
    words = "data service module import export fn link_name bool string bytes s8 s16 s32 s64 u8 u16 u32 u64 f32 f64"
    return [*words.encode().split(), b"[]", b" -> ", b"--", b"\n  ", b"()"]


# Configurations and arguments


def _read_config(data: bytes) -> None:
    found = parse_config(_text(data), "/", source="fuzz").config
    assert ServiceConfig.from_json(json.loads(json.dumps(found.to_json()))) == found


def _config_seeds() -> list[bytes]:
    whole = (
        'modules_dir = "/"\ntotal_memory_limit = "1 MiB"\nname = "n"\nservice_working_dir = "w"\n'
        '[[module]]\nname = "a"\nfile_name = "a.wasm"\nlogger_enabled = true\nlogging_mask = 3\n'
        '[module.mounted_binaries]\ncurl = "/usr/bin/curl"\n[module.wasi]\nenvs = {A = "1"}\n'
        'mapped_dirs = {"s" = "./s"}\n'
        '[[module]]\nname = "b"\nload_from = "/x"\n[default]\nlogger_enabled = false\n[default.wasi.envs]\nB = ""\n'
    )
    return [
        whole.encode(),
        (ROOT / "examples/curl_service/Config.toml").read_bytes(),
        b'total_memory_limit="Infinity"\nmodules_dir="/"\nmodule=[{name="m"}]',
    ]


def _config_dictionary() -> list[bytes]:
    words = (
        "name total_memory_limit modules_dir service_working_dir default module file_name load_from logger_enabled "
        "logging_mask mounted_binaries wasi envs mapped_dirs preopened_files mem_pages_count true false inf Infinity"
    )
    return [*words.encode().split(), b'"""', b"'''", b"[[", b"]]", b"10 MiB", b"1979-05-27T07:32:00Z", b"\\u0000"]


_RECORDS = {
    3: RecordType("Tree", (Field("name", Prim.STRING), Field("children", Array(Record(3))))),
    4: RecordType("Row", tuple(Field(f"{ty}", ty) for ty in Prim)),
}
_SIGNATURES = (
    FunctionType((Field("a", Record(3)),), (Record(3),)),
    FunctionType((Field("a", Record(4)), Field("b", Array(Record(4)))), (Record(4), Array(Record(4)))),
    FunctionType((Field("a", Array(Array(Prim.U8))), Field("b", Prim.F32)), (Array(Array(Prim.U8)), Prim.F32)),
    FunctionType((), ()),
)


def _read_arguments(data: bytes) -> None:
    """The first byte chooses a signature, the rest is the JSON."""
    signature = _SIGNATURES[(data or b"0")[0] % len(_SIGNATURES)]
    codec = JsonCodec(signature, _RECORDS, module="m", function="f")
    values = codec.arguments(_text(data[1:]))
    written = codec.results(values)
    again = codec.arguments(f"[{written}]" if len(values) == 1 else written)
    assert codec.results(again) == written


def _argument_seeds() -> list[bytes]:
    row = {str(ty): "s" if ty is Prim.STRING else [1] if ty is Prim.BYTE_ARRAY else 1 for ty in Prim} | {"bool": True}
    documents: list[Any] = [
        [{"name": "a", "children": [{"name": "é\ud83d\ude00", "children": []}]}],
        {"a": row, "b": [row, list(row.values())]},
        {"a": [[1, 2], []], "b": -0.0},
        [],
    ]
    return [bytes([index]) + json.dumps(document).encode() for index, document in enumerate(documents)]


def _argument_dictionary() -> list[bytes]:
    words = (
        "null true false NaN Infinity -Infinity -0 1e400 1E-400 18446744073709551616 -9223372036854775809 name children"
    )
    return [*words.encode().split(), b'"\\ud800"', b'"\\udc00"', b"[" * 150, b"]" * 150, b"1" * 5000]


# The manifest of a built directory


@dataclass(frozen=True, slots=True)
class _Built:
    """A built directory whose manifest is overwritten again and again."""

    directory: Path
    manifest: str
    keep: object


@cache
def _built() -> _Built:
    keep = tempfile.TemporaryDirectory(prefix="marine-gen-fuzz-")
    directory = Path(keep.name) / "service"
    build_service(read_target({"greeting": GUESTS_FOLDER / "greeting.wasm"}), directory)
    return _Built(directory, (directory / artifact.MANIFEST).read_text("utf-8"), keep)


def _read_built(data: bytes) -> None:
    """A leading zero byte: the rest is the manifest. Else the bytes choose changes to a good one."""
    built = _built()
    if data[:1] == b"\0":
        content = data[1:]
    else:
        content = json.dumps(edited(json.loads(built.manifest), data)).encode("utf-8", "surrogatepass")
    (built.directory / artifact.MANIFEST).write_bytes(content)
    _ = artifact.read_manifest(built.directory).config
    # The settings themselves are left out: they name directories that would be made.
    load(built.directory, config=ServiceConfig()).close()


def _built_seeds() -> list[bytes]:
    return [b"\0" + _built().manifest.encode(), *(bytes([index, index * 7 % 256, index]) * 3 for index in range(1, 40))]


def _built_dictionary() -> list[bytes]:
    words = "format name generator engine wasmtime key options modules plan files core callees imports exports records"
    return [*(json.dumps(word).encode() for word in words.split()), b"null", b"[]", b"{}", b"-1", b"1e999"]


def _manifest_section_seeds() -> list[bytes]:
    return [_module_manifest()]


def _manifest_section_dictionary() -> list[bytes]:
    return [b"\x05" + bytes(7), b"\xff" * 8, b"1.2.3-rc.1+b", b"2022-04-12T18:16:34+00:00", b"\xc3\xa9"]


_ADAPTERS = Target("adapters", _read_adapters, (DiagnosticError,), _adapter_seeds, _adapter_dictionary)

TARGETS = (
    Target("wasm", _read_wasm, (DiagnosticError,), _wasm_seeds, _wasm_dictionary),
    Target("section", _read_section, (DiagnosticError,), _section_seeds, _section_dictionary),
    Target(
        "module-manifest",
        _read_module_manifest,
        (DiagnosticError,),
        _manifest_section_seeds,
        _manifest_section_dictionary,
    ),
    _ADAPTERS,
    Target("compiler", _compile_adapters, (DiagnosticError,), _compiler_seeds, _adapter_dictionary),
    Target("idl", _read_idl, (DiagnosticError,), _idl_seeds, _idl_dictionary),
    Target("config", _read_config, (ConfigError,), _config_seeds, _config_dictionary),
    Target("arguments", _read_arguments, (ArgumentError,), _argument_seeds, _argument_dictionary),
    Target("manifest", _read_built, (LoadError,), _built_seeds, _built_dictionary),
)


def find(names: list[str]) -> Iterator[Target]:
    """The targets of these names, all of them for none."""
    known = {target.name: target for target in TARGETS}
    yield from (known[name] for name in names or known)
