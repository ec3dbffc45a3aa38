"""Calls into the fused glue: arguments are encoded into the staging memory, one entry into Wasm, results decoded.

Flat values pass as plain Wasm values. Strings and bytes are written by one statement each; everything else is lowered
into staging by the same helpers that lower into a guest, bound to the staging memory.

Staging saves calls into Wasm and costs a copy each way. For large values the copies cost more: where their size is at
hand, the export adapter in Python, which the module has anyway, takes them to the guest itself and from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from marine_gen.codegen.literals import python_string, python_tuple
from marine_gen.codegen.writer import PYTHON, Writer
from marine_gen.passes.model import Frame
from marine_gen.python_backend.adapters import type_expression
from marine_gen.python_backend.entries import write_checks
from marine_gen.python_backend.lift_lower import Helpers
from marine_gen.python_backend.needs import CALLS, CONSTANTS, STAGED, Needs, own
from marine_gen.python_backend.size_estimate import SizeEstimate
from marine_runtime.abi import Bytes, Flat, Kind, List, Struct, Text, is_flat, raw_codes, shape
from marine_runtime.adapters import BATCH_ARGUMENTS, DATA, KEPT
from marine_runtime.names import identifiers
from marine_runtime.types import Array, FunctionType, Prim, Record

SiteRow = tuple[tuple[Frame, ...], tuple[object, ...]]
"""A row of the glue's site table: the trail, and what the runtime needs to explain a fault there."""


@dataclass(frozen=True, slots=True)
class FusedSide:
    """The part of the module's fused glue that its generated Python refers to.

    Attributes:
        exports: fused exported functions; their entries are numbered in this order.
        imports: fused imports, in the order of the stub's exports.
        needs: what the glue imports, in order: (module, export name), the name being None for its memory.
        sites: the site table.
    """

    exports: tuple[str, ...] = ()
    imports: tuple[tuple[str, str], ...] = ()
    needs: tuple[tuple[str, str | None], ...] = ()
    sites: tuple[SiteRow, ...] = ()

    @property
    def exists(self) -> bool:
        """True if the module has fused glue. It may need nothing: adapters can do without calls and memory."""
        return bool(self.exports or self.imports)


def site_expression(row: SiteRow, needs: Needs) -> str:
    """A row of the site table as a Python expression; `marine_runtime.adapters.staging.step_info` reads it."""
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


def wire_codes(signature: FunctionType) -> tuple[str, str]:
    """The codes of all parameters and results of an entry."""
    params = "".join(raw_codes(param.type) for param in signature.params)
    return params, "".join(raw_codes(result) for result in signature.results)


class StagedCall:
    """Writes the call of one exported function through the glue."""

    def __init__(self, name: str, index: int, function: str, signature: FunctionType, helpers: Helpers) -> None:
        self.name = name
        self._index = index
        self._function = function
        self.signature = signature
        self._helpers = helpers
        self._needs = helpers.needs
        # Nothing else in reach of the calls begins like this, so a parameter can't hide anything that they use.
        self._params = [f"arg_{param}" for param in identifiers([param.name for param in signature.params])]
        records = helpers.records
        sizes = zip(self._params, signature.params, strict=True)
        self._sizes = [SizeEstimate.of(name, item.type, records) for name, item in sizes]
        one = len(signature.results) == 1
        self._result = (
            SizeEstimate.of("result", signature.results[0], records) if one else SizeEstimate("", whole=False)
        )
        self._staging = self._needs.frame("staging")

    @property
    def _memory(self) -> str:
        """The staging memory, requested."""
        return self._needs.frame("staging_memory")

    @property
    def params(self) -> Sequence[str]:
        """The names of the parameters."""
        return self._params

    @property
    def symbol(self) -> str:
        """The name of the function over internal values."""
        return own(f"call_{self.name}")

    @property
    def closure(self) -> str:
        """The name of the export adapter in Python."""
        return own(f"export_{self.name}")

    @property
    def _large(self) -> str:
        """The variable that says whether the last result was large."""
        return own(f"large_{self.name}")

    def write(self, head: str) -> None:
        """Write the function `call_NAME` over internal values, with the parameters and result of `head`."""
        if self._result.text:
            # Whether the last result was large, for the next call: how large one is shows when it is staged already.
            self._needs.binding(CALLS, f"large_{self.name}", "False")
        with self._needs.definition(STAGED, self.symbol) as definition:
            writer = Writer(PYTHON, 1)
            with writer.block(f"def {self.symbol}{head}:"):
                self._write_call(writer)
            definition.lines = writer.lines

    def _write_call(self, writer: Writer) -> None:
        explain = self._needs.frame("explain")
        params, codes = wire_codes(self.signature)
        entry = self._needs.binding(
            CALLS,
            f"fused_{self.name}",
            f'{own("link")}.fused("entry.{self._index}", {python_string(params)}, {python_string(codes)})',
        )
        self._write_direct(writer)
        with writer.block("try:"):
            arguments = self._encode(writer, self._params, str(DATA), chunked=False)
            results = self._result_names()
            call = f"{entry}({', '.join(arguments)})"
            target = ", ".join(results)
            if len(results) == 1:
                target += f": {'float' if codes in ('f', 'd') else 'int'}"
            writer.line(f"{target} = {call}" if results else call)
            decoded = self._decode()
            if any(map(self._helpers.shares, self.signature.results)):
                # What was staged shares nothing, so this is about the clock.
                writer.line(self._helpers.start_meter())
            if self.signature.results == (Prim.STRING,):  # what the lifter does, without the call
                writer.line(f"view = {self._memory}.view[p0 : p0 + n0]")
                writer.line(f'result = str(view, "utf-8") if len(view) == n0 else {decoded[0]}')
            elif decoded:
                writer.line(f"result = {', '.join(decoded)}")
        with writer.block("except BaseException as error:"):
            with writer.block(f"if (found := {explain}(error)) is error:"):
                writer.line("raise")
            writer.line("raise found from found.__cause__")
        self._write_shrink(writer)
        if decoded:
            writer.line("return result")

    def _write_direct(self, writer: Writer) -> None:
        """Write the way of large values, around staging."""
        sizes = [size.text for size in self._sizes if size.text]
        if not (sizes or self._result.text):
            return
        direct = self._needs.frame("direct")
        conditions = [self._large] if self._result.text else []
        conditions += [f"{' + '.join(sizes)} > {direct}"] if sizes else []
        if self._result.text:
            writer.line(f"nonlocal {self._needs.definitions.use(self._large)}")
        call = f"{self._needs.definitions.use(self.closure)}({', '.join(self._params)})"
        with writer.block(f"if {' or '.join(conditions)}:"):
            if self._result.text:
                writer.line(f"result = {call}")
                writer.line(f"{self._large} = {self._result.text} > {direct} and {self._staging}.foresees")
                writer.line("return result")
            elif self.signature.results:
                writer.line(f"return {call}")
            else:
                writer.line(call)
                writer.line("return")

    def _write_shrink(self, writer: Writer) -> None:
        """Write what follows a call in which large values may have been staged."""
        scalars = all(map(is_flat, self.signature.results))
        known = all(size.whole for size in self._sizes) and (self._result.whole or scalars)
        if self._result.text:
            # The number that came with a string or an array is nearer than its length.
            size = SizeEstimate.of("result", self.signature.results[0], self._helpers.records, length="n0")
            with writer.block(f"if {size.text} > {self._needs.frame('direct')}:"):
                writer.line(f"{self._large} = {self._staging}.foresees")
                if known:
                    self._shrink(writer)
        if not known:
            self._shrink(writer)

    def _shrink(self, writer: Writer) -> None:
        with writer.block(f"if len({self._memory}.view) > {KEPT}:"):
            writer.line(f"{self._staging}.shrink()")

    def write_batch(self) -> str:
        """Write the function `batch_NAME`: argument rows in, results or exceptions out; returns its name."""
        batch = own(f"batch_{self.name}")
        any_type = self._needs.standard("Any")
        params, results = wire_codes(self.signature)
        many = self._needs.binding(
            CALLS, f"many_{self.name}", f'{own("link")}.fused("batch.{self._index}", "IIII", "")'
        )
        with self._needs.definition(STAGED, batch) as definition:
            writer = Writer(PYTHON, 1)
            with writer.block(f"def {batch}(rows: list[{any_type}]) -> list[{any_type}]:"):
                self._write_encode(writer, params)
                writer.line()
                self._write_decode(writer, results)
                writer.line()
                sizes = f"{8 * len(params)}, {8 * len(results)}"
                code = self._needs.support("BatchCode")
                writer.line(f"batch = {code}({self._needs.definitions.use(many)}, {sizes}, encode, decode)")
                writer.line(f"return {self._staging}.run_batch(rows, batch)")
            definition.lines = writer.lines
        return batch

    def _write_encode(self, writer: Writer, codes: str) -> None:
        direct = any(isinstance(shape(item.type), (List, Struct)) for item in self.signature.params)
        rows = f"rows: list[{self._needs.standard('Any')}], end: int"
        pack = self._cells("in", codes)
        with writer.block(f"def encode({rows}) -> tuple[list[bytes], list[bytes], int, dict[int, Exception]]:"):
            writer.line("cells: list[bytes] = []")
            writer.line("chunks: list[bytes] = []")
            writer.line("bad: dict[int, Exception] = {}")
            writer.line(f"pack = {pack}.pack")
            with writer.block("for position, row in enumerate(rows):"):
                with writer.block("try:"):
                    writer.line(f"{python_tuple(self._params) if self._params else '()'} = row")
                    checked = write_checks(writer, self._needs, self._function, self.signature, self._params)
                refused = self._needs.support("ArgumentError")
                with writer.block(f"except ({refused}, TypeError, ValueError):"):
                    writer.line(f"bad[position] = {own('link')}.refusal({python_string(self._function)}, row)")
                    writer.line("continue")
                arguments = self._encode(writer, checked, "end", chunked=not direct)
                writer.line(f"cells.append(pack({', '.join(arguments)}))")
                if any(not is_flat(item.type) for item in self.signature.params):
                    with writer.block(f"if end > {BATCH_ARGUMENTS}:"):
                        writer.line("break")
            writer.line("return cells, chunks, end, bad")

    def _write_decode(self, writer: Writer, codes: str) -> None:
        with writer.block(f"def decode(data: bytes) -> list[{self._needs.standard('Any')}]:"):
            names = self._result_names()
            decoded = self._decode()
            if any(map(self._helpers.shares, self.signature.results)):
                # An interruption here would take away the results of rows that ended in time.
                writer.line(f"{self._helpers.meter()}.left = {1 << 62}")
            if self.signature.results == (Prim.STRING,):
                # What the lifter does, without a call for each: Wasm checked every string and left it in staging.
                writer.line(f"{self._memory}.refresh()")
                writer.line(f"view = {self._memory}.view")
                decoded = ['str(view[p0 : p0 + n0], "utf-8")']
            if decoded:
                value = decoded[0] if len(decoded) == 1 else f"({', '.join(decoded)})"
                rows = f"{self._cells('out', codes)}.iter_unpack(data)"
                writer.line(f"return [{value} for {python_tuple(names)} in {rows}]")
            else:
                writer.line("return []")

    def _cells(self, way: str, codes: str) -> str:
        """The name of the `struct` that packs one row of values, each in a cell of 8 bytes."""
        cells = "".join(code if code in "qQd" else f"{code}4x" for code in codes)
        return self._needs.binding(CONSTANTS, f"{way}_{self._index}", f'{self._needs.standard("Struct")}("<{cells}")')

    def _encode(self, writer: Writer, values: Sequence[str], at: str, *, chunked: bool) -> list[str]:
        """Write the encoding of all parameters from `at` on; gives the raw arguments.

        With `chunked`, bytes are collected in `chunks` instead of being written one by one. When it starts at `end`,
        `end` is the first free byte afterwards.
        """
        at_end = at == "end"
        arguments: list[str] = []
        staged = [index for index, item in enumerate(self.signature.params) if not is_flat(item.type)]
        for index, (name, item) in enumerate(zip(values, self.signature.params, strict=True)):
            part = shape(item.type)
            # One call needs the end of a value for the next one; a batch goes on after the last value too.
            ends = at_end or index not in staged[-1:]
            match part:
                case Flat(prim=prim):
                    # `struct` refuses what rounds to infinity; the call layer, which single calls go through, does not.
                    rounds = at_end and prim is Prim.F32
                    arguments.append(f"{self._needs.support('to_f32')}({name})" if rounds else name)
                    continue
                case Text():
                    data = f"utf8_{index}"
                    writer.line(f"{data} = {name}.encode()")
                    arguments += self._stage(writer, index, data, at, chunked=chunked)
                case Bytes():
                    arguments += self._stage(writer, index, name, at, chunked=chunked)
                case List() | Struct():
                    writer.line(f"{self._staging}.cursor = {at}")
                    cells = [f"p{index}", f"n{index}"][: len(part.layout.carrier)]
                    writer.line(f"{', '.join(cells)} = {self._helpers.lower(item.type)}({name})")
                    if ends:
                        writer.line(f"end = {self._staging}.cursor")
                    arguments += cells
                case _:
                    assert_never(part)
            at = "end"
        return arguments

    def _stage(self, writer: Writer, index: int, data: str, at: str, *, chunked: bool) -> list[str]:
        """Write the copy of bytes into staging; gives their address and size."""
        where = at
        if at == "end":
            where = f"p{index}"
            writer.line(f"{where} = end")
        if chunked:
            writer.line(f"chunks.append({data})")
            writer.line(f"end += len({data})")
        else:  # what `staging.stage` does, without the call
            writer.line(f"end = {where} + len({data})")
            with writer.block(f"if end > len({self._memory}.view):"):
                writer.line(f"{self._staging}.reserve(end)")
            writer.line(f"{self._memory}.view[{where}:end] = {data}")
        return [where, f"len({data})"]

    def _result_names(self) -> list[str]:
        names: list[str] = []
        for index, ty in enumerate(self.signature.results):
            names += [f"r{index}"] if len(raw_codes(ty)) == 1 else [f"p{index}", f"n{index}"]
        return names

    def _decode(self) -> list[str]:
        decoded = []
        names = iter(self._result_names())
        for ty in self.signature.results:
            part = shape(ty)
            cells = ", ".join(next(names) for _ in part.layout.carrier)
            match part:
                case Flat(kind=kind):
                    decoded.append(_decoded(kind, cells))
                case Text() | Bytes() | List() | Struct():
                    decoded.append(f"{self._helpers.lift(ty)}({cells})")
                case _:
                    assert_never(part)
        return decoded


def _decoded(kind: Kind, raw: str) -> str:
    """A flat value from the core value that carries it."""
    match kind:
        case Kind.BOOLEAN:
            return f"{raw} != 0"
        case Kind.SIGNED | Kind.UNSIGNED | Kind.FLOAT:
            return raw
        case _:
            assert_never(kind)
