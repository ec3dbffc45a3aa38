"""The diagnostic itself, its place, and the exception that carries several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from marine_gen.diagnostics.codes import Code
from marine_runtime import LoadError


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """A place in an input.

    Text inputs give `line` and `column` (both from 1); binary inputs give `offset`, a byte offset in the section that
    `section` names (or in the file, when `section` is empty).
    """

    line: int = 0
    column: int = 0
    end_column: int = 0
    offset: int = 0
    section: str = ""

    def __str__(self) -> str:
        if self.line:
            return f"{self.line}:{self.column}"
        where = f" of section `{self.section}`" if self.section else ""
        return f"byte {self.offset}{where}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    Attributes:
        code: its stable identifier.
        message: one sentence, no full stop.
        source: file or module name.
        span: the place inside the source, when there is one.
        within: the examined item, as in "adapter of `greeting`, instruction #3 `call-core 6`".
        label: a few words for the marked place.
        notes: further facts.
        help: the remedy.
    """

    code: Code
    message: str
    source: str = ""
    span: SourceSpan | None = None
    within: str = ""
    label: str = ""
    notes: tuple[str, ...] = ()
    help: str = ""

    def place(self) -> str:
        """`file:line:column`, or `file: byte N of section S`."""
        if self.span is None:
            return self.source
        separator = ":" if self.span.line else ": "
        return f"{self.source}{separator}{self.span}" if self.source else str(self.span)

    def __str__(self) -> str:
        lines = [f"error[{self.code.value}]: {self.message}"]
        if place := self.place():
            lines.append(f"  --> {place}")
        if self.within:
            lines.append(f"   in {self.within}")
        if self.label:
            lines.append(f"   ^  {self.label}")
        lines += [f"  note: {note}" for note in self.notes]
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The diagnostic for `--json` outputs; absent parts are left out."""
        document: dict[str, Any] = {"code": self.code.value, "message": self.message, "source": self.source}
        if self.span and self.span.line:
            document |= {"line": self.span.line, "column": self.span.column}
        elif self.span:
            document |= {"section": self.span.section, "offset": self.span.offset}
        for key in ("within", "label", "notes", "help"):
            if value := getattr(self, key):
                document[key] = list(value) if key == "notes" else value
        return document


@dataclass(eq=False)
class DiagnosticError(LoadError):
    """One or more diagnostics that make an input unusable."""

    diagnostics: Sequence[Diagnostic] = field(default_factory=tuple)

    def __str__(self) -> str:
        return "\n".join(map(str, self.diagnostics))

    def with_source(self, source: str) -> DiagnosticError:
        """The same findings, those without a source attributed to `source`."""
        return DiagnosticError([item if item.source else replace(item, source=source) for item in self.diagnostics])
