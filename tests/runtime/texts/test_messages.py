"""Sentences of messages: one thing is not several, and reasons are named."""

from __future__ import annotations

import errno

import pytest

from marine_gen.console.output import counted as counted_or_none
from marine_gen.diagnostics import DiagnosticError
from marine_gen.wasm import read_signatures
from marine_runtime.adapters.faults import failed_allocation
from marine_runtime.texts import are, counted, did_you_mean, listed, nearest, shortened, suggestion
from marine_runtime.texts.messages import refused_code
from marine_runtime.wasm.memory import out_of_bounds


@pytest.mark.parametrize(("count", "text"), [(0, "0 bytes are"), (1, "1 byte is"), (2, "2 bytes are")])
def test_counted(count: int, text: str) -> None:
    assert f"{counted(count, 'byte')} {are(count)}" == text


def test_none_at_all() -> None:
    assert [counted_or_none(count, "import") for count in (0, 1, 2)] == ["no imports", "1 import", "2 imports"]


def test_messages_about_one_byte() -> None:
    assert str(failed_allocation(1)) == "`allocate` returned 0 for 1 byte"
    assert str(out_of_bounds(7, 1, 1)) == "1 byte at address 7 is outside the memory of 1 byte"
    assert str(out_of_bounds(7, 2, 0)) == "2 bytes at address 7 are outside the memory of 0 bytes"


def test_diagnostics_about_one_byte() -> None:
    head = b"\0asm\1\0\0\0"
    with pytest.raises(DiagnosticError, match="needs 5 bytes, but 1 is left"):
        read_signatures(head + b"\x02\x03\x01\x05a")


def test_long_texts_are_cut() -> None:
    assert shortened("a" * 80) == "a" * 80
    assert shortened("a" * 81) == "a" * 79 + "…"
    assert shortened("abcd", 3) == "ab…"


def test_lists_of_names() -> None:
    assert listed(["a", "b"]) == "`a`, `b`"
    assert listed([]) == "none"


def test_what_was_meant() -> None:
    assert nearest("strng", ["string", "bool"]) == "string"
    assert nearest("STRNG", ["string", "bool"]) == "string"
    assert nearest("vec", ["array", "bool"], {"vec": "array"}) == "array"
    assert nearest("vec", ["bool"], {"vec": "array"}) == ""
    assert nearest(7, ["string"]) == ""
    assert nearest("s" * 100, ["s" * 99]) == ""
    assert did_you_mean("strng", ["string"]) == "did you mean `string`?"
    assert suggestion("strng", ["string"]) == "; did you mean `string`?"
    assert did_you_mean("strng", []) == suggestion("strng", []) == ""


def test_a_policy_is_named_where_memory_is_not_what_lacks() -> None:
    reason = "unable to make memory executable: "
    refused = refused_code(f"{reason}Permission denied", errno.EACCES)
    assert refused.startswith(
        f"the system refuses memory for machine code: {reason}Permission denied; a policy of the "
    )
    assert refused_code(f"{reason}Cannot allocate memory", errno.ENOMEM).endswith("Cannot allocate memory")
