"""Names of `typing` for annotations, whose import takes as long as a tenth of a first call in a new process.

Type checkers see those of `typing`. While a program runs they are erased: types and type variables are `object`, and
`typing.get_type_hints` says so. Modules that need more of `typing`, or need it to be real, import it.
"""

from __future__ import annotations

TYPE_CHECKING = False
"""True for type checkers, which know the name."""

if TYPE_CHECKING:
    from typing import (
        IO,
        Any,
        ClassVar,
        NoReturn,
        Protocol,
        Self,
        SupportsIndex,
        TypeVar,
        Unpack,
        assert_never,
        cast,
        overload,
    )
else:

    class _Erased:
        """A form that stands for anything, whatever it is of."""

        def __class_getitem__(cls, item: object) -> type:
            return object

    class Protocol:
        """The base of classes that others need not derive from."""

        __slots__ = ()

    IO = ClassVar = Unpack = _Erased
    Any = NoReturn = Self = SupportsIndex = object

    def TypeVar(name: str, **_: object) -> type:  # noqa: N802  # the name that it has in `typing`
        """Any type."""
        return object

    def assert_never(value: object, /) -> None:
        """Raise AssertionError."""
        raise AssertionError(f"expected code to be unreachable, but got: {value!r}")

    def cast(_: object, value: object) -> object:
        """`value`."""
        return value

    def overload(function: object) -> object:
        """A declaration, which the definition replaces."""
        return function


__all__ = [
    "IO",
    "TYPE_CHECKING",
    "Any",
    "ClassVar",
    "NoReturn",
    "Protocol",
    "Self",
    "SupportsIndex",
    "TypeVar",
    "Unpack",
    "assert_never",
    "cast",
    "overload",
]
