"""From trees to Interfaces: reads the values in the tokens and notes those that are wrong.

A directive with a wrong value still takes its place, so that one error does not shift the index spaces of the rest.
"""

from __future__ import annotations

from typing import TypeAlias

from lark import Token, Tree

from marine_gen.binary.limits import MAX_TYPE_DEPTH, U32_MAX
from marine_gen.diagnostics import Code, SourceSpan
from marine_gen.interfaces import (
    BY_MNEMONIC,
    Adapter,
    Export,
    Immediate,
    Implementation,
    Import,
    Instruction,
    Interfaces,
)
from marine_gen.parsing.findings import Findings, shown, span_of
from marine_gen.parsing.literals import LiteralError, read_integer, read_name, read_string
from marine_gen.parsing.trees import tokens_in, trees_in
from marine_gen.wasm.semver import parse_version
from marine_runtime.texts import did_you_mean
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType

_Node: TypeAlias = Token | Tree[Token]
_SCALARS: dict[str, Prim] = {prim.value: prim for prim in Prim} | {
    "boolean": Prim.BOOLEAN,
    "byte_array": Prim.BYTE_ARRAY,
}
_U64_MAX = 2**64 - 1
_PLACEHOLDER = Prim.I32  # for a type that has no value; a finding says so
_ALIASES = {
    "argument.get": "arg.get",
    "call-import": "call-core",
    "call-export": "call-core",
    "call-adapter": "call-core",
    "record.lift": "record.lift_memory",
    "record.lower": "record.lower_memory",
}


class InterfaceTransformer:
    """Collects the directives of one text."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._version: str | None = None
        self._types: list[FunctionType | RecordType] = []
        self._imports: list[Import] = []
        self._adapters: list[Adapter] = []
        self._exports: list[Export] = []
        self._implementations: list[Implementation] = []

    def interfaces(self, *, version_broken: bool) -> Interfaces:
        """Everything added so far; meaningful when there are no findings.

        A missing version is noted, unless `version_broken`: then its directive has a finding already.
        """
        if self._version is None and not version_broken:
            self._findings.add(
                Code.TEXT_VERSION,
                "the text has no version",
                SourceSpan(line=1, column=1),
                help='add `(@interface it_version "0.28.0")`',
            )
        return Interfaces(
            self._version or "",
            tuple(self._types),
            tuple(self._imports),
            tuple(self._adapters),
            tuple(self._exports),
            tuple(self._implementations),
        )

    def add(self, form: Tree[Token]) -> None:
        """Add one `interface` tree."""
        directive = trees_in(form)[0]
        span = span_of(form.meta)
        match directive.data:
            case "version":
                self._add_version(tokens_in(directive)[0], span)
            case "function_type":
                self._types.append(self._function_type(directive))
            case "record_type":
                self._types.append(self._record_type(directive))
            case "import_":
                namespace, name = (self._string(token) for token in tokens_in(directive))
                self._imports.append(Import(namespace, name, self._type_index(directive), span))
            case "adapter":
                instructions = tuple(self._instruction(tree) for tree in trees_in(directive)[1:])
                self._adapters.append(Adapter(self._type_index(directive), instructions, span))
            case "export":
                name_token, index = tokens_in(directive)
                self._exports.append(Export(self._string(name_token), self._index(index), span))
            case _:
                core, adapter = (self._index(token) for token in tokens_in(directive))
                self._implementations.append(Implementation(core, adapter, span))

    def _add_version(self, token: Token, span: SourceSpan) -> None:
        if self._version is not None:
            self._findings.add(Code.TEXT_VERSION, "the text has a second version", span, help="keep one of them")
            return
        self._version = self._string(token)
        try:
            parse_version(self._version)
        except ValueError as error:
            self._findings.add(Code.TEXT_VALUE, str(error), span_of(token))

    def _function_type(self, tree: Tree[Token]) -> FunctionType:
        params: list[Field] = []
        results: list[IType] = []
        for group in trees_in(tree):
            if group.data == "params":
                params += [self._field(field) for field in trees_in(group)]
            else:
                results += [self._type(result) for result in trees_in(group)]
        return FunctionType(tuple(params), tuple(results))

    def _record_type(self, tree: Tree[Token]) -> RecordType:
        token = tokens_in(tree)[0]
        name = self._name(token)
        fields = tuple([self._field(trees_in(field)[0]) for field in trees_in(tree)])
        if not fields:
            message = f"record `{shown(name)}` has no fields"
            self._findings.add(Code.TEXT_VALUE, message, span_of(token), help="a record needs at least one field")
        return RecordType(name, fields)

    def _field(self, tree: Tree[Token]) -> Field:
        token = tokens_in(tree)[0]
        name = self._name(token)
        if token.type == "ID_COLON":
            name = name.rstrip(":")
        return Field(name, self._type(trees_in(tree)[0]))

    def _type(self, tree: Tree[Token]) -> IType:
        """One type; a loop, because the text decides how deep it goes."""
        span = span_of(tree.meta)
        depth = 0
        while tree.data == "array":
            depth += 1
            tree = trees_in(tree)[0]
        if depth > MAX_TYPE_DEPTH:
            message = f"the type nests {depth} arrays, but at most {MAX_TYPE_DEPTH} are supported"
            self._findings.add(Code.TEXT_VALUE, message, span)
            return _PLACEHOLDER
        token = tokens_in(tree)[0]
        ty: IType
        if tree.data == "record":
            ty = Record(self._integer(token, 0, _U64_MAX, 64))
        else:
            ty = _SCALARS[token]
            if ty is Prim.U8 and depth:
                # `array (u8)` is how a byte array prints, and the only thing that generators mean by it.
                ty = Prim.BYTE_ARRAY
                depth -= 1
        for _ in range(depth):
            ty = Array(ty)
        return ty

    def _instruction(self, tree: Tree[Token]) -> Instruction:
        token = tokens_in(tree)[0]
        span = span_of(token)
        operator = BY_MNEMONIC.get(token)
        if operator is None:
            self._findings.add(
                Code.TEXT_LEXICAL,
                f"`{shown(token)}` is not an instruction",
                span,
                help=did_you_mean(token, BY_MNEMONIC, _ALIASES),
            )
            return Instruction(BY_MNEMONIC["dup"], span=span)
        operand = tree.children[1] if len(tree.children) > 1 else None
        return Instruction(operator, self._immediate(token, operator.immediate, operand), span)

    def _immediate(self, mnemonic: Token, wanted: Immediate, operand: _Node | None) -> int | IType | None:
        if wanted is Immediate.NONE:
            if operand is not None:
                span = span_of(operand if isinstance(operand, Token) else operand.meta)
                self._findings.add(Code.TEXT_SYNTAX, f"`{mnemonic}` takes no immediate", span)
            return None
        is_type = isinstance(operand, Tree)
        if operand is None or is_type is not (wanted is Immediate.TYPE):
            needed = "a type" if wanted is Immediate.TYPE else f"a number, the {wanted.value}"
            if wanted in (Immediate.I32, Immediate.I64):
                needed = f"a number, an {wanted.value} constant"
            span = span_of(mnemonic)
            self._findings.add(Code.TEXT_SYNTAX, f"`{mnemonic}` must be followed by {needed}", span)
            return _PLACEHOLDER if wanted is Immediate.TYPE else 0
        if isinstance(operand, Tree):
            return self._type(operand)
        if wanted is Immediate.I32:
            return self._constant(operand, 32)
        return self._constant(operand, 64) if wanted is Immediate.I64 else self._index(operand)

    def _constant(self, token: Token, bits: int) -> int:
        """A number in the signed or the unsigned range; the latter is reinterpreted."""
        value = self._integer(token, -(1 << (bits - 1)), (1 << bits) - 1, bits)
        return value - (1 << bits) if value >> (bits - 1) > 0 else value

    def _type_index(self, tree: Tree[Token]) -> int:
        return self._index(tokens_in(trees_in(tree)[0])[0])

    def _index(self, token: Token) -> int:
        return self._integer(token, 0, U32_MAX, 32)

    def _integer(self, token: Token, low: int, high: int, bits: int) -> int:
        value = read_integer(token, low, high)
        if value is not None:
            return value
        kind = "an unsigned number" if low == 0 else "a number"
        help_line = f"it must be between {low} and {high}"
        message = f"`{shown(token)}` is not {kind} of {bits} bits"
        self._findings.add(Code.TEXT_VALUE, message, span_of(token), help=help_line)
        return 0

    def _string(self, token: Token) -> str:
        try:
            return read_string(token)
        except LiteralError as error:
            self._findings.add_literal_error(token, error)
            return ""

    def _name(self, token: Token) -> str:
        try:
            return read_name(token)
        except LiteralError as error:
            self._findings.add_literal_error(token, error)
            return ""
