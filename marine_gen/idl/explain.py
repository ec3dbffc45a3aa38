"""Wording of lexical and syntax errors in interface descriptions, with a correction where one is likely.

Errors about the meaning of names are reported in `transform`.
"""

from __future__ import annotations

from collections.abc import Collection

from lark import Token

from marine_gen.diagnostics import Code, SourceSpan
from marine_gen.idl.grammar import FIELD, FUNCTION, HEADER, NAME_TERMINALS, literal_texts
from marine_gen.parsing.explain import END, alternatives, description, report_illegal
from marine_gen.parsing.findings import Findings, span_of
from marine_gen.parsing.syntax import SyntaxProblem
from marine_runtime.texts import nearest

BLOCKS = ("data", "import", "export")
"""The words that a block starts with."""

_BLOCK_ALIASES = {
    "record": "data",
    "struct": "data",
    "type": "data",
    "service": "export",
    "exports": "export",
    "imports": "import",
    "module": "import",
    "extern": "import",
    "use": "import",
}
_FN_ALIASES = ("func", "function", "def", "fun")


def explain_illegal(run: str, span: SourceSpan, findings: Findings) -> None:
    """Report characters that cannot start or continue any token."""
    help_line = ""
    if run.startswith(("#", "/", "--")):
        help_line = "a comment starts with two slashes: `//`"
    elif run.startswith(";"):
        help_line = "a line ends without a sign, and a comment starts with two slashes: `//`"
    elif run[0] in "<>&*?":
        help_line = "types are `[T]`, the names of records, `string`, `bool`, and numbers such as `u8`"
    elif run[0] in "-.'`$":
        help_line = "a name with such characters is written in double quotes"
    elif run[0] in "{}":
        help_line = "a block is what is indented below its first line"
    report_illegal(run, span, findings, help_line)


def block_meant(word: str) -> str:
    """The word of a block that was probably meant by `word`, or nothing."""
    return nearest(word, BLOCKS, _BLOCK_ALIASES)


def explain_block(first: Token, findings: Findings) -> None:
    """Report a line in the first column that does not start with the word of a block."""
    message = f"unexpected {description(first)}"
    label = "expected `data`, `import` or `export`"
    if first in ("fn", *_FN_ALIASES):
        help_line = "a function must be indented below `export:` or `import NAME:`"
    elif meant := block_meant(first):
        help_line = f"did you mean `{meant}`?"
    else:
        help_line = "fields and functions are indented"
    findings.add(Code.TEXT_SYNTAX, message, span_of(first), label=label, help=help_line)


def explain_syntax(problem: SyntaxProblem, rule: str, findings: Findings) -> None:
    """Report a token in the wrong place of a line that was read under the start rule `rule`."""
    token, previous, accepts = problem
    expected = f"expected {_expectation(accepts)}"
    if token.type == END:
        span = span_of(previous) if previous is not None else SourceSpan(line=1, column=1)
        message = "the line is not complete"
        label = f"after this, {expected}"
    else:
        span = span_of(token)
        message = f"unexpected {description(token)}"
        label = expected
    findings.add(Code.TEXT_SYNTAX, message, span, label=label, help=_help(token, previous, accepts, rule))


def _help(token: Token, previous: Token | None, accepts: Collection[str], rule: str) -> str:
    if rule == FUNCTION and previous is None:
        return "did you mean `fn`?" if token in _FN_ALIASES else "each line of the block is `fn NAME(…) -> TYPE`"
    if token.type == "WORD":
        return "a name starts with a letter or an underscore; any other is written in double quotes"
    if previous is not None and previous.type == "COLON" and END in accepts:
        return "the items of a block are indented on the lines below it"
    if token.type == "ARROW":
        return "what has no result has no arrow" if rule == FUNCTION else "only functions have results"
    if token.type == END and previous is not None and previous.type == "LPAR":
        return "every `(` needs its `)`"
    if rule == FIELD:
        return "each field is a line `NAME: TYPE`"
    if rule == HEADER and "COLON" in accepts and token.type == END:
        return "a block starts with a line that ends in a colon"
    if rule == FUNCTION and "COLON" in accepts:
        return "every parameter has a name: `NAME: TYPE`"
    return ""


def _expectation(accepts: Collection[str]) -> str:
    literals = literal_texts()
    names = set(accepts)
    words = []
    if names >= NAME_TERMINALS:
        names -= NAME_TERMINALS
        words.append("a type" if "LSQB" in names else "a name")
        names.discard("LSQB")
    words += ["the end of the line" if name == END else f"`{literals[name]}`" for name in sorted(names)]
    return alternatives(words)
