"""Entries: the functions that users call, specialised for their signature.

An argument of exactly the right type and range passes with one comparison; anything else goes to the runtime's
coercion, which accepts more (an int for a float, a mapping for a record) or raises with the path of what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from marine_gen.codegen.literals import docstring, python_string
from marine_gen.codegen.type_names import Annotations
from marine_gen.codegen.writer import PYTHON, Writer
from marine_gen.python_backend.needs import ENTRIES, Needs, own
from marine_gen.python_backend.packed import UNUSUAL, PackedValues
from marine_runtime.abi import INTEGER_RANGES, Bytes, Flat, Kind, List, Struct, Text, shape
from marine_runtime.adapters import INLINE_CALL
from marine_runtime.texts import identifiers
from marine_runtime.types import FunctionType, IType
from marine_runtime.values import MAX_LENGTH


def write_entry(
    needs: Needs,
    name: str,
    function: str,
    signature: FunctionType,
    annotations: Annotations,
    *,
    runs: str,
    publish: str,
    packed: PackedValues | None = None,
) -> str:
    """Write the entry of the exported `function`; returns its name.

    Parameters keep their names, because callers may give them by name.

    Args:
        needs: the requests of the file that defines the entry.
        name: the function's name as an identifier.
        function: its name in the module.
        signature: its signature.
        annotations: spells the types.
        runs: the function that does the work, over internal values.
        publish: turns its result into a public value; empty when the two are the same.
        packed: the function that checks and packs arguments, when `runs` takes them packed.
    """
    entry = own(f"entry_{name}")
    params = identifiers([param.name for param in signature.params])
    declared = [f"{param}: {annotations.of(item.type)}" for param, item in zip(params, signature.params, strict=True)]
    with needs.definition(ENTRIES, entry) as definition:
        writer = Writer(PYTHON, 1)
        with writer.block(f"def {entry}({', '.join(declared)}) -> {annotations.results(signature)}:"):
            writer.line(docstring(annotations.listing(function, signature)))
            passed = write_checks(writer, needs, function, signature, params, packed)
            call = f"{needs.definitions.use(runs)}({', '.join(passed)})"
            if publish:
                call = f"{needs.definitions.use(publish)}({call})"
            admitted = INLINE_CALL.format(
                guard=needs.frame("guard"),
                get_ident=needs.standard("get_ident"),
                CallError=needs.support("CallError"),
                error=own("error"),
                located=own("located"),
                body=f"return {call}" if signature.results else call,
            )
            for line in admitted.splitlines():
                writer.line(line)
        definition.lines = writer.lines
    return entry


def write_checks(
    writer: Writer,
    needs: Needs,
    function: str,
    signature: FunctionType,
    params: Sequence[str],
    packed: PackedValues | None = None,
) -> Sequence[str]:
    """Write the checks of all arguments; returns the names that hold the internal values, or the packed ones."""
    passed = list(params)
    for position, (param, item) in enumerate(zip(params, signature.params, strict=True)):
        condition = _rejects(param, item.type, needs)
        accepted = f"{needs.frame('coerce')}({python_string(function)}, {position}, {param})"
        if packed is not None and packed.checks(item.type):
            passed[position] = own(f"packed_{position}")
            with writer.block("try:"):
                writer.line(f"{passed[position]} = {packed.check(item.type)}({param})")
            unusual = [needs.standard(name) for name in UNUSUAL]
            with writer.block(f"except ({', '.join(unusual)}):"):
                writer.line(f"{passed[position]} = {packed.internal(item.type, accepted)}")
        elif condition:
            with writer.block(f"if {condition}:"):
                writer.line(f"{param} = {accepted}")
        else:
            passed[position] = own(f"value_{position}")
            writer.line(f"{passed[position]} = {accepted}")
    return passed


def _rejects(name: str, ty: IType, needs: Needs) -> str:
    """The condition under which the argument `name` needs a closer look; empty when it always does."""

    def is_not(wanted: str) -> str:
        return f"{needs.standard('type')}({name}) is not {needs.standard(wanted)}"

    part = shape(ty)
    too_large = f"{needs.standard('len')}({name}) > {MAX_LENGTH}" if isinstance(part, Text | Bytes) else ""
    match part:
        case Text():  # what is not ASCII may hold lone surrogates
            return f"{is_not('str')} or not {name}.isascii() or {too_large}"
        case Bytes():
            return f"{is_not('bytes')} or {too_large}"
        case Flat(kind=kind, prim=prim):
            match kind:
                case Kind.BOOLEAN:
                    return f"{name} is not True and {name} is not False"
                case Kind.FLOAT:
                    return is_not("float")
                case Kind.SIGNED | Kind.UNSIGNED:
                    low, high = INTEGER_RANGES[prim]
                    return f"{is_not('int')} or not {low} <= {name} <= {high}"
                case _:
                    assert_never(kind)
        case List() | Struct():
            return ""
        case _:
            assert_never(part)
