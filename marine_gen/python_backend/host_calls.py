"""Calls of the host out of the fused glue, as Python: arguments are read at once, the result is left in staging.

`marine_gen.passes.host_calls` says what crosses.
"""

from __future__ import annotations

from typing import assert_never

from marine_gen.codegen.writer import PYTHON, Writer
from marine_gen.ir.model import ImportedCallee
from marine_gen.python_backend.lift_lower import Helpers
from marine_gen.python_backend.needs import HOSTS, own
from marine_gen.python_backend.packed import PackedValues
from marine_runtime.abi import Bytes, Flat, Kind, List, Struct, Text, shape
from marine_runtime.adapters import SLACK
from marine_runtime.types import IType


class HostCalls:
    """Writes the functions of one generated module that its glue calls."""

    def __init__(self, helpers: Helpers, packed: PackedValues) -> None:
        """Write into the module of `helpers`, which lift out of the guest's memory."""
        self._helpers = helpers
        self._packed = packed
        self._needs = helpers.needs

    def write(self, callee: ImportedCallee, target: str) -> str:
        """Write the function for `callee`, over core values; returns its name.

        Args:
            callee: the function that the guest imports.
            target: the function over internal values.
        """
        name = own(f"host_{callee.index}")
        any_type = self._needs.support("Any")
        with self._needs.definition(HOSTS, name) as definition:
            writer = Writer(PYTHON, 1)
            cells: list[str] = []
            values = [self._argument(number, param.type, cells) for number, param in enumerate(callee.type.params)]
            declared = ", ".join(f"{cell}: {any_type}" for cell in [*cells, "at"])
            with writer.block(f"def {name}({declared}) -> {any_type if callee.type.results else 'None'}:"):
                for number, param in enumerate(callee.type.params):
                    self._write_read(writer, number, param.type)
                call = f"{self._needs.definitions.use(target)}({', '.join(values)})"
                if callee.type.results:
                    writer.line(f"result = {call}")
                    self._write_result(writer, callee.type.results[0])
                else:
                    writer.line(call)
            definition.lines = writer.lines
        return name

    def _argument(self, position: int, ty: IType, cells: list[str]) -> str:
        """The expression for an internal value; its core values join `cells`."""
        part = shape(ty)
        match part:
            case Flat(kind=Kind.BOOLEAN):
                cells.append(f"p{position}")
                return f"p{position} != 0"
            case Flat():
                cells.append(f"p{position}")
                return f"p{position}"
            case List() | Struct() if self._packed.packing(ty):
                cells.append(f"p{position}")
                return f"{self._packed.unpack(ty, public=False)}(p{position})"
            case Text():
                cells += [f"p{position}", f"n{position}"]
                return f"text_{position}"
            case Bytes() | List():
                cells += [f"p{position}", f"n{position}"]
                return f"{self._helpers.lift(ty)}(p{position}, n{position})"
            case Struct():
                raise AssertionError("a record that is passed to the host is packed")
            case _:
                assert_never(part)

    def _write_read(self, writer: Writer, position: int, ty: IType) -> None:
        """Write what the expression for an argument needs."""
        if isinstance(shape(ty), Text):  # what the lifter does, without the call
            ptr, size, text = f"p{position}", f"n{position}", f"text_{position}"
            lifted = f"{self._helpers.lift(ty)}({ptr}, {size})"
            writer.line(f"view = {self._needs.frame('memory')}.view[{ptr} : {ptr} + {size}]")
            writer.line(f'{text} = str(view, "utf-8") if len(view) == {size} else {lifted}')
        elif self._helpers.shares(ty) and not self._packed.packing(ty):
            writer.line(self._helpers.start_meter())

    def _write_result(self, writer: Writer, ty: IType) -> None:
        part = shape(ty)
        match part:
            case Flat():
                writer.line("return result")
                return
            case Text():
                data = "result.encode()"
            case Bytes():
                data = "result"
            case List() | Struct() if self._packed.packing(ty):
                data = f"{self._packed.pack(ty, public=False)}(result)"
            case List(element=Flat(kind=Kind.BOOLEAN)):
                data = f"{self._needs.standard('bytes')}(result)"
            case List(element=element):
                data = f'{self._needs.standard("array")}("{element.layout.format}", result).tobytes()'
            case Struct():
                raise AssertionError("a record that the host gives is packed")
            case _:
                assert_never(part)
        memory = self._needs.frame("staging_memory")
        writer.line(f"data = {data}")
        writer.line("end = at + len(data)")
        # check: staging room for what the host gives
        with writer.block(f"if end > len({memory}.view) - {SLACK}:"):
            writer.line(f"{self._needs.frame('staging')}.reserve(end)")
        writer.line(f"{memory}.view[at:end] = data")
        writer.line("return len(data)")
