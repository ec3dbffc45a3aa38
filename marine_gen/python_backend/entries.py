"""Entries: the functions that users call, specialised for their signature.

An argument of exactly the right type and range passes with one comparison; anything else goes to the runtime's
coercion, which accepts more (an int for a float, a mapping for a record) or raises with the path of what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marine_gen.python_backend.writer import Writer, literal
from marine_runtime import ModuleInterface
from marine_runtime.adapters import INLINE_CALL
from marine_runtime.messages import shortened
from marine_runtime.names import identifier, identifiers
from marine_runtime.types import INTEGER_RANGES, FunctionType, IType, Prim, Record, Records, is_bytes

_FRAME_NAMES = ("CallError", "check", "class_of", "get_ident", "guard")
_TYPES = ("str", "bytes", "float", "int")  # what `class_of` is compared with
_LOCAL_NAMES = ("error", "located")


class OwnNames:
    """What entries call the things that they use, other than their parameters.

    Parameters keep their names, because callers may give them by name: where one hides a thing that the entry uses, the
    thing gets a second name in front of the entry.
    """

    def __init__(self) -> None:
        self.used: set[str] = set()  # names of the frame that some entry needs
        self._aliases: set[tuple[str, str]] = set()

    def choose(self, writer: Writer, params: list[str], frame: Sequence[str], local: Sequence[str]) -> dict[str, str]:
        """A name that is no parameter for each of `frame` and `local`; second names are written."""
        chosen = {name: identifier(f"_{name}" if name in params else name, params) for name in (*frame, *local)}
        for name in frame:
            if chosen[name] != name and (name, chosen[name]) not in self._aliases:
                self._aliases.add((name, chosen[name]))
                writer.line(f"{chosen[name]} = {name}")
        return chosen


def write_entry(
    writer: Writer,
    name: str,
    function: str,
    signature: FunctionType,
    annotations: Annotations,
    own: OwnNames,
    *,
    runs: str,
    has_records: bool,
) -> None:
    """Write the entry called `name` of the exported `function`.

    `runs` is the prefix of the function that does the work, over internal values; `has_records` says whether its result
    has to be published.
    """
    params = identifiers([param.name for param in signature.params])
    declared = [f"{param}: {annotations.of(item.type)}" for param, item in zip(params, signature.params, strict=True)]
    returns = annotations.results(signature)
    frame = [*_FRAME_NAMES, *_TYPES, f"{runs}_{name}", *([f"publish_{name}"] if has_records else [])]
    body = Writer()
    values = [f"value_{position}" for position in range(len(params))]
    spelled = own.choose(writer, params, _needed(frame, signature, params), [*_LOCAL_NAMES, *values])
    own.used |= spelled.keys() & set(_FRAME_NAMES)
    passed = write_checks(body, function, signature, params, spelled)
    with writer.block(f"def entry_{name}({', '.join(declared)}) -> {returns}:"):
        writer.line(docstring(annotations.listing(function, signature)))
        for line in body.lines:
            writer.line(line)
        call = f"{spelled[f'{runs}_{name}']}({', '.join(passed)})"
        if has_records:
            call = f"{spelled[f'publish_{name}']}({call})"
        run = f"return {call}" if signature.results else call
        for line in INLINE_CALL.format(body=run, **spelled).splitlines():
            writer.line(line)


def _needed(frame: list[str], signature: FunctionType, params: list[str]) -> list[str]:
    """Those of `frame` that an entry of this signature says."""
    conditions = [_rejects("", item.type, {}) or "" for item in signature.params]
    unused = {name for name in ("class_of", *_TYPES) if not any(name in condition for condition in conditions)}
    return [name for name in frame if name not in unused and (params or name != "check")]


def write_checks(
    writer: Writer, function: str, signature: FunctionType, params: list[str], spelled: Mapping[str, str] | None = None
) -> list[str]:
    """Write the checks of all arguments; gives the names that hold the internal values.

    `spelled` has other names for `check`, `class_of`, types and `value_N`, where parameters hide these.
    """
    spelled = spelled or {}
    check = spelled.get("check", "check")
    passed = list(params)
    for position, (param, item) in enumerate(zip(params, signature.params, strict=True)):
        accepted = f"{check}({literal(function)}, {position}, {param})"
        if condition := _rejects(param, item.type, spelled):
            with writer.block(f"if {condition}:"):
                writer.line(f"{param} = {accepted}")
        else:
            passed[position] = spelled.get(f"value_{position}", f"value_{position}")
            writer.line(f"{passed[position]} = {accepted}")
    return passed


def _rejects(name: str, ty: IType, spelled: Mapping[str, str]) -> str | None:
    """The condition under which `name` needs a closer look; None when it always does."""
    class_of = spelled.get("class_of", "class_of")
    if ty is Prim.STRING:  # what is not ASCII may hold lone surrogates
        return f"{class_of}({name}) is not {spelled.get('str', 'str')} or not {name}.isascii()"
    if is_bytes(ty):
        return f"{class_of}({name}) is not {spelled.get('bytes', 'bytes')}"
    if ty is Prim.BOOLEAN:
        return f"{name} is not True and {name} is not False"
    if ty in (Prim.F32, Prim.F64):
        return f"{class_of}({name}) is not {spelled.get('float', 'float')}"
    if isinstance(ty, Prim) and ty in INTEGER_RANGES:
        low, high = INTEGER_RANGES[ty]
        return f"{class_of}({name}) is not {spelled.get('int', 'int')} or not {low} <= {name} <= {high}"
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
    plain = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in shortened(text, 200)
    )
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{escaped}"""'
