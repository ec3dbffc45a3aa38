"""Texts end their lines by LF, CR LF, or CR alone; nothing behind a comment is lost."""

from __future__ import annotations

import pytest

from marine_gen.diagnostics import DiagnosticError
from marine_gen.idl import parse_description
from marine_gen.text import parse

TEXT = ';; a comment\n(@interface it_version "0.20.0")  ;; one more\n(@interface type (func (param $a: u8)))\n'
IDL = "// a comment\nexport:  // one more\n    fn f(a: u8)\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_comments_end_with_their_line(end: str) -> None:
    interfaces = parse(TEXT.replace("\n", end))
    assert interfaces == parse(TEXT)
    assert len(interfaces.types) == 1
    assert parse_description(IDL.replace("\n", end)) == parse_description(IDL)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_findings_have_their_line(end: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        parse((TEXT + "(@nonsense)\n").replace("\n", end))
    assert [item.span and item.span.line for item in caught.value.diagnostics] == [4]
