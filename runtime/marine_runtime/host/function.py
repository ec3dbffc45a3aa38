"""Python functions that modules import: their types, and how raw values become calls of them.

Host imports have no adapters in the module (docs/spec/host.md). The runtime lifts their arguments and
lowers their result with the generic codec, by the types given here; every engine uses the same code. Which function
stands for which import is decided in `host.resolve`; annotations become types in `values.annotations`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from marine_runtime.abi.layout import Bytes, Flat, Form, OutOfLine, Shape, Text, is_flat, raw_codes, shape
from marine_runtime.adapters.codec import Codec, from_carrier, to_carrier
from marine_runtime.adapters.images import Imaging, Placer
from marine_runtime.calls.sites import attach
from marine_runtime.config.checks import check_boolean
from marine_runtime.errors import ArgumentError, CallError, Site
from marine_runtime.host.signature_check import IS_NO_TYPE, check_record, check_signature
from marine_runtime.lazy.data import dataclass, field
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.texts.messages import counted
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, Records, RecordType
from marine_runtime.values.annotations import declared, maker_of
from marine_runtime.values.coerce import coercion
from marine_runtime.values.records import ToPublic, make_record_classes, to_public
from marine_runtime.values.scalars import MAX_LENGTH, kind
from marine_runtime.wasm.api import Codes
from marine_runtime.wasm.memory import Memory

HostType = IType | RecordType
"""A type of a host function; a record is given by its declaration."""

Classes = Mapping[int, type]
"""The class of each record by type index."""


@dataclass(frozen=True, slots=True)
class HostFunction:
    """A Python function that modules may import.

    Attributes:
        function: takes public values and returns one (None without a result).
        type: its signature, with one result at most; record ids refer to `records`.
        records: declarations of the records it uses.
        classes: the class of each record that the function takes; other records get a generated class.
        settled: whether results are internal values, each of them an object that never changes.
        raw: the function over raw values, for functions that inspect arguments before lifting them.
    """

    function: Callable[..., Any]
    type: FunctionType
    records: Records = field(default_factory=dict)
    classes: Classes = field(default_factory=dict)
    settled: bool = False
    raw: Callable[[Callable[[Records], GuestSide]], Callable[..., Any]] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.type, FunctionType):
            raise ArgumentError(
                f"the type of a host function must be a FunctionType, not {kind(self.type)}; "
                "`HostFunction.of(function, [Prim.STRING], Prim.STRING)` takes types of parameters and result"
            )
        for value, what in ((self.records, "`records`"), (self.classes, "`classes`")):
            if not isinstance(value, Mapping):
                raise ArgumentError(f"{what} of a host function must be a mapping by number, not {kind(value)}")
        check_signature(self.type, self.records, self.classes)
        check_boolean(self.settled, "`settled` of a host function")
        if self.raw is not None and not callable(self.raw):
            raise ArgumentError(f"`raw` of a host function must be a function, not {kind(self.raw)}")
        check_callable(self.function, len(self.type.params))
        if len(self.type.results) > 1:
            raise ArgumentError(f"a host function has one result at most, not {len(self.type.results)}: {self.type}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the Python function itself, as if it were not decorated."""
        return self.function(*args, **kwargs)

    @classmethod
    def from_callable(cls, function: Callable[..., Any]) -> HostFunction:
        """A host function whose types are its annotations.

        `str`, `bytes`, `bool`, `float` (f64), `list[…]`, dataclasses and `None` stand for themselves. An integer needs
        a width: `S8` to `U64`, which are `Annotated[int, Prim.S8]` and so on.

        Raises:
            ArgumentError: an annotation is missing or has no interface type.
        """
        check_callable(function)
        ty, records, classes = declared(function)
        return cls(function, ty, records, classes)

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        params: Sequence[HostType | tuple[str, HostType]] = (),
        result: HostType | None = None,
    ) -> HostFunction:
        """A host function with the given parameter types (optionally named) and result type.

        A record declaration can be used wherever a type is expected, also in arrays and in fields of other
        declarations.

        Raises:
            ArgumentError: a record is given by number, or something is not a type.
        """
        if isinstance(params, str) or not isinstance(params, Sequence):
            raise ArgumentError(f"the parameters of a host function must be a list of types, not {kind(params)}")
        numbers: dict[RecordType, int] = {}
        records: dict[int, RecordType] = {}

        def number(ty: HostType) -> IType:
            if not isinstance(ty, (Prim, Array, Record, RecordType)):
                raise ArgumentError(f"{ty!r:.80} {IS_NO_TYPE}")
            match ty:
                case Prim():
                    return ty
                case Array(element=element):
                    return Array(number(element))
                case Record():
                    raise ArgumentError(
                        f"{ty} refers to a record by its index in a module; give the record's declaration"
                    )
                case RecordType():
                    return declared_record(check_record(ty))
                case _:
                    assert_never(ty)

        def declared_record(ty: RecordType) -> Record:
            if ty not in numbers:
                fields = tuple(Field(item.name, number(item.type)) for item in ty.fields)
                numbers[ty] = len(numbers)
                records[numbers[ty]] = RecordType(ty.name, fields)
            return Record(numbers[ty])

        fields = []
        for position, param in enumerate(params):
            if isinstance(param, tuple) and not (len(param) == 2 and isinstance(param[0], str)):
                raise ArgumentError(f"a parameter must be a type, or a pair of a name and a type, not {param!r:.80}")
            name, ty = param if isinstance(param, tuple) else (f"arg_{position}", param)
            fields.append(Field(name, number(ty)))
        results = () if result is None else (number(result),)
        return cls(function, FunctionType(tuple(fields), results), records)

    @property
    def uses_memory(self) -> bool:
        """True if a parameter or the result lives in the guest's memory."""
        return not all(map(is_flat, (*(param.type for param in self.type.params), *self.type.results)))

    @property
    def gives_memory(self) -> bool:
        """True if the result lives in the guest's memory."""
        return not all(map(is_flat, self.type.results))

    def codes(self) -> tuple[Codes, Codes]:
        """The raw signature: flattened parameters; a result in memory has no raw result (docs/spec/memory.md)."""
        params = "".join(raw_codes(param.type) for param in self.type.params)
        results = "".join(raw_codes(result) for result in self.type.results if is_flat(result))
        return params, results


def check_callable(function: object, count: int | None = None) -> None:
    """Refuse what no call of a guest could use.

    Args:
        function: the function.
        count: the number of its arguments, when it is known.

    Raises:
        ArgumentError: it is not a function, its calls return before it has run, or it takes other arguments.
    """
    if not callable(function):
        raise ArgumentError(f"a host function must be a function, not {kind(function)}")
    name = getattr(function, "__name__", kind(function))
    method = None if isinstance(function, type) else getattr(type(function), "__call__", None)  # noqa: B004
    for candidate in (function, method):
        if inspect.iscoroutinefunction(candidate):
            raise ArgumentError(
                f"the host function `{name}` is `async def`, but a guest waits for its result: "
                "write `def`, and run coroutines with `asyncio.run_coroutine_threadsafe(…).result()`"
            )
        if inspect.isgeneratorfunction(candidate) or inspect.isasyncgenfunction(candidate):
            raise ArgumentError(f"the host function `{name}` has a `yield`: return the result, such as a list")
    if count is None:
        return
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # of a builtin, which does not tell
    try:
        signature.bind(*range(count))
    except TypeError as error:
        given = counted(count, "argument")
        raise ArgumentError(f"the host function `{name}` will be called with {given}: {error}") from None


def host_function(function: Callable[..., Any]) -> HostFunction:
    """Decorator: a host function whose types are its annotations, see `HostFunction.from_callable`.

    It can still be called from Python, and goes into `host_functions` or a `PythonModule` as it is.
    """
    return HostFunction.from_callable(function)


def as_host_function(item: Any, where: str) -> HostFunction:
    """`item`, which is a host function or an annotated callable.

    Raises:
        ArgumentError: it is neither; the message starts with `where`.
    """
    if isinstance(item, HostFunction):
        return item
    if not callable(item):
        raise ArgumentError(f"{where} must be a function, not {type(item).__name__}")
    try:
        return HostFunction.from_callable(item)
    except ArgumentError as error:
        raise ArgumentError(f"{where}: {error}") from None


@dataclass(slots=True)
class GuestSide:
    """The part of its caller that a host import needs. The codec has the host function's records, not the caller's."""

    codec: Codec
    memory: Memory
    set_result_ptr: Callable[[int], None]
    set_result_size: Callable[[int], None]
    placer: Placer | None = None


def adapt(
    host: HostFunction,
    name: str,
    guest: Callable[[Records], GuestSide],
    observe: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None,
) -> Callable[..., Any]:
    """`host` as a function over raw values of the Wasm signature `host.codes()`.

    `guest` is asked at the first call, because the caller does not exist yet, and only when memory is needed. `observe`
    puts something around the function over internal values, where there is one.
    """
    if host.raw is not None:
        return host.raw(guest)
    run = over_values(host, name)
    if observe is not None:
        run = observe(run)
    reads: list[Callable[[Sequence[Any]], Any]] = []
    give: Callable[[Any], Any] | None = None

    def call(*raw: Any) -> Any:
        nonlocal reads, give
        if give is None:
            side = guest(host.records) if host.uses_memory else None
            reads = readers(host, side)
            give = giver(host, side)
        return give(run(*[read(raw) for read in reads]) if raw else run())

    return call


def over_values(host: HostFunction, name: str, site: Site | None = None) -> Callable[..., Any]:
    """`host` as a function over internal values; its errors are at `site`."""
    publish, _ = published(host, name)
    plain = not any(publish)
    function = host.function
    if host.settled and plain:
        return function
    accept = acceptor(host)
    exact = _exact(host.type.results)

    def run(*values: Any) -> Any:
        try:
            if not plain:
                values = tuple(to(value) if to else value for to, value in zip(publish, values, strict=True))
            result = function(*values)
            if (cls := type(result)) is exact and len(result) <= MAX_LENGTH and (cls is bytes or result.isascii()):
                return result  # as `accept` would give it back
            if accept is None:
                return result if host.settled else None
            return accept(result)
        except CallError as error:
            if site is None or error.site is not None:  # of another service, which the function has called
                raise
            located = attach(error, site)
            raise located from located.__cause__

    return run


def published(host: HostFunction, name: str) -> tuple[list[ToPublic | None], Classes]:
    """From internal arguments to what the function gets: None for what stays as it is; and the classes of records."""
    if host.classes:
        make = maker_of(host.records, host.classes)
        return [make(param.type) for param in host.type.params], host.classes
    classes = make_record_classes(host.records, name)
    return [to_public(param.type, host.records, classes) for param in host.type.params], classes


def acceptor(host: HostFunction) -> Callable[[Any], Any] | None:
    """From what the function gives to an internal value; None for a function whose result is one, or without result."""
    if not host.type.results or host.settled:
        return None
    coerce = coercion(host.type.results[0], host.records)

    def accept(result: Any) -> Any:
        try:
            return coerce(result)
        except ArgumentError as error:
            raise CallError(f"the host function returned a value that does not fit: {error}") from error.__cause__

    return accept


def _exact(results: Sequence[IType]) -> type | None:
    """The class of results that only their length and their characters can make wrong."""
    if not results:
        return None
    part = shape(results[0])
    return str if isinstance(part, Text) else bytes if isinstance(part, Bytes) else None


def readers(host: HostFunction, side: GuestSide | None) -> list[Callable[[Sequence[Any]], Any]]:
    """From the raw arguments to each of the internal ones."""
    readers: list[Callable[[Sequence[Any]], Any]] = []
    at = 0
    for param in host.type.params:
        part = shape(param.type)
        count = len(part.layout.carrier)
        readers.append(reader(part, slice(at, at + count), f"$.{param.name}", side))
        at += count
    return readers


def reader(part: Shape, cells: slice, path: str, side: GuestSide | None) -> Callable[[Sequence[Any]], Any]:
    if isinstance(part, Flat):
        return lambda raw: from_carrier(part, raw[cells.start])
    assert side is not None
    lift = side.codec.lift
    return lambda raw: lift(part, raw[cells], path)


def giver(host: HostFunction, side: GuestSide | None) -> Callable[[Any], Any]:
    """From an internal value to the raw result; what lives in memory is lowered and made the result of the guest."""
    if not host.type.results:
        return lambda _: None
    result = shape(host.type.results[0])
    if isinstance(result, Flat):
        return partial(to_carrier, result)
    assert side is not None
    lower, placer = partial(_lower, side, result), side.placer
    if placer is None:
        return lower
    if isinstance(result, Text):
        return lambda value: None if placer.place_bytes(value.encode()) else lower(value)
    if isinstance(result, Bytes):
        return lambda value: None if placer.place_bytes(value) else lower(value)
    imaging, settled = Imaging(host.records), host.settled
    last: Any = None
    image: bytes | None = None

    def give(value: Any) -> None:
        nonlocal last, image
        if value is not last:
            made = imaging.image(result, value)
            if settled:
                last, image = value, made
        else:
            made = image
        if made is None or not placer.place(made):
            lower(value)

    return give


def _lower(side: GuestSide, result: OutOfLine, value: Any) -> None:
    cells = side.codec.lower(result, value)
    side.set_result_ptr(cells[0])
    if result.layout.form is Form.PAIR:
        side.set_result_size(cells[1])
