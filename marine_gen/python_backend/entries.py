"""Entries: the functions that users call, specialised for their signature.

An argument of exactly the right type and range passes with one comparison; anything else goes to the runtime's
coercion, which accepts more (an int for a float, a mapping for a record) or raises with the path of what is wrong.
"""

from __future__ import annotations

from marine_gen.python_backend.writer import Writer, literal
from marine_runtime.interface import ModuleInterface
from marine_runtime.names import identifiers
from marine_runtime.types import INTEGER_RANGES, FunctionType, IType, Prim, Record, Records, is_bytes

# Names that an entry uses itself; a parameter of such a name gets a number.
RESERVED = frozenset(
    {"CallError", "check", "class_of", "get_ident", "guard", "located", "locate", "error", "adapter", "publish"}
)


def write_entry(
    writer: Writer,
    name: str,
    function: str,
    signature: FunctionType,
    annotations: Annotations,
    *,
    runs: str,
    has_records: bool,
) -> None:
    """Write the entry called `name` of the exported `function`.

    `runs` is the prefix of the function that does the work, over internal values; `has_records` says whether its result
    has to be published.
    """
    reserved = RESERVED | {f"value_{position}" for position in range(len(signature.params))}
    params = identifiers([param.name for param in signature.params], reserved)
    declared = [f"{param}: {annotations.of(item.type)}" for param, item in zip(params, signature.params, strict=True)]
    returns = annotations.results(signature)
    with writer.block(f"def entry_{name}({', '.join(declared)}) -> {returns}:"):
        writer.line(docstring(annotations.listing(function, signature)))
        passed = write_checks(writer, function, signature, params)
        with writer.block("if guard.busy or get_ident() != guard.owner:"):
            writer.line("guard.refuse()")
        writer.line("guard.busy = True")
        with writer.block("try:"):
            call = f"{runs}_{name}({', '.join(passed)})"
            if has_records:
                call = f"publish_{name}({call})"
            writer.line(f"return {call}" if signature.results else call)
        with writer.block("except CallError as error:"):
            writer.line("located = locate(error)")
            writer.line("raise located from located.__cause__")
        with writer.block("finally:"):
            writer.line("guard.busy = False")


def write_checks(writer: Writer, function: str, signature: FunctionType, params: list[str]) -> list[str]:
    """Write the checks of all arguments; gives the names that hold the internal values."""
    passed = list(params)
    for position, (param, item) in enumerate(zip(params, signature.params, strict=True)):
        accepted = f"check({literal(function)}, {position}, {param})"
        if condition := _rejects(param, item.type):
            with writer.block(f"if {condition}:"):
                writer.line(f"{param} = {accepted}")
        else:
            passed[position] = f"value_{position}"
            writer.line(f"value_{position} = {accepted}")
    return passed


def _rejects(name: str, ty: IType) -> str | None:
    """The condition under which `name` needs a closer look; None when it always does."""
    if ty is Prim.STRING:  # what is not ASCII may hold lone surrogates
        return f"class_of({name}) is not str or not {name}.isascii()"
    if is_bytes(ty):
        return f"class_of({name}) is not bytes"
    if ty is Prim.BOOLEAN:
        return f"{name} is not True and {name} is not False"
    if ty in (Prim.F32, Prim.F64):
        return f"class_of({name}) is not float"
    if isinstance(ty, Prim) and ty in INTEGER_RANGES:
        low, high = INTEGER_RANGES[ty]
        return f"class_of({name}) is not int or not {low} <= {name} <= {high}"
    return None


class Annotations:
    """Python annotations of public values; `classes` names the record dataclasses by type index."""

    def __init__(self, records: Records, classes: dict[int, str]) -> None:
        self._records = records
        self._classes = classes

    def of(self, ty: IType) -> str:
        """The annotation of one value."""
        if is_bytes(ty):
            return "bytes"
        if isinstance(ty, Prim):
            names = {Prim.STRING: "str", Prim.BOOLEAN: "bool", Prim.F32: "float", Prim.F64: "float"}
            return names.get(ty, "int")
        return self._classes[ty.id] if isinstance(ty, Record) else f"list[{self.of(ty.element)}]"

    def listing(self, function: str, signature: FunctionType) -> str:
        """The function as listings show it."""
        return ModuleInterface({function: signature}, self._records).signature(function)

    def results(self, signature: FunctionType) -> str:
        """The annotation of what a function returns."""
        if not signature.results:
            return "None"
        parts = [self.of(result) for result in signature.results]
        return parts[0] if len(parts) == 1 else f"tuple[{', '.join(parts)}]"


def docstring(text: str) -> str:
    """`text` as a one-line docstring, whatever characters it has."""
    body = text if len(text) <= 200 else text[:199] + "…"
    plain = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in body)
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{escaped}"""'
