"""Calls into the fused glue: arguments are encoded into the staging memory, one entry into Wasm, results decoded.

Flat values pass as plain Wasm values. Strings and bytes are written by one statement each; everything else is lowered
into staging by the same helpers that lower into a guest, bound to the staging memory.

Staging saves calls into Wasm and costs a copy each way. For large values the copies cost more: where their size is at
hand, the export adapter in Python, which the module has anyway, takes them to the guest itself and from there.
"""

from __future__ import annotations

from dataclasses import dataclass

from marine_gen.python_backend.entries import write_checks
from marine_gen.python_backend.lift_lower import Helpers
from marine_gen.python_backend.size_estimate import SizeEstimate
from marine_gen.python_backend.writer import Writer, literal
from marine_runtime.adapters import BATCH_ARGUMENTS, DATA, KEPT
from marine_runtime.names import identifiers
from marine_runtime.types import FunctionType, IType, Prim, Record, is_bytes, layout

_UNSIGNED = (Prim.U8, Prim.U16, Prim.U32, Prim.U64)


@dataclass(frozen=True, slots=True)
class FusedSide:
    """What the generated Python has to know of the module's fused glue.

    Attributes:
        exports: fused exported functions; their entries are numbered in this order.
        imports: fused imports, in the order of the stub's exports.
        needs: what the glue imports, in order: (module, export name), the name being None for its memory.
        sites: rows of the site table, as Python expressions.
    """

    exports: tuple[str, ...] = ()
    imports: tuple[tuple[str, str], ...] = ()
    needs: tuple[tuple[str, str | None], ...] = ()
    sites: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether the module has fused glue. It may need nothing: adapters can do without calls and memory."""
        return bool(self.exports or self.imports)


def wire_code(ty: IType) -> str:
    """The codes by which a value of `ty` crosses into or out of an entry of the glue."""
    if not layout(ty).code:
        return "I" if isinstance(ty, Record) else "II"
    code = {"i32": "i", "i64": "q", "f32": "f", "f64": "d"}[str(layout(ty).carrier[0])]
    return code.upper() if ty in _UNSIGNED else code


def wire_codes(signature: FunctionType) -> tuple[str, str]:
    """The codes of all parameters and results of an entry."""
    params = "".join(wire_code(param.type) for param in signature.params)
    return params, "".join(wire_code(result) for result in signature.results)


class StagedCall:
    """Writes the call of one exported function through the glue."""

    def __init__(self, name: str, index: int, signature: FunctionType, helpers: Helpers) -> None:
        self.name = name
        self.index = index
        self.signature = signature
        self._helpers = helpers
        # Nothing else in reach of the calls begins like this, so a parameter can't hide anything that they use.
        self._params = [f"arg_{param}" for param in identifiers([param.name for param in signature.params])]
        records = helpers.records
        sizes = zip(self._params, signature.params, strict=True)
        self._sizes = [SizeEstimate.of(name, item.type, records) for name, item in sizes]
        one = len(signature.results) == 1
        self._result = (
            SizeEstimate.of("result", signature.results[0], records) if one else SizeEstimate("", whole=False)
        )

    @property
    def params(self) -> list[str]:
        """The names of the parameters."""
        return self._params

    def write(self, writer: Writer, head: str) -> None:
        """Write the function `call_NAME` over internal values."""
        if self._result.text:
            # Whether the last result was large, for the next call: how large one is shows when it is staged already.
            writer.line(f"large_{self.name} = False")
            writer.line()
        with writer.block(head):
            self._write_direct(writer)
            with writer.block("try:"):
                arguments = self._encode(writer, self._params, str(DATA), chunked=False)
                results = self._result_names()
                call = f"fused_{self.name}({', '.join(arguments)})"
                target = ", ".join(results)
                if len(results) == 1:
                    target += f": {'float' if wire_codes(self.signature)[1] in ('f', 'd') else 'int'}"
                writer.line(f"{target} = {call}" if results else call)
                decoded = self._decode()
                if any(map(self._helpers.shares, self.signature.results)):
                    # What was staged shares nothing, so this is about the clock.
                    writer.line(self._helpers.start_meter())
                if self.signature.results == (Prim.STRING,):  # what the lifter does, without the call
                    writer.line("view = staging_memory.view[p0 : p0 + n0]")
                    writer.line(f'result = str(view, "utf-8") if len(view) == n0 else {decoded[0]}')
                elif decoded:
                    writer.line(f"result = {', '.join(decoded)}")
            with writer.block("except BaseException as error:"):
                with writer.block("if (found := explain(error)) is error:"):
                    writer.line("raise")
                writer.line("raise found from found.__cause__")
            self._write_shrink(writer)
            if decoded:
                writer.line("return result")

    def _write_direct(self, writer: Writer) -> None:
        """Write the way of large values, around staging."""
        sizes = [size.text for size in self._sizes if size.text]
        conditions = [f"large_{self.name}"] if self._result.text else []
        conditions += [f"{' + '.join(sizes)} > direct"] if sizes else []
        if not conditions:
            return
        if self._result.text:
            writer.line(f"nonlocal large_{self.name}")
        call = f"export_{self.name}({', '.join(self._params)})"
        with writer.block(f"if {' or '.join(conditions)}:"):
            if self._result.text:
                writer.line(f"result = {call}")
                writer.line(f"large_{self.name} = {self._result.text} > direct and staging.foresees")
                writer.line("return result")
            elif self.signature.results:
                writer.line(f"return {call}")
            else:
                writer.line(call)
                writer.line("return")

    def _write_shrink(self, writer: Writer) -> None:
        """Write what follows a call in which large values may have been staged."""
        scalars = all(layout(ty).code for ty in self.signature.results)
        known = all(size.whole for size in self._sizes) and (self._result.whole or scalars)
        if self._result.text:
            # The number that came with a string or an array is nearer than its length.
            with writer.block(f"if {self._result.text.replace('len(result)', 'n0')} > direct:"):
                writer.line(f"large_{self.name} = staging.foresees")
                if known:
                    self._shrink(writer)
        if not known:
            self._shrink(writer)

    @staticmethod
    def _shrink(writer: Writer) -> None:
        with writer.block(f"if len(staging_memory.view) > {KEPT}:"):
            writer.line("staging.shrink()")

    def write_batch(self, writer: Writer, function: str) -> None:
        """Write the function `batch_NAME`: argument rows in, a list of results or exceptions out."""
        params, results = wire_codes(self.signature)
        direct = any(
            not layout(item.type).code and item.type is not Prim.STRING and not is_bytes(item.type)
            for item in self.signature.params
        )
        with writer.block(f"def batch_{self.name}(rows: list[Any]) -> list[Any]:"):
            with writer.block(
                "def encode(rows: list[Any], end: int) -> tuple[list[bytes], list[bytes], int, dict[int, Exception]]:"
            ):
                writer.line("cells: list[bytes] = []")
                writer.line("chunks: list[bytes] = []")
                writer.line("bad: dict[int, Exception] = {}")
                writer.line(f"pack = in_{self.index}.pack")
                with writer.block("for position, row in enumerate(rows):"):
                    with writer.block("try:"):
                        writer.line(f"{_tuple(self._params) if self._params else '()'} = row")
                        checked = write_checks(writer, function, self.signature, self._params)
                    with writer.block("except (ArgumentError, TypeError, ValueError):"):
                        writer.line(f"bad[position] = link.refusal({literal(function)}, row)")
                        writer.line("continue")
                    arguments = self._encode(writer, checked, "end", chunked=not direct)
                    writer.line(f"cells.append(pack({', '.join(arguments)}))")
                    if any(not layout(item.type).code for item in self.signature.params):
                        with writer.block(f"if end > {BATCH_ARGUMENTS}:"):
                            writer.line("break")
                writer.line("return cells, chunks, end, bad")
            writer.line()
            with writer.block("def decode(data: bytes) -> list[Any]:"):
                names = self._result_names()
                decoded = self._decode()
                if any(map(self._helpers.shares, self.signature.results)):
                    # An interruption here would take away the results of rows that ended in time.
                    writer.line(f"{self._helpers.meter()}.left = {1 << 62}")
                if self.signature.results == (Prim.STRING,):
                    # What the lifter does, without a call for each: Wasm checked every string and left it in staging.
                    writer.line("staging_memory.refresh()")
                    writer.line("view = staging_memory.view")
                    decoded = ['str(view[p0 : p0 + n0], "utf-8")']
                if decoded:
                    value = decoded[0] if len(decoded) == 1 else f"({', '.join(decoded)})"
                    writer.line(f"return [{value} for {_tuple(names)} in out_{self.index}.iter_unpack(data)]")
                else:
                    writer.line("return []")
            writer.line()
            sizes = f"{8 * len(params)}, {8 * len(results)}"
            writer.line(f"batch = BatchCode(many_{self.name}, {sizes}, encode, decode)")
            writer.line("return staging.run_batch(rows, batch)")

    @property
    def structs(self) -> list[tuple[str, str]]:
        """The `struct` formats that the batch function needs, by name."""
        params, results = wire_codes(self.signature)
        return [(f"in_{self.index}", f"Struct({_cells(params)})"), (f"out_{self.index}", f"Struct({_cells(results)})")]

    def _encode(self, writer: Writer, values: list[str], at: str, *, chunked: bool) -> list[str]:
        """Write the encoding of all parameters from `at` on; gives the raw arguments.

        With `chunked`, bytes are collected in `chunks` instead of being written one by one. When it starts at `end`,
        `end` is the first free byte afterwards.
        """
        at_end = at == "end"
        arguments: list[str] = []
        staged = [index for index, item in enumerate(self.signature.params) if not layout(item.type).code]
        for index, (name, item) in enumerate(zip(values, self.signature.params, strict=True)):
            ty = item.type
            # One call needs the end of a value for the next one; a batch goes on after the last value too.
            ends = at_end or index not in staged[-1:]
            if layout(ty).code:
                # `struct` refuses what rounds to infinity; the call layer, which single calls go through, does not.
                arguments.append(f"to_f32({name})" if at_end and ty is Prim.F32 else name)
                continue
            if ty is Prim.STRING or is_bytes(ty):
                data = name
                if ty is Prim.STRING:
                    data = f"utf8_{index}"
                    writer.line(f"{data} = {name}.encode()")
                where = at
                if at == "end":
                    where = f"p{index}"
                    writer.line(f"{where} = end")
                if chunked:
                    writer.line(f"chunks.append({data})")
                    writer.line(f"end += len({data})")
                else:  # what `staging.stage` does, without the call
                    writer.line(f"end = {where} + len({data})")
                    with writer.block("if end > len(staging_memory.view):"):
                        writer.line("staging.reserve(end)")
                    writer.line(f"staging_memory.view[{where}:end] = {data}")
                arguments += [where, f"len({data})"]
            else:
                writer.line(f"staging.cursor = {at}")
                pair = [f"p{index}"] if isinstance(ty, Record) else [f"p{index}", f"n{index}"]
                writer.line(f"{', '.join(pair)} = {self._helpers.lower(ty)}({name})")
                if ends:
                    writer.line("end = staging.cursor")
                arguments += pair
            at = "end"
        return arguments

    def _result_names(self) -> list[str]:
        names: list[str] = []
        for index, ty in enumerate(self.signature.results):
            names += [f"r{index}"] if len(wire_code(ty)) == 1 else [f"p{index}", f"n{index}"]
        return names

    def _decode(self) -> list[str]:
        decoded = []
        for index, ty in enumerate(self.signature.results):
            if ty is Prim.BOOLEAN:
                decoded.append(f"r{index} != 0")
            elif layout(ty).code:
                decoded.append(f"r{index}")
            elif isinstance(ty, Record):
                decoded.append(f"{self._helpers.lift(ty)}(r{index})")
            else:
                decoded.append(f"{self._helpers.lift(ty)}(p{index}, n{index})")
        return decoded


def _cells(codes: str) -> str:
    """A `struct` format with every value in a cell of 8 bytes."""
    return '"<' + "".join(code if code in "qQd" else f"{code}4x" for code in codes) + '"'


def _tuple(items: list[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
