"""Parses an adapter text: forms, then values, then all findings at once.

It does not read files, and does not check indices or types.
"""

from __future__ import annotations

from marine_gen.interfaces import Interfaces
from marine_gen.parsing.findings import Findings
from marine_gen.parsing.syntax import with_line_feeds
from marine_gen.text.syntax import read_forms
from marine_gen.text.transform import InterfaceTransformer


def parse(text: str, source: str = "") -> Interfaces:
    """Parse an adapter text; `parse(print_interfaces(x)) == x` for every `x` without the `Array(U8)` spelling.

    Args:
        text: the whole text.
        source: its file name, for errors.

    Raises:
        DiagnosticError: the text is malformed (TEXT_…). It carries one finding per broken directive, and all wrong
            values of the others.
    """
    text, findings = with_line_feeds(text), Findings(source)
    builder = InterfaceTransformer(findings)
    forms = read_forms(text, findings)
    for tree in forms.trees:
        builder.add(tree)
    interfaces = builder.interfaces(version_broken=forms.version_broken)
    findings.raise_if_any()
    return interfaces
