"""C functions that turn the packed bodies of records into natural structs and back (docs/spec/memory.md).

In the ABI a record is a pointer to a body without padding, nested records are pointers again, and an array of records
is an array of pointers. Everything else has the same layout on both sides and is used in place. One function per type
and direction is written, and only for what crosses. Lifting frees the bodies that it has read; lowering lends new ones.
"""

from __future__ import annotations

from typing import assert_never

from marine_gen.codegen.writer import Writer
from marine_gen.generate import Named, Type, Vector
from marine_gen.guest.spelling import CStruct, Spelling, converts
from marine_runtime.abi import Flat, Kind, shape
from marine_runtime.types import Prim


class Conversions:
    """Collects what has to be converted, then writes it."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self._lifted: dict[Type, None] = {}
        self._lowered: dict[Type, None] = {}

    def lift(self, ty: Type, value: str) -> str:
        """The C expression that gives the natural form of `value`, which has the ABI's."""
        if converts(ty):
            self._need(ty, self._lifted)
            return f"marine_lift_{self._spelling.type(ty)}({value})"
        return f"{value} != 0" if is_truth(ty) else value

    def lower(self, ty: Type, value: str) -> str:
        """The C expression that gives the ABI's form of `value`, an lvalue."""
        if not converts(ty):
            return value
        self._need(ty, self._lowered)
        return f"marine_lower_{self._spelling.type(ty)}({'&' if isinstance(ty, Named) else ''}{value})"

    def slot(self, ty: Type) -> str:
        """The type of a slot in a body or in an array, with what stands between it and a name."""
        match ty:
            case Prim():
                # The host may write any byte that is not 0.
                return "uint8_t " if is_truth(ty) else f"{self._spelling.type(ty)} "
            case Vector():
                return "marine_raw_array " if converts(ty) else f"{self._spelling.type(ty)} "
            case Named():
                return f"marine_body_{self._spelling.type(ty)} *"
            case _:
                assert_never(ty)

    def write(self, writer: Writer) -> None:
        """Writes the bodies, then the prototypes, then the functions."""
        crossing = {*self._lifted, *self._lowered}
        structs = [self._spelling.structs[ty.name] for ty in crossing if isinstance(ty, Named)]
        order = {struct.name: position for position, struct in enumerate(self._spelling.structs.values())}
        for struct in sorted(structs, key=lambda struct: order[struct.name]):
            writer.gap()
            with writer.block("typedef struct MARINE_PACKED", tail=f"}} marine_body_{struct.name};"):
                for name, ty in struct.fields:
                    writer.line(f"{self.slot(ty)}{name};")
        writer.gap()
        for ty in self._lifted:
            writer.line(f"{self._lift_head(ty)};")
        for ty in self._lowered:
            writer.line(f"{self._lower_head(ty)};")
        for ty in self._lifted:
            writer.gap()
            with writer.block(self._lift_head(ty)):
                self._lift_body(writer, ty)
        for ty in self._lowered:
            writer.gap()
            with writer.block(self._lower_head(ty)):
                self._lower_body(writer, ty)

    def _need(self, ty: Type, needed: dict[Type, None]) -> None:
        """Adds `ty` and every converted type inside it."""
        pending = [ty]
        while pending:
            current = pending.pop()
            if current in needed or not converts(current):
                continue
            needed[current] = None
            match current:
                case Vector(element=element):
                    pending.append(element)
                case Named(name=name):
                    pending += [field for _, field in reversed(self._spelling.structs[name].fields)]
                case Prim():
                    pass
                case _:
                    assert_never(current)

    def _lift_head(self, ty: Type) -> str:
        name = self._spelling.type(ty)
        source = f"{self.slot(ty)}body" if isinstance(ty, Named) else "marine_raw_array raw"
        return f"static {name} marine_lift_{name}({source})"

    def _lower_head(self, ty: Type) -> str:
        name = self._spelling.type(ty)
        source = f"const {name} *value" if isinstance(ty, Named) else f"{name} array"
        return f"static {self.slot(ty)}marine_lower_{name}({source})"

    def _lift_body(self, writer: Writer, ty: Type) -> None:
        match ty:
            case Named(name=name):
                self._lift_record(writer, self._spelling.structs[name])
            case Vector():
                self._lift_array(writer, ty)
            case Prim():
                raise AssertionError(f"a {ty} has the same form on both sides")
            case _:
                assert_never(ty)

    def _lift_record(self, writer: Writer, struct: CStruct) -> None:
        writer.line("marine_needed(body);")
        with writer.block(f"{struct.name} value =", tail="};"):
            for name, ty in struct.fields:
                writer.line(f".{name} = {self.lift(ty, f'body->{name}')},")
        writer.line("marine_free(body);")
        writer.line("return value;")

    def _lower_body(self, writer: Writer, ty: Type) -> None:
        match ty:
            case Named(name=name):
                self._lower_record(writer, self._spelling.structs[name])
            case Vector():
                self._lower_array(writer, ty)
            case Prim():
                raise AssertionError(f"a {ty} has the same form on both sides")
            case _:
                assert_never(ty)

    def _lower_record(self, writer: Writer, struct: CStruct) -> None:
        writer.line(f"marine_body_{struct.name} *body = marine_lend(1, sizeof *body);")
        for name, ty in struct.fields:
            writer.line(f"body->{name} = {self.lower(ty, f'value->{name}')};")
        writer.line("return body;")

    def _lift_array(self, writer: Writer, ty: Vector) -> None:
        name = self._spelling.type(ty)
        writer.line(f"{name} array = {name}_new(raw.count);")
        writer.line("if (raw.count == 0) return array;")
        writer.line(f"{self.slot(ty.element)}*slots = marine_needed(raw.data);")
        writer.line(f"for (uint32_t i = 0; i < raw.count; i++) array.data[i] = {self.lift(ty.element, 'slots[i]')};")
        writer.line("marine_free(slots);")
        writer.line("return array;")

    def _lower_array(self, writer: Writer, ty: Vector) -> None:
        writer.line(f"{self.slot(ty.element)}*slots = marine_lend(array.count, sizeof *slots);")
        writer.line(f"for (uint32_t i = 0; i < array.count; i++) slots[i] = {self.lower(ty.element, 'array.data[i]')};")
        writer.line("return (marine_raw_array){slots, array.count};")


def is_truth(ty: Type) -> bool:
    """True if `ty` is flat, and any number but 0 is true."""
    part = shape(ty) if isinstance(ty, Prim) else None
    return isinstance(part, Flat) and part.kind is Kind.BOOLEAN
