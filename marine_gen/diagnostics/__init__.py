"""Diagnostics: an error in an input, its place, and a way to correct it.

A diagnostic has a stable code, one sentence, a place, an optional label for that place, notes and a help line. Stages
collect as many as they can and raise them together as `DiagnosticError`. The codes are listed in `codes`; printing for
a terminal is in `marine_gen.console.report`.
"""

from marine_gen.diagnostics.codes import CODES, Code
from marine_gen.diagnostics.model import Diagnostic, DiagnosticError, SourceSpan

__all__ = ["CODES", "Code", "Diagnostic", "DiagnosticError", "SourceSpan"]
