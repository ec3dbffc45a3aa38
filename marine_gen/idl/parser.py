"""Parses a description: lines, then names, then all findings at once. It does not read files."""

from __future__ import annotations

from marine_gen.generate import Description
from marine_gen.idl.lines import read_lines
from marine_gen.idl.transform import DescriptionTransformer
from marine_gen.parsing.findings import Findings
from marine_gen.parsing.syntax import with_line_feeds


def parse_description(text: str, source: str = "") -> Description:
    """Parse an interface description; `generate` takes every description that comes back.

    Args:
        text: the whole text.
        source: its file name, for errors.

    Raises:
        DiagnosticError: the text is malformed (TEXT_LEXICAL, TEXT_SYNTAX, TEXT_VALUE), names a type that it does not
            declare (TEXT_NAME), declares a name twice (TEXT_DUPLICATE), or has a record that contains itself
            (RECORD_NESTING). It carries one syntax error per line, and all wrong names of the others.
    """
    text, findings = with_line_feeds(text), Findings(source)
    builder = DescriptionTransformer(findings)
    for line, legal in read_lines(text, findings):
        builder.add(line, legal=legal)
    description = builder.description()
    findings.raise_if_any()
    return description
