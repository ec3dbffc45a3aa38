"""The parts of its fused glue that the generated Python of a module refers to."""

from __future__ import annotations

from dataclasses import dataclass

from marine_gen.codegen.literals import python_string, python_tuple
from marine_gen.passes.model import Frame
from marine_gen.python_backend.adapters import type_expression
from marine_gen.python_backend.needs import Needs
from marine_runtime.types import Array, Prim, Record

SiteRow = tuple[tuple[Frame, ...], tuple[object, ...]]
"""A row of the glue's site table: the trail, and what the runtime needs to explain a fault there."""


@dataclass(frozen=True, slots=True)
class FusedSide:
    """The part of the module's fused glue that its generated Python refers to.

    Attributes:
        exports: fused exported functions; their entries are numbered in this order.
        imports: fused imports, in the order of the stub's exports.
        hosts: the functions of the host that the glue imports, in order, by call-core index.
        needs: the imports of the glue, in order: (module, export name), the name being None for its memory.
        stub_needs: the imports of the stub, in the same form.
        sites: the site table.
    """

    exports: tuple[str, ...] = ()
    imports: tuple[tuple[str, str], ...] = ()
    hosts: tuple[int, ...] = ()
    needs: tuple[tuple[str, str | None], ...] = ()
    stub_needs: tuple[tuple[str, str | None], ...] = ()
    sites: tuple[SiteRow, ...] = ()

    @property
    def exists(self) -> bool:
        """True if the module has fused glue. It may need nothing: adapters can do without calls and memory."""
        return bool(self.exports or self.imports)


def site_expression(row: SiteRow, needs: Needs) -> str:
    """A row of the site table as a Python expression; `marine_runtime.adapters.staging.SiteRows` reads it."""
    trail, info = row
    frames = [
        f"({python_string(frame.module)}, {python_string(frame.function)}, {python_string(frame.side.value)}, "
        f"{frame.index}, {python_string(frame.text)})"
        for frame in trail
    ]
    parts = [f"({', '.join(frames)},)"]
    match info:
        case ("lift", str(module), Prim() | Array() | Record() as ty):
            parts += [python_string("lift"), python_string(module), type_expression(ty, needs)]
        case ("range", Prim() as ty, unsigned):
            parts += [python_string("range"), type_expression(ty, needs), str(unsigned)]
    return python_tuple(parts)
