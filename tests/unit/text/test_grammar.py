"""The grammar file and the instruction table agree, and the grammar is found where it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

import marine_gen.parsing.grammar as grammar_module
from marine_gen.interfaces import INSTRUCTIONS, Adapter, Immediate, Instruction, Interfaces, Operator
from marine_gen.parsing.grammar import grammar_text
from marine_gen.text import parse, print_interfaces
from marine_gen.text.grammar import TYPE_TERMINALS, adapter_parser, literal_texts
from marine_runtime.types import Array, Prim, Record
from tests.support.paths import ROOT

SAMPLES = {
    Immediate.NONE: (None,),
    Immediate.ARGUMENT: (0, 2**32 - 1),
    Immediate.CALLEE: (0, 2**32 - 1),
    Immediate.RECORD: (0, 2**32 - 1),
    Immediate.TYPE: (*(prim for prim in Prim), Array(Prim.STRING), Record(3), Array(Array(Record(2**64 - 1)))),
    Immediate.I32: (0, -1, -(2**31), 2**31 - 1),
    Immediate.I64: (0, -1, -(2**63), 2**63 - 1),
}


@pytest.mark.parametrize("operator", INSTRUCTIONS, ids=lambda operator: operator.mnemonic)
def test_every_instruction_of_the_table_is_read_and_printed(operator: Operator) -> None:
    # Each one stands between two others, so that neither its mnemonic nor its immediate can swallow a neighbour.
    (dup,) = [Instruction(item) for item in INSTRUCTIONS if item.mnemonic == "dup"]
    for sample in SAMPLES[operator.immediate]:
        value = Interfaces("0.28.0", adapters=(Adapter(0, (dup, Instruction(operator, sample), dup)),))
        assert parse(print_interfaces(value)) == value


def test_no_mnemonic_is_a_word_of_the_grammar() -> None:
    assert not {operator.mnemonic for operator in INSTRUCTIONS} & set(literal_texts().values())


def test_the_type_terminals_are_the_words_of_all_types() -> None:
    words = {literal_texts()[name] for name in TYPE_TERMINALS}
    assert words == {prim.value for prim in Prim if prim is not Prim.BYTE_ARRAY} | {
        "boolean",
        "byte_array",
        "array",
        "record",
    }


def test_the_grammar_is_the_file_of_the_checkout() -> None:
    assert grammar_text("marine_gen.text", "adapter.lark") == (ROOT / "grammar" / "adapter.lark").read_text("utf-8")


def test_an_installed_grammar_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "adapter.lark").write_text("installed", encoding="utf-8")
    monkeypatch.setattr(grammar_module, "files", lambda _: tmp_path)
    assert grammar_text("marine_gen.text", "adapter.lark") == "installed"


def test_the_parser_is_made_once() -> None:
    assert adapter_parser() is adapter_parser()
