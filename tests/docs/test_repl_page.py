"""The sessions on the page of the interactive loop print what the page shows, times and identifiers aside."""

from __future__ import annotations

import re

import pytest

from tests.support.markdown import Block, blocks
from tests.support.paths import ROOT
from tests.support.repl import masked, transcript

SESSIONS = list(blocks(ROOT / "docs" / "repl.md", "repl"))


@pytest.mark.parametrize("block", SESSIONS, ids=str)
def test_session_is_as_shown(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = re.findall(r"^\d+> (.*)$", block.text, re.MULTILINE)
    assert lines
    greet = block.text.startswith("Welcome")
    shown = transcript(ROOT / "tests" / "guests" / "donkey.wasm", lines, greet=greet)
    if not greet:
        shown = shown.partition("\n\n")[2]
    assert shown.rstrip("\n") == masked(block.text).rstrip("\n")


def test_there_are_sessions() -> None:
    assert len(SESSIONS) >= 3
