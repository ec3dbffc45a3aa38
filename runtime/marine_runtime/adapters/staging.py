"""The staging memory of a service: it holds values of the host for the fused glue, and the results of the glue.

Layout, by byte offset:

    0    kind of the fault that made the glue trap, 0 for none (i32)
    8    its numbers: three i64
    32   top of the stack of positions (i32, an address)
    40   batch: number of finished calls (i32)
    44   first free byte, from where on the glue of every module takes room (i32)
    64   the stack of positions: one i32 per fused adapter that is running, innermost last
    4096 data: values in Marine's layout, addresses absolute

A position is `ordinal of the module << 20 | row of its site table`. It is written before anything that can fail, so
that a failure anywhere in a chain of modules can be placed without costing more than a store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from struct import Struct

from marine_runtime.adapters.faults import failed_allocation, too_large
from marine_runtime.calls.sites import attach
from marine_runtime.errors import CallError, Site, TrapError
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.typing import TYPE_CHECKING, Any, overload
from marine_runtime.texts.messages import counted
from marine_runtime.types import IType
from marine_runtime.wasm.api import CoreFunction
from marine_runtime.wasm.covered import covered
from marine_runtime.wasm.memory import Memory, out_of_bounds

if TYPE_CHECKING:
    from marine_runtime.adapters.codec import Codec

FAULT_KIND, FAULT_VALUES, STACK_TOP, BATCH_DONE, FREE, STACK, DATA = 0, 8, 32, 40, 44, 64, 4096
MAX_MODULES = (DATA - STACK) // 4 // 2
"""More modules than this are not fused: the stack of positions must hold a chain through all of them."""

ORDINAL_SHIFT = 20
MAX_SITES = 1 << ORDINAL_SHIFT
"""Rows that the site table of one module can have; with more, the module keeps its closures."""
KEPT = 4 << 20
"""Bytes of staging that stay resident after a call that needed more."""

SLACK = 16
"""Bytes that staging has behind what is staged: Wasm looks for the end of a string in steps of 16 bytes."""

DIRECT = {"fast": 1 << 16, "public": 1 << 21}
"""Bytes of arguments, or of the last result, beyond which a call goes around staging, by call layer: two copies then
take longer than the calls into Wasm that staging saves."""

BATCH_ARGUMENTS = 1 << 24
BATCH_RESIDENT = 1 << 26
"""Bytes of the arguments that a batch stages at once; beyond the second, Wasm is left to read the results."""

_PAGE = 1 << 16
_FAULT = Struct("<i4xqqq")
_WORD = Struct("<I")


class Fault(IntEnum):
    """The cause of a trap in the glue, with the meaning of the fault's numbers."""

    LIFT = 1  # ptr, length: the value there is not valid
    BOUNDS = 2  # ptr, size, memory size
    ALLOCATE = 3  # size
    TOO_LARGE = 4  # size
    RANGE = 5  # value
    STAGING = 6  # size
    DEPTH = 7  # the stack of positions is full: a guest's `allocate` calls its own imports, for example


@dataclass(frozen=True, slots=True)
class StepInfo:
    """One row of a site table.

    Attributes:
        trail: the adapter instructions that a step stands for, the outermost first.
        module: the module in whose memory a lifted value is.
        type: the type that is lifted, or the target of a conversion.
        unsigned: whether the converted number is unsigned.
        host: whether it stands for a function of the host, which only errors without a place are those of.
    """

    trail: tuple[Site, ...]
    module: str = ""
    type: IType | None = None
    unsigned: bool = False
    host: bool = False


class SiteRows(Sequence[StepInfo]):
    """The rows of a site table as generated code spells them: the trail, then what a fault there is about.

    Rows may be given by what makes them when they are first asked for, which only errors do.
    """

    def __init__(self, rows: Sequence[Sequence[Any]] | Callable[[], Sequence[Sequence[Any]]]) -> None:
        self._given = rows

    @property
    def _rows(self) -> Sequence[Sequence[Any]]:
        if callable(self._given):
            self._given = self._given()
        return self._given  # thousands, of which few are ever looked at

    @overload
    def __getitem__(self, index: int) -> StepInfo: ...

    @overload
    def __getitem__(self, index: slice) -> SiteRows: ...

    def __getitem__(self, index: int | slice) -> StepInfo | SiteRows:
        if isinstance(index, slice):
            return SiteRows(self._rows[index])
        row = self._rows[index]
        trail = tuple(Site(*frame) for frame in row[0])
        match row[1:]:
            case ("lift", str(module), ty):
                return StepInfo(trail, module, ty)
            case ("range", ty, bool(unsigned)):
                return StepInfo(trail, "", ty, unsigned)
            case _:
                return StepInfo(trail)

    def __len__(self) -> int:
        return len(self._rows)


class Staging:
    """The staging memory of one service.

    Attributes:
        memory: the memory. Its view covers at most `KEPT` bytes, unless a call has just used more.
        cursor: first free byte while arguments are encoded.
        judge: from the error of one call of a batch to what is raised for it.
        direct: the size from which values go around it, see `DIRECT`.
        foresees: whether a call may go around staging because the result of the last one was large. What a call does
            then depends on others: not where each has to use the same fuel every time.
    """

    def __init__(
        self,
        memory: Memory,
        judge: Callable[[BaseException], BaseException] = lambda error: error,
        *,
        direct: int = DIRECT["fast"],
        foresees: bool = True,
    ) -> None:
        self.judge = judge
        self.direct = direct
        self.foresees = foresees
        self.memory = memory
        self.cursor = DATA
        self._sites: dict[int, dict[int, Sequence[StepInfo]]] = {}  # tables by ordinal, then by their first row
        self._codecs: dict[str, Callable[[], Codec]] = {}
        _WORD.pack_into(memory.view, FREE, DATA)
        self._reset()

    def add_module(self, ordinal: int, name: str, sites: Sequence[StepInfo], codec: Callable[[], Codec]) -> None:
        """Make the positions and values of a module known."""
        self._sites[ordinal] = {0: sites}
        self._codecs[name] = codec

    def add_sites(self, ordinal: int, first: int, sites: Sequence[StepInfo]) -> None:
        """Make the positions of more glue of a known module known, which begin at `first`."""
        self._sites[ordinal][first] = sites

    def stage(self, at: int, data: bytes) -> int:
        """Copy `data` to `at`; gives the byte after it."""
        end = at + len(data)
        if end > len(self.memory.view) - SLACK:  # check: staging room for a chunk
            self.reserve(end)
        self.memory.view[at:end] = data
        return end

    def allocate(self, size: int, tag: int) -> int:
        """Room for `size` bytes, as a guest's `allocate`; the tag means nothing here."""
        at = self.cursor
        self.cursor = end = at + size
        if end > len(self.memory.view):  # check: staging room for a block
            self.reserve(end)
        return at

    def reserve(self, end: int) -> None:
        """Make room for `end` bytes, and `SLACK` more."""
        if end <= len(self.memory.view) - SLACK:
            return
        if end >= 2**32 - SLACK:  # check: staging arguments of 4 GiB
            raise CallError(f"the arguments take {end - DATA} bytes, more than a 32-bit memory")
        self.memory.refresh()
        missing = end + SLACK - len(self.memory.view)
        if missing > 0:
            if not self.memory.grow(-(-missing // _PAGE)):  # check: staging growth that fails
                raise CallError(f"the staging memory can't grow by {counted(missing, 'byte')}")
            self.memory.refresh()

    def shrink(self) -> None:
        """Give back what a large call needed."""
        self.memory.discard(KEPT)
        # A short view: a value beyond it has to come through `reserve` or `claim`, which make it long again, and that
        # is how the next large call is noticed.

    @covered
    def explain_call(self, error: BaseException) -> BaseException:
        """The error that one call of a batch raises instead of `error`, see `explain`."""
        try:
            return self._explain(error, STACK)
        except BaseException:  # of a signal handler
            self._reset()
            raise

    @covered
    def explain(self, error: BaseException) -> BaseException:
        """The error that a call through the glue raises instead of `error`, which came out of it; forgets the call.

        A fault of the glue becomes the error that the interpreter would raise. Any CallError gets the places of the
        fused adapters that were running. Anything else is a host function's own and stays as it is.
        """
        try:
            found = self._explain(error, STACK)
            self.settle()
            return found
        except BaseException:  # of a signal handler: the next error would get the places of this one
            self._reset()
            raise

    def explaining(self, run: CoreFunction) -> CoreFunction:
        """`run`, a core function under which fused adapters run, for adapters that are closures.

        Its errors are explained here, as far as fused adapters below it are concerned; others may be running above it.
        """

        def call(*raw: Any) -> Any:
            (base,) = _WORD.unpack_from(self.memory.view, STACK_TOP)
            (free,) = _WORD.unpack_from(self.memory.view, FREE)
            try:
                return run(*raw)
            except BaseException as error:
                try:
                    # check: staging room that a failed call took
                    _WORD.pack_into(self.memory.view, FREE, free)
                    found = self._explain(error, base)
                except BaseException:  # as above
                    self._reset(base)
                    raise
                if found is error:
                    raise
                raise found from found.__cause__

        return call

    def _explain(self, error: BaseException, base: int) -> BaseException:
        """See `explain`, for the adapters whose positions stand at `base` and above."""
        kind, *numbers = _FAULT.unpack_from(self.memory.view, FAULT_KIND)
        (top,) = _WORD.unpack_from(self.memory.view, STACK_TOP)
        rows = [self._row(at) for at in range(base, min(top, DATA), 4)]  # check: staging positions beyond their stack
        self._reset(base)
        if not isinstance(error, CallError):
            return error
        if kind and rows:
            error = self._fault(Fault(kind), numbers, rows[-1])
        for row in reversed(rows):
            if row.host and error.site is not None:  # as in trampolines: what else came through is not its own
                continue
            for site in reversed(row.trail):
                error = attach(error, site)
        return error

    def settle(self) -> None:
        """After a call that may have grown the memory unseen."""
        self.memory.refresh()
        if len(self.memory.view) > KEPT:  # check: staging room is given back
            self.shrink()

    def _row(self, at: int) -> StepInfo:
        (position,) = _WORD.unpack_from(self.memory.view, at)
        row: int = position & ((1 << ORDINAL_SHIFT) - 1)
        tables = self._sites[position >> ORDINAL_SHIFT]
        first = max(start for start in tables if start <= row)
        return tables[first][row - first]

    def _fault(self, kind: Fault, numbers: Sequence[int], row: StepInfo) -> CallError:
        first, second, third = numbers
        match kind:
            case Fault.LIFT:
                return self._lift_again(row, first, second)
            case Fault.BOUNDS:
                return out_of_bounds(first, second, third)
            case Fault.ALLOCATE:
                return failed_allocation(first)
            case Fault.TOO_LARGE:
                return too_large(first)
            case Fault.RANGE:
                value = first % 2**64 if row.unsigned else first
                return CallError(f"{value} is out of range for {row.type}")
            case Fault.STAGING:
                return CallError(f"the staging memory can't grow by {counted(first, 'byte')}")
            case Fault.DEPTH:
                return TrapError("wasm trap: call stack exhausted")  # what the other engines run into a little later

    def _lift_again(self, row: StepInfo, ptr: int, length: int) -> CallError:
        """The glue only knows that a value is bad; the codec says what and where. The guest has not run since."""
        from marine_runtime.abi.layout import Flat, shape

        codec = self._codecs[row.module]()
        try:
            if row.type is not None and not isinstance(value := shape(row.type), Flat):
                codec.lift(value, (ptr, length))
        except CallError as error:
            return error
        return CallError(f"the value at address {ptr} is not a valid {row.type}")

    def _reset(self, base: int = STACK) -> None:
        _FAULT.pack_into(self.memory.view, FAULT_KIND, 0, 0, 0, 0)
        _WORD.pack_into(self.memory.view, STACK_TOP, base)
