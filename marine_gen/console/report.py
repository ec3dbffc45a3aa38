"""Messages on stderr: errors with their causes, diagnostics with place, excerpt, notes and help.

Names in messages come from untrusted files, so control characters are shown as escapes and never reach
the terminal. Colours follow the terminal and NO_COLOR; the words are the same without them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from marine_gen.diagnostics import Diagnostic

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_MAX_EXCERPT = 160
_MAX_SOURCE = 4_000_000


def clean(text: str) -> str:
    """`text` on one line, with everything that could steer a terminal as an escape."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def wants_colour(stream: Any) -> bool:
    """True if output to `stream` is to be coloured."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(getattr(stream, "isatty", lambda: False)())


def say(text: str = "") -> None:
    """One message line on stderr."""
    click.echo(text if wants_colour(sys.stderr) else click.unstyle(text), err=True, color=True)


def report_error(error: BaseException) -> None:
    """A failure and its causes."""
    diagnostics = getattr(error, "diagnostics", None)  # a DiagnosticError, told apart without importing it
    if diagnostics:
        report_diagnostics(diagnostics)
        return
    findings = getattr(error, "findings", ())  # of a ConfigError
    if len(findings) > 1:
        for finding in findings:
            say(f"{_head('error')}: {clean(finding)}")
        return
    sentence, *causes = error_lines(error)
    headed = bool(getattr(error, "lines", ())) and sentence.startswith("error")
    say(sentence if headed else f"{_head('error')}: {sentence}")
    for cause in causes:
        say(cause)


def error_lines(error: BaseException) -> list[str]:
    """A failure as a sentence, then its causes; findings with their places. Without colours."""
    diagnostics = getattr(error, "diagnostics", None)
    if diagnostics:
        return [click.unstyle(line) for item in diagnostics for line in _diagnostic_lines(item)]
    if lines := _own_lines(error):
        return lines
    sentence = _sentence(error)
    if not _expected(error):
        sentence = f"internal error: {sentence}; this is a fault of marine-gen, `--debug` shows where"
    causes = ([*(_own_lines(cause) or [_sentence(cause)])] for cause in _causes(error))
    return [sentence, *(line for first, *more in causes for line in (f"  caused by: {first}", *more))]


def _own_lines(error: BaseException) -> list[str]:
    """The lines of a message that has several on purpose. A line feed in any other message is part of a name."""
    lines = getattr(error, "findings", ()) or getattr(error, "lines", ())
    return [clean(line) for line in lines] if len(lines) > 1 else []


def report_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Findings, with an empty line between them."""
    for position, diagnostic in enumerate(diagnostics):
        if position:
            say()
        for line in _diagnostic_lines(diagnostic):
            say(line)


def report_interrupted() -> None:
    """The user pressed Ctrl-C."""
    say(f"{_head('error')}: interrupted")


def report_traceback(error: BaseException) -> None:
    """The Python traceback of a failure; for `--debug`."""
    import traceback

    click.echo("".join(traceback.format_exception(error)), err=True, nl=False)


def warn(text: str) -> None:
    """A warning: the command goes on."""
    say(f"{click.style('warning', fg='yellow', bold=True)}: {text}")


def _head(word: str) -> str:
    return click.style(word, fg="red", bold=True)


def _expected(error: BaseException) -> bool:
    """True if an error is about the input or the system, and not a fault of ours."""
    return _is_ours(error) or isinstance(error, (OSError, ImportError, MemoryError))


def _is_ours(error: BaseException) -> bool:
    # By module, because a broken installation can't import the class.
    return any(kind.__module__ == "marine_runtime.errors" for kind in type(error).__mro__)


def _sentence(error: BaseException) -> str:
    if _is_ours(error):
        return clean(str(error))
    if isinstance(error, OSError):
        from marine_runtime.texts import os_reason

        where = f"`{error.filename}`: " if error.filename is not None else ""
        return clean(f"{where}{os_reason(error)}")
    if isinstance(error, ImportError):
        return clean(f"the installation is incomplete: {error}; `marine-gen doctor` says more")
    if isinstance(error, MemoryError):
        return "out of memory"
    return clean(f"{type(error).__name__}: {error}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    cause = error.__cause__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _diagnostic_lines(item: Diagnostic) -> Iterator[str]:
    """As `str(diagnostic)`, with the source line where there is one."""
    yield f"{_head(f'error[{item.code.value}]')}: {clean(item.message)}"
    if place := item.place():
        yield f"  {_blue('-->')} {clean(place)}"
    if item.within:
        yield f"   in {clean(item.within)}"
    excerpt = list(_excerpt(item))
    if excerpt:
        yield from excerpt
    elif item.label:
        yield f"   {_blue('^')}  {clean(item.label)}"
    for note in item.notes:
        yield f"  {click.style('note', bold=True)}: {clean(note)}"
    if item.help:
        yield f"  {click.style('help', fg='green', bold=True)}: {clean(item.help)}"


def _excerpt(item: Diagnostic) -> Iterator[str]:
    """The line of a text that `item` is about, its column marked."""
    span = item.span
    if span is None or not span.line:
        return
    try:
        path = Path(item.source)
        if path.stat().st_size > _MAX_SOURCE:
            return
        line = re.split(r"\r\n|\r|\n", path.read_bytes().decode())[span.line - 1]
    except (OSError, ValueError, IndexError):
        return
    line = line.rstrip("\r").replace("\t", " ")
    if not line.strip() or len(line) > _MAX_EXCERPT or _CONTROL.search(line):
        return
    width = max(min(span.end_column, len(line) + 1) - span.column, 1)
    number = str(span.line)
    bar = _blue("|")
    yield f" {' ' * len(number)} {bar}"
    yield f" {_blue(number)} {bar} {line}"
    label = f" {clean(item.label)}" if item.label else ""
    yield f" {' ' * len(number)} {bar} {' ' * (span.column - 1)}{_head('^' * width)}{label}"


def _blue(text: str) -> str:
    return click.style(text, fg="blue", bold=True)
