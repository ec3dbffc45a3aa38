"""Diagnostics: what is wrong with an input, where, and what to do about it.

A diagnostic has a stable code, one sentence, a place, an optional label for that place, notes and a help line
(architecture §10). Stages collect as many as they can and raise them together as `DiagnosticError`. The codes are
listed in `codes`; printing for a terminal lives in the command line.
"""

from marine_gen.diagnostics.codes import CODES, Code
from marine_gen.diagnostics.model import Diagnostic, DiagnosticError, SourceSpan

__all__ = ["CODES", "Code", "Diagnostic", "DiagnosticError", "SourceSpan"]
