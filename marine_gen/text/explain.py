"""Wording of lexical and syntax errors in adapter texts, with a correction where one is likely.

Errors in values are reported where the values are read.
"""

from __future__ import annotations

from collections.abc import Collection

from lark import Token

from marine_gen.diagnostics import Code, SourceSpan
from marine_gen.parsing.explain import END, alternatives, description, report_illegal
from marine_gen.parsing.findings import Findings, shown, span_of
from marine_gen.text.grammar import NAME_TERMINALS, TYPE_TERMINALS, literal_texts
from marine_runtime.texts import did_you_mean

_CLASSES = {"NUMBER": "a number", "STRING": "a string", "MNEMONIC": "an instruction", END: "the end of the text"}
_TYPE_ALIASES = {
    "i8": "s8",
    "i16": "s16",
    "int": "s32",
    "float": "f64",
    "str": "string",
    "bytes": "byte_array",
    "list": "array",
    "vec": "array",
}


def explain_illegal(run: str, span: SourceSpan, findings: Findings) -> None:
    """Report characters that cannot start or continue any token."""
    help_line = ""
    if run.startswith(";"):
        help_line = "a comment starts with two semicolons: `;;`"
    elif run.startswith(","):
        help_line = "items are separated by white space only"
    elif not run.isascii():
        help_line = 'a name with such characters is written in quotes: `$"…"`'
    report_illegal(run, span, findings, help_line)


def explain_syntax(token: Token, previous: Token | None, accepts: Collection[str], findings: Findings) -> None:
    """Report a token in the wrong place.

    Args:
        token: the token; its type is `$END` at the end of a form.
        previous: the token before it.
        accepts: the terminals that could stand here.
        findings: the collection that the report is added to.
    """
    expected = f"expected {_expectation(accepts)}"
    if previous is not None and previous.type == "ID" and set(accepts) == {"_COLON"}:
        _missing_colon(previous, findings)
    elif token.type == END:
        span = span_of(previous) if previous is not None else SourceSpan(line=1, column=1)
        findings.add(
            Code.TEXT_SYNTAX,
            "the directive is not complete",
            span,
            label=f"after this, {expected}",
            help="every `(` needs its `)`, and a new `(@interface` starts only after the last one",
        )
    else:
        message = f"unexpected {description(token)}"
        findings.add(Code.TEXT_SYNTAX, message, span_of(token), label=expected, help=_help(token, previous, accepts))


def _missing_colon(name: Token, findings: Findings) -> None:
    head, colon, tail = name.partition(":")
    if colon:
        message = f"`{shown(name)}` is a single name"
        help_line = f"put a space behind the colon: `{shown(head)}: {shown(tail)}`"
    else:
        message = f"the name `{shown(name)}` has no colon"
        help_line = f"write `{shown(name)}: TYPE`"
    findings.add(Code.TEXT_SYNTAX, message, span_of(name), help=help_line)


def _help(token: Token, previous: Token | None, accepts: Collection[str]) -> str:
    literals = literal_texts()
    if "_INTERFACE" in accepts or END in accepts:
        return "a text is a sequence of `(@interface …)` directives"
    if previous is not None and previous.type == "ARRAY" and "LPAR" in accepts:
        return "the element type of an array is in parentheses: `array (TYPE)`"
    if "NUMBER" in accepts and token.type in NAME_TERMINALS:
        return "indices are plain numbers; names cannot be referred to"
    if "MNEMONIC" in accepts and token.type == "RESERVED":
        return "an instruction starts with a lower-case letter"
    if NAME_TERMINALS & set(accepts) and token.type in TYPE_TERMINALS:
        return "every parameter and field has a name: `$name: TYPE`"
    if token.type == "NUMBER" and NAME_TERMINALS & set(accepts):
        return "a name starts with `$`"
    if token.type in {"MNEMONIC", "RESERVED"}:
        if NAME_TERMINALS & set(accepts):
            return f"a name starts with `$`: `${shown(token)}`"
        words = [literals[name] for name in accepts if name in literals and literals[name][0].isalpha()]
        return did_you_mean(token, sorted(words), _TYPE_ALIASES)
    return ""


def _expectation(accepts: Collection[str]) -> str:
    literals = literal_texts()
    names = set(accepts)
    words = []
    if names == {"LPAR", END}:
        return "`(@interface` or the end of the text"
    if names >= TYPE_TERMINALS:
        names -= TYPE_TERMINALS
        words.append("a type")
    if NAME_TERMINALS & names:
        words.append("a name")
        names -= NAME_TERMINALS
    words += [_CLASSES.get(name) or f"`{literals.get(name, name)}`" for name in sorted(names)]
    return alternatives(words)
