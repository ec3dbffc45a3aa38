"""Batches of calls into the fused glue, as Python: rows are packed into columns, results decoded as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from marine_gen.codegen.literals import python_string, python_tuple
from marine_gen.codegen.writer import PYTHON, Writer
from marine_gen.python_backend.entries import write_checks
from marine_gen.python_backend.fused_calls import StagedCall, wire_codes
from marine_gen.python_backend.needs import CALLS, CONSTANTS, STAGED, own
from marine_gen.python_backend.pack_values import Pack
from marine_gen.python_backend.packed import PackedValues
from marine_runtime.abi import Flat, Kind, List, Packing, Place, Text, is_flat, packing_of_rows, shape
from marine_runtime.adapters import BATCH_ARGUMENTS
from marine_runtime.types import Prim


class StagedBatch:
    """Writes the batch of one exported function."""

    def __init__(self, call: StagedCall, packed: PackedValues) -> None:
        self._call = call
        self._packed = packed
        self._needs = packed.needs
        self._signature = call.signature
        self._writer = Writer(PYTHON, 1)

    def write(self, publish: str) -> str:
        """Write the function `batch_NAME`: argument rows in, results or exceptions out.

        Args:
            publish: turns a result into a public value; empty when the two are the same.

        Returns:
            Its name; empty when a parameter has no packed form.
        """
        rows = packing_of_rows([item.type for item in self._signature.params], self._packed.records)
        if rows is None:
            return ""
        call, needs, writer = self._call, self._needs, self._writer
        batch, any_type = own(f"batch_{call.name}"), needs.support("Any")
        _, results = wire_codes(self._signature)
        with needs.definition(STAGED, batch) as definition:
            many = needs.binding(CALLS, f"many_{call.name}", f'{own("link")}.fused("batch.{call.index}", "IIII", "")')
            with writer.block(f"def {batch}(rows: list[{any_type}]) -> list[{any_type}]:"):
                for name, public in (("pack", True), ("pack_checked", False)):
                    writer.lines += _PackRows(self._packed, rows, call, public=public).function(name)
                    writer.line()
                self._write_check()
                writer.line()
                with writer.block(f"def refusal(row: {any_type}) -> Exception:"):
                    writer.line(f"return {own('link')}.refusal({python_string(call.function)}, row)")
                writer.line()
                self._write_decode(results, publish)
                writer.line()
                parts = f"{many}, {8 * len(results)}, pack, pack_checked, check, refusal, decode"
                code, run = needs.support("BatchCode"), needs.support("run_batch")
                writer.line(f"return {run}({needs.frame('staging')}, rows, {code}({parts}))")
            definition.lines = writer.lines
        return batch

    def _write_check(self) -> None:
        any_type, params = self._needs.support("Any"), self._call.params
        with self._writer.block(f"def check(row: {any_type}) -> tuple[{any_type}, ...]:"):
            self._writer.line(f"{python_tuple(params) if params else '()'} = row")
            checked = write_checks(self._writer, self._needs, self._call.function, self._signature, params)
            self._writer.line(f"return {python_tuple(checked) if checked else '()'}")

    def _write_decode(self, codes: str, publish: str) -> None:
        needs, line, call = self._needs, self._writer.line, self._call
        with self._writer.block(f"def decode(cells: bytes, count: int) -> list[{needs.support('Any')}]:"):
            types = self._signature.results
            if not types:
                line("return [None] * count")
                return
            if len(types) == 1 and isinstance(part := shape(types[0]), Flat):
                line(f"return {_column(part, codes)}")
                return
            call.stop_meter(self._writer)
            names = call.result_names
            rows = f"{self._cells(codes)}.iter_unpack(cells)"
            decoded = call.decode(public=call.publishes)
            if types == (Prim.STRING,):
                # The work of the lifter without a call for each string: Wasm checked every one and left it in staging,
                # one behind the other.
                memory = needs.frame("staging_memory")
                line(f"{memory}.refresh()")
                line(f"view = {memory}.view")
                with self._writer.block("if count:"):
                    line(f"start, _ = {self._cells(codes)}.unpack_from(cells)")
                    line(f"p0, n0 = {self._cells(codes)}.unpack_from(cells, {8 * len(codes)} * (count - 1))")
                    line('texts = str(view[start : p0 + n0], "utf-8").split("\\0")')
                    # check: fused strings with NUL among results
                    with self._writer.block("if len(texts) == count:"):
                        line("return texts")
                decoded = ['str(view[p0 : p0 + n0], "utf-8")']
            value = decoded[0] if len(decoded) == 1 else f"({', '.join(decoded)})"
            if publish:
                value = f"{needs.definitions.use(publish)}({value})"
            line(f"return [{value} for {python_tuple(names)} in {rows}]")

    def _cells(self, codes: str) -> str:
        """The name of the `struct` that unpacks the results of one call, each in a cell of 8 bytes."""
        cells = "".join(code if code in "qQd" else f"{code}4x" for code in codes)
        name, expression = f"out_{self._call.index}", f'{self._needs.standard("Struct")}("<{cells}")'
        return self._needs.binding(CONSTANTS, name, expression)


class _PackRows(Pack):
    """Writes a function from rows of arguments to their block."""

    def __init__(self, values: PackedValues, packed: Packing, call: StagedCall, *, public: bool) -> None:
        super().__init__(values, packed, f"rows_{call.index}", public=public, level=2)
        self._types = [item.type for item in call.signature.params]
        self._calls = [values.pack(ty, public=public) if values.packing(ty) else "" for ty in self._types]

    def function(self, name: str) -> list[str]:
        line, needs = self._writer.line, self._needs
        (row,) = self._packed.root.parts
        names = [f"f{place.number}" for place in row.parts]
        any_type, bytes_type = needs.support("Any"), needs.standard("bytes")
        with self._writer.block(f"def {name}(rows: {needs.standard('Sequence')}[{any_type}]) -> {bytes_type} | None:"):
            line("count = len(rows)")
            if names:  # the first column looks at the length of every row
                line(f"{names[0]} = [value for {python_tuple(['value', *'_' * (len(names) - 1)])} in rows]")
            else:
                self._refuse("any(rows)")
            for position, values in enumerate(names[1:], 1):
                line(f"{values} = [row[{position}] for row in rows]")
            self._measure(row.parts, names)
            for place, values in zip(row.parts, names, strict=True):
                self._column(place, values, "count")
            self._leaves.append("count")
            self._write_block()
        return self._writer.lines

    def _measure(self, places: Sequence[Place], names: Sequence[str]) -> None:
        """Write the packing of single values, and the test whether all of them are too many bytes for one entry."""
        line, sizes = self._writer.line, []
        for ty, pack, values, place in zip(self._types, self._calls, names, places, strict=True):
            part = shape(ty)
            if pack:
                all_of = self._needs.support("pack_all")
                line(f"{values} = {all_of}({pack}, {values})")
                with self._writer.block(f"if len({values}) < count:"):
                    line("return None")
            if isinstance(part, Text):
                text = f"u{place.number}"
                line(f"{text} = {self._needs.support('join_all')}({values})")
                with self._writer.block(f"if {text} is None:"):
                    line("return None")
                self._joined.add(place.number)
                sizes.append(f"len({text})")
            elif not is_flat(ty):
                sizes.append(f"sum(map(len, {values}))")
                if isinstance(part, List) and not pack:
                    sizes[-1] = f"{part.element.layout.size} * {sizes[-1]}"
        if sizes:
            with self._writer.block(f"if count > 1 and {' + '.join(sizes)} > {BATCH_ARGUMENTS}:"):
                line("return None")


def _column(part: Flat, code: str) -> str:
    """The list of all results, which are in cells of 8 bytes."""
    numbers = f'memoryview(cells).cast("{code}"){"" if code in "qQd" else "[::2]"}'
    match part.kind:
        case Kind.BOOLEAN:
            return f"list(map(bool, {numbers}))"
        case Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
            return f"{numbers}.tolist()"
        case _:
            assert_never(part.kind)
