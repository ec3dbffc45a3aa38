"""The memory that WASI uses is the one named `memory`, whatever other memories a module exports."""

from __future__ import annotations

import pytest

from marine_gen.generate import Description, generate
from marine_runtime import LinkError
from marine_runtime.config.model import ModuleConfig
from marine_runtime.types import Prim
from marine_runtime.wasi.functions import PREVIEW1
from tests.support.echo import function
from tests.support.engines import Configuration, assemble
from tests.support.wasi import SUCCESS, load_configured

pytestmark = pytest.mark.host_side

HELPERS = """
  (func (export "allocate") (param i32 i32) (result i32) unreachable)
  (func (export "release_objects"))
  (func (export "get_result_size") (result i32) unreachable)
  (func (export "get_result_ptr") (result i32) unreachable)
  (func (export "set_result_size") (param i32))
  (func (export "set_result_ptr") (param i32))"""
BODY = f"""
  (import "{PREVIEW1}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (func (export "print") (param i32) (result i32)
    (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
  {HELPERS}
"""
TEXT = '(data (memory {}) (i32.const 0) "\\10\\00\\00\\00\\04\\00\\00\\00") (data (memory {}) (i32.const 16) "{}")'


def printed(configuration: Configuration, memories: str) -> list[bytes]:
    """Output of a module with these memories."""
    adapters = generate(Description((), (function("print", Prim.S32),)))
    pieces: list[bytes] = []
    module = assemble(f"(module {BODY} {memories})", adapters)
    with load_configured({"m": module}, configuration, {"m": ModuleConfig(stdout=pieces.append)}) as service:
        assert service.call("m", "print", [0]) == SUCCESS
    return pieces


TWO = f"{TEXT.format('$a', '$a', 'aaaa')} {TEXT.format('$b', '$b', 'bbbb')}"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("other", "memory", b"bbbb"), ("memory", "other", b"aaaa"), ("one", "two", b"aaaa")],
)
def test_the_memory_named_memory(configuration: Configuration, first: str, second: str, expected: bytes) -> None:
    """Wasmtime's own WASI refuses the last of these, and Marine's takes the first memory."""
    memories = f'(memory $a (export "{first}") 1) (memory $b (export "{second}") 1) {TWO}'
    assert printed(configuration, memories) == [expected]


def test_a_memory_under_two_names(configuration: Configuration) -> None:
    memories = f'(memory $a 1) (memory $b 1) (export "x" (memory $b)) (export "memory" (memory $a)) {TWO}'
    assert printed(configuration, memories) == [b"aaaa"]


def test_a_memory_of_64_bits_is_refused(configuration: Configuration) -> None:
    memories = '(memory (export "x") 1) (memory (export "memory") i64 1)'
    with pytest.raises(LinkError, match="module `m`: its memory can't be used by WASI"):
        printed(configuration, memories)
