"""The full text of every diagnostic of interface descriptions, as goldens, and what no golden can hold."""

from __future__ import annotations

import pytest

from marine_gen.binary.limits import MAX_NAME_BYTES, MAX_TYPE_DEPTH
from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.idl import parse_description
from marine_gen.parsing.findings import MAX_FINDINGS
from tests.support.golden import GOLDEN, Case, load_cases


@pytest.mark.parametrize("case", load_cases(GOLDEN / "idl" / "errors.golden"), ids=str)
def test_diagnostics(case: Case) -> None:
    with pytest.raises(DiagnosticError) as caught:
        parse_description(case.input, "page.idl")
    case.check(str(caught.value))


def failing(text: str) -> list[tuple[Code, str]]:
    with pytest.raises(DiagnosticError) as caught:
        parse_description(text)
    return [(item.code, item.message) for item in caught.value.diagnostics]


def test_byte_order_mark() -> None:
    assert failing("\ufeffexport:\n  fn f()\n") == [(Code.TEXT_LEXICAL, "illegal character `U+FEFF`")]


def test_vectors_nest_to_a_limit() -> None:
    text = "export:\n  fn f(a: {})\n"
    parse_description(text.format("[]" * MAX_TYPE_DEPTH + "u16"))
    message = f"the type nests {MAX_TYPE_DEPTH + 1} vectors, but at most {MAX_TYPE_DEPTH} are supported"
    assert failing(text.format("[" * (MAX_TYPE_DEPTH + 1) + "u16" + "]" * (MAX_TYPE_DEPTH + 1))) == [
        (Code.TEXT_VALUE, message)
    ]
    assert [code for code, _ in failing(text.format("[]" * 15_000 + "u16"))] == [Code.TEXT_VALUE]


def test_names_have_a_limit() -> None:
    parse_description(f"export:\n  fn {'f' * MAX_NAME_BYTES}()\n")
    assert failing(f"export:\n  fn {'ü' * 128}()\n") == [
        (Code.TEXT_VALUE, "the name is 256 bytes long, and 255 is the limit")
    ]


def test_no_more_findings_than_a_person_reads() -> None:
    assert len(failing("export:\n" + "  fn\n" * 1000)) == MAX_FINDINGS
