"""From lines to a description: which block a line belongs to, what its names mean, and what is wrong with them.

A wrong line still leaves its block open, so that one error does not orphan the lines below it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from lark import Token, Tree

from marine_gen.binary.limits import MAX_NAME_BYTES, MAX_TYPE_DEPTH
from marine_gen.diagnostics import Code, SourceSpan
from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Type,
    Vector,
)
from marine_gen.generate.records import TypeSpace
from marine_gen.idl.explain import block_meant, explain_block, explain_syntax
from marine_gen.idl.grammar import FIELD, FUNCTION, HEADER, description_parser
from marine_gen.idl.lines import Line
from marine_gen.idl.names import TYPE_WORDS, write_record_name
from marine_gen.parsing.findings import Findings, shown, span_of
from marine_gen.parsing.literals import LiteralError, read_string
from marine_gen.parsing.syntax import parse_form
from marine_gen.parsing.trees import tokens_in, trees_in
from marine_runtime.abi import BY_EXPORT
from marine_runtime.texts import did_you_mean
from marine_runtime.types import Prim

_OPENS = {"DATA": FIELD, "IMPORT": FUNCTION, "EXPORT": FUNCTION}
_PLACEHOLDER = Prim.BOOLEAN  # for a type that has a finding
_ALIASES = {
    "int": "s32",
    "uint": "u32",
    "float": "f32",
    "double": "f64",
    "str": "string",
    "boolean": "bool",
    "utf8str": "string",
    "utf8string": "string",
    "char": "string",
}
_NUMBER_TYPE = re.compile(r"[iusf]\d+")
_MAX_NEAR = 200  # records that are compared with an unknown name
_K = TypeVar("_K", bound=Hashable)


@dataclass(slots=True)
class _Block:
    """A block that is being read.

    Attributes:
        rule: the rule for its lines; empty when it can't have any.
        record: the record whose fields they are.
        module: the position of the module whose functions they are; None for exports.
        place: the position of the name in its first line.
        size: the number of its lines, right or wrong.
        broken: whether its first line has a finding, so that nothing is kept.
    """

    rule: str = ""
    record: str = ""
    module: int | None = None
    place: SourceSpan = field(default_factory=SourceSpan)
    size: int = 0
    broken: bool = False
    names: dict[str, SourceSpan] = field(default_factory=dict)
    fields: list[Member] = field(default_factory=list)
    functions: list[ImportedFunction] = field(default_factory=list)


class DescriptionTransformer:
    """Collects the blocks of one text."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._block: _Block | None = None
        self._records: dict[str, RecordDeclaration] = {}
        self._places: dict[str, SourceSpan] = {}
        self._modules: list[ExternModule] = []
        self._imported: dict[tuple[str, str], SourceSpan] = {}
        self._functions: dict[str, Signature] = {}
        self._exported: dict[str, SourceSpan] = {}
        self._mentions: list[tuple[str, SourceSpan, str]] = []
        self._sound = True

    def add(self, line: Line, *, legal: bool) -> None:
        """Add one line. One that is not `legal` has a finding, and only keeps its place."""
        if line[0].column == 1:
            self._close()
            self._open(line, legal)
        else:
            self._add_item(line, legal)

    def description(self) -> Description:
        """Everything added so far, when there are no findings; the last of them are made here."""
        self._close()
        for name, span, within in self._mentions:
            if self._findings.full:  # nothing more would be shown, and to look for near names takes long
                break
            self._check_mention(name, span, within)
        description = Description(tuple(self._records.values()), tuple(self._functions.values()), tuple(self._modules))
        if self._sound:
            space = TypeSpace()
            space.declare(description.records)
            for finding in space.findings:  # all else has been looked at: records that contain themselves, or too deep
                name = finding.within.removeprefix("record `").removesuffix("`")
                self._findings.add(finding.code, finding.message, self._places[name], help=finding.help)
        return description

    # First lines.

    def _open(self, line: Line, legal: bool) -> None:
        first = line[0]
        rule = _OPENS.get(first.type, "")
        self._block = _Block(rule, broken=True)
        if not legal:
            self._sound = False
            return
        if not rule:
            self._sound = False
            # Its lines are still read for what is wrong with them, when it is clear what they should be.
            self._block.rule = _OPENS.get(block_meant(first).upper(), "")
            explain_block(first, self._findings)
            return
        tree = self._parse(line, HEADER)
        if tree is None:
            if rule == FIELD and len(line) > 1 and line[1].type == "NAME":
                self._declare(RecordDeclaration(str(line[1]), ()), span_of(line[1]))
            return
        form = trees_in(tree)[0]
        match form.data:
            case "export":
                self._block = _Block(FUNCTION, place=span_of(first))
            case "import_":
                self._open_module(trees_in(form)[0])
            case _:
                self._open_record(form)

    def _open_module(self, name: Tree[Token]) -> None:
        self._modules.append(ExternModule(self._name(name), ()))
        self._block = _Block(FUNCTION, module=len(self._modules) - 1, place=span_of(name.meta))

    def _open_record(self, form: Tree[Token]) -> None:
        token, *types = trees_in(form)
        name = self._name(token)
        place = span_of(token.meta)
        within = f"record `{shown(name)}`"
        fields: tuple[Member, ...] | None = ()
        if form.data == "unit_record":
            fields = None
        elif form.data == "tuple_record":
            fields = tuple(Member("", self._type(ty, within)) for ty in types)
            if not fields:
                self._no_fields(name, place)
        if name in TYPE_WORDS and tokens_in(token)[0].type != "STRING":
            help_line = "rename the record, or write its name in quotes wherever it occurs"
            self._report(Code.TEXT_DUPLICATE, f"`{name}` is already a type", place, help_line)
        known = not self._declare(RecordDeclaration(name, fields), place)
        rule = FIELD if form.data == "record" else ""
        self._block = _Block(rule, record=name, place=place, broken=known)

    def _declare(self, record: RecordDeclaration, place: SourceSpan) -> bool:
        new = self._first(self._places, record.name, f"record `{shown(record.name)}`", place)
        if new:
            self._records[record.name] = record
        return new

    def _close(self) -> None:
        block, self._block = self._block, None
        if block is None or block.broken:
            return
        if block.module is not None:
            self._modules[block.module] = replace(self._modules[block.module], functions=tuple(block.functions))
        elif block.rule == FIELD:
            self._records[block.record] = replace(self._records[block.record], fields=tuple(block.fields))
            if not block.size:
                self._no_fields(block.record, block.place)

    def _no_fields(self, name: str, place: SourceSpan) -> None:
        help_line = "give it one; a record without fields and without a colon is a unit, which has no values"
        self._report(Code.TEXT_VALUE, f"record `{shown(name)}` has no fields", place, help_line)

    # Lines in blocks.

    def _add_item(self, line: Line, legal: bool) -> None:
        block = self._block
        if block is None:
            self._block = block = _Block(broken=True)
            message = "the line is indented, but no block has started"
            help_line = "blocks start in the first column: `data NAME:`, `import NAME:` or `export:`"
            self._report(Code.TEXT_SYNTAX, message, span_of(line[0]), help_line)
        block.size += 1
        if not legal:
            self._sound = False
            return
        if not block.rule:
            if block.record:
                message = f"record `{shown(block.record)}` can't have more fields"
                help_line = "named fields go below `data NAME:`"
                self._report(Code.TEXT_SYNTAX, message, span_of(line[0]), help_line)
                block.record = ""  # said once
            return
        tree = self._parse(line, block.rule)
        if tree is None:
            return
        if block.rule == FIELD:
            self._add_field(block, tree)
        else:
            self._add_function(block, tree)

    def _add_field(self, block: _Block, tree: Tree[Token]) -> None:
        block.fields.append(self._member(tree, block.names, f"record `{shown(block.record)}`"))

    def _add_function(self, block: _Block, tree: Tree[Token]) -> None:
        link, name_tree, params, result = _function_parts(tree)
        name = self._name(name_tree)
        within = f"function `{shown(name)}`"
        names: dict[str, SourceSpan] = {}
        signature = Signature(
            name,
            tuple([self._member(param, names, within) for param in params]),
            None if result is None else self._type(result, f"{within}, result"),
        )
        if block.broken:
            return
        place = span_of(name_tree.meta)
        if block.module is None:
            if link is not None:
                help_line = "an exported function has one name; only imports are renamed"
                self._report(Code.TEXT_SYNTAX, "an exported function can't be renamed", span_of(link.meta), help_line)
            if name in BY_EXPORT:
                message = f"`{name}` is the name of an ABI helper of every module"
                self._report(Code.TEXT_DUPLICATE, message, place, "rename it")
            elif self._first(self._exported, name, f"function `{shown(name)}`", place):
                self._functions[name] = signature
            return
        imported = ImportedFunction(signature, None if link is None else self._name(link))
        module = self._modules[block.module]
        what = f"function `{shown(imported.name)}` of module `{shown(module.namespace)}`"
        where = span_of(link.meta) if link is not None else place
        if self._first(self._imported, (module.namespace, imported.name), what, where):
            block.functions.append(imported)

    def _member(self, tree: Tree[Token], names: dict[str, SourceSpan], within: str) -> Member:
        token, ty = trees_in(tree)
        name = self._name(token)
        if name:  # fields of tuple-like records have none
            self._first(names, name, f"`{shown(name)}` in {within}", span_of(token.meta))
        return Member(name, self._type(ty, f"{within}, `{shown(name)}`" if name else within))

    def _type(self, tree: Tree[Token], within: str) -> Type:
        """One type; a loop, because the text decides how deep it goes."""
        span = span_of(tree.meta)
        depth = 0
        while tree.data == "vector":
            depth += 1
            tree = trees_in(tree)[0]
        if depth > MAX_TYPE_DEPTH:
            message = f"the type nests {depth} vectors, but at most {MAX_TYPE_DEPTH} are supported"
            self._report(Code.TEXT_VALUE, message, span)
            return _PLACEHOLDER
        word = trees_in(tree)[0]
        name = self._name(word)
        ty: Type
        if name in TYPE_WORDS and tokens_in(word)[0].type != "STRING":
            ty = TYPE_WORDS[name]
        else:
            ty = Named(name)
            self._mentions.append((name, span_of(word.meta), within))
        for _ in range(depth):
            ty = Vector(ty)
        return ty

    # Names.

    def _name(self, tree: Tree[Token]) -> str:
        token = tokens_in(tree)[0]
        try:
            name = read_string(token) if token.type == "STRING" else str(token)
        except LiteralError as error:
            self._sound = False
            self._findings.add_literal_error(token, error)
            return str(token)  # as written, so that two wrong names are not one
        if len(name.encode()) > MAX_NAME_BYTES:
            message = f"the name is {len(name.encode())} bytes long, and {MAX_NAME_BYTES} is the limit"
            self._report(Code.TEXT_VALUE, message, span_of(token))
        return name

    def _check_mention(self, name: str, span: SourceSpan, within: str) -> None:
        record = self._records.get(name)
        if record is None:
            help_line = did_you_mean(name, [*TYPE_WORDS, *islice(self._records, _MAX_NEAR)], _ALIASES)
            if not help_line and _NUMBER_TYPE.fullmatch(name):
                help_line = "numbers are `s8` to `s64`, `u8` to `u64`, `f32` and `f64`"
            message = f"`{shown(name)}` is neither a type nor a declared record"
            self._report(
                Code.TEXT_NAME,
                message,
                span,
                help_line or f"declare it: `data {shown(write_record_name(name))}:`",
                within=within,
            )
        elif record.fields is None:
            message = f"record `{shown(name)}` has no fields, so it has no values"
            self._report(Code.TEXT_VALUE, message, span, "leave it out", within=within)

    def _first(self, known: dict[_K, SourceSpan], name: _K, what: str, place: SourceSpan) -> bool:
        """True if `name` is new in `known`; if not, that is reported."""
        if name in known:
            label = f"the first one is in line {known[name].line}"
            self._report(
                Code.TEXT_DUPLICATE, f"{what} is declared twice", place, "rename it, or leave it out", label=label
            )
            return False
        known[name] = place
        return True

    def _parse(self, line: Line, rule: str) -> Tree[Token] | None:
        tree = parse_form(description_parser(), line, rule)
        if isinstance(tree, Tree):
            return tree
        self._sound = False
        explain_syntax(tree, rule, self._findings)
        return None

    def _report(
        self, code: Code, message: str, span: SourceSpan, help_line: str = "", *, label: str = "", within: str = ""
    ) -> None:
        self._sound = False
        self._findings.add(code, message, span, label=label, help=help_line, within=within)


def _function_parts(
    tree: Tree[Token],
) -> tuple[Tree[Token] | None, Tree[Token], list[Tree[Token]], Tree[Token] | None]:
    """Link name, name, parameters and result type of a `function` tree."""
    link: Tree[Token] | None = None
    name: Tree[Token] | None = None
    params: list[Tree[Token]] = []
    result: Tree[Token] | None = None
    for part in trees_in(tree):
        match part.data:
            case "link":
                link = trees_in(part)[0]
            case "name":
                name = part
            case "param":
                params.append(part)
            case _:
                result = trees_in(part)[0]
    assert name is not None
    return link, name, params, result
