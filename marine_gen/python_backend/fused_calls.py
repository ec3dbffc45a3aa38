"""Calls into the fused glue: arguments are encoded into the staging memory, one entry into Wasm, results decoded.

Flat values pass as plain Wasm values. Strings and bytes are written by one statement each; everything else is lowered
into staging by the same helpers that lower into a guest, bound to the staging memory.

Staging saves calls into Wasm and costs a copy each way. For large values the copies cost more: where their size is at
hand, the export adapter in Python, which the module has anyway, takes them to the guest itself and from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from marine_gen.codegen.literals import python_string
from marine_gen.codegen.writer import PYTHON, Writer
from marine_gen.python_backend.lift_lower import Helpers
from marine_gen.python_backend.needs import CALLS, STAGED, own
from marine_gen.python_backend.packed import PackedValues
from marine_gen.python_backend.size_estimate import SizeEstimate
from marine_runtime.abi import Bytes, Flat, Kind, List, Struct, Text, is_flat, raw_codes, shape
from marine_runtime.adapters import DATA, KEPT, SLACK
from marine_runtime.texts import identifiers
from marine_runtime.types import FunctionType, Prim, reachable_records


def wire_codes(signature: FunctionType) -> tuple[str, str]:
    """The codes of all parameters and results of an entry."""
    params = "".join(raw_codes(param.type) for param in signature.params)
    return params, "".join(raw_codes(result) for result in signature.results)


class StagedCall:
    """Writes the call of one exported function through the glue."""

    def __init__(
        self, name: str, index: int, function: str, signature: FunctionType, helpers: Helpers, packed: PackedValues
    ) -> None:
        self.name = name
        self.index = index
        self.function = function
        self.signature = signature
        self._helpers = helpers
        self._packed = packed
        types = [*(item.type for item in signature.params), *signature.results]
        self.is_packed = any(packed.packing(ty) for ty in types)
        self.publishes = self.is_packed and all(
            packed.packing(ty) or not reachable_records([ty], helpers.records) for ty in signature.results
        )
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
    def _staged(self) -> bool:
        """True if a parameter is staged; the entry then gets the end of what is."""
        return any(not is_flat(item.type) for item in self.signature.params)

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
    def entered(self) -> str:
        """The name of the function that entries call."""
        return own(f"packed_{self.name}") if self.is_packed else self.symbol

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
        if self._result.text and not self.is_packed:
            # Whether the last result was large, for the next call: how large one is shows when it is staged already.
            self._needs.binding(CALLS, f"large_{self.name}", "False")
        with self._needs.definition(STAGED, self.symbol) as definition:
            writer = Writer(PYTHON, 1)
            with writer.block(f"def {self.symbol}{head}:"):
                self._write_call(writer, public=False)
            definition.lines = writer.lines

    def write_public(self, results: str) -> None:
        """Write the function that entries call: packed arguments, and public results where `publishes` says so."""
        if not self.is_packed:
            return
        with self._needs.definition(STAGED, self.entered) as definition:
            writer = Writer(PYTHON, 1)
            any_type = self._needs.support("Any")
            declared = ", ".join(f"{name}: {any_type}" for name in self._params)
            with writer.block(f"def {self.entered}({declared}) -> {results if self.publishes else any_type}:"):
                self._write_call(writer, public=True)
            definition.lines = writer.lines

    def _write_call(self, writer: Writer, *, public: bool) -> None:
        explain = self._needs.frame("explain")
        params, codes = wire_codes(self.signature)
        entry_codes = f"{params}I" if self._staged else params
        entry = self._needs.binding(
            CALLS,
            f"fused_{self.name}",
            f'{own("link")}.fused("entry.{self.index}", {python_string(entry_codes)}, {python_string(codes)})',
        )
        self._write_direct(writer)
        with writer.block("try:"):
            values = self._params if public else self._write_packs(writer, self._params)
            arguments = self._encode(writer, values)
            results = self.result_names
            if self._staged:
                arguments.append("end")
            call = f"{entry}({', '.join(arguments)})"
            target = ", ".join(results)
            if len(results) == 1:
                target += f": {'float' if codes in ('f', 'd') else 'int'}"
            writer.line(f"{target} = {call}" if results else call)
            decoded = self.decode(public=public and self.publishes)
            if any(self._helpers.shares(ty) and not self._packed.packing(ty) for ty in self.signature.results):
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
        if self.is_packed or not (sizes or self._result.text):
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
        known = not self.is_packed and all(size.whole for size in self._sizes) and (self._result.whole or scalars)
        if self._result.text and not self.is_packed:
            # The number that came with a string or an array is nearer than its length.
            size = SizeEstimate.of("result", self.signature.results[0], self._helpers.records, length="n0")
            with writer.block(f"if {size.text} > {self._needs.frame('direct')}:"):
                writer.line(f"{self._large} = {self._staging}.foresees")
                if known:
                    self._shrink(writer)
        if not known:
            self._shrink(writer)

    def _write_packs(self, writer: Writer, values: Sequence[str]) -> list[str]:
        """Write the packing of internal values; the names of all arguments."""
        passed = list(values)
        for index, (value, item) in enumerate(zip(values, self.signature.params, strict=True)):
            if self._packed.packing(item.type):
                passed[index] = f"packed_{index}"
                writer.line(f"{passed[index]} = {self._packed.pack(item.type, public=False)}({value})")
        return passed

    def _shrink(self, writer: Writer) -> None:
        with writer.block(f"if len({self._memory}.view) > {KEPT}:"):
            writer.line(f"{self._staging}.shrink()")

    def stop_meter(self, writer: Writer) -> None:
        """Write what keeps the lifting of results from being interrupted."""
        if any(self._helpers.shares(ty) for ty in self.signature.results):
            # An interruption would take away the results of calls that ended in time.
            writer.line(f"{self._helpers.meter()}.left = {1 << 62}")

    def _encode(self, writer: Writer, values: Sequence[str]) -> list[str]:
        """Write the encoding of all parameters, which ends at `end`; gives the raw arguments."""
        at = str(DATA)
        arguments: list[str] = []
        for index, (name, item) in enumerate(zip(values, self.signature.params, strict=True)):
            part = shape(item.type)
            match part:
                case Flat():
                    arguments.append(name)
                    continue
                case Text():
                    data = f"utf8_{index}"
                    writer.line(f"{data} = {name}.encode()")
                    arguments += self._stage(writer, index, data, at)
                case Bytes():
                    arguments += self._stage(writer, index, name, at)
                case List() | Struct() if self._packed.packing(item.type):
                    # Instead of its number of elements, which the block has, an array passes what is at hand.
                    arguments += self._stage(writer, index, name, at)[: len(part.layout.carrier)]
                case List() | Struct():
                    writer.line(f"{self._staging}.cursor = {at}")
                    cells = [f"p{index}", f"n{index}"][: len(part.layout.carrier)]
                    writer.line(f"{', '.join(cells)} = {self._helpers.lower(item.type)}({name})")
                    writer.line(f"end = {self._staging}.cursor")
                    arguments += cells
                case _:
                    assert_never(part)
            at = "end"
        return arguments

    def _stage(self, writer: Writer, index: int, data: str, at: str) -> list[str]:
        """Write the copy of bytes into staging; gives their address and size."""
        where = at
        if at == "end":
            where = f"p{index}"
            writer.line(f"{where} = end")
        # The body of `staging.stage`, which saves a call.
        writer.line(f"end = {where} + len({data})")
        with writer.block(f"if end > len({self._memory}.view) - {SLACK}:"):
            writer.line(f"{self._staging}.reserve(end)")
        writer.line(f"{self._memory}.view[{where}:end] = {data}")
        return [where, f"len({data})"]

    @property
    def result_names(self) -> list[str]:
        """The variables that hold the raw results."""
        names: list[str] = []
        for index, ty in enumerate(self.signature.results):
            names += [f"r{index}"] if len(raw_codes(ty)) == 1 else [f"p{index}", f"n{index}"]
        return names

    def decode(self, *, public: bool) -> list[str]:
        """The results as expressions over the raw ones."""
        decoded = []
        names = iter(self.result_names)
        for ty in self.signature.results:
            part = shape(ty)
            cells = ", ".join(next(names) for _ in part.layout.carrier)
            match part:
                case Flat(kind=kind):
                    decoded.append(_decoded(kind, cells))
                case List() | Struct() if self._packed.packing(ty):
                    block, _, _ = cells.partition(",")
                    decoded.append(f"{self._packed.unpack(ty, public=public)}({block})")
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
