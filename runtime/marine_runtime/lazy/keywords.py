"""Typed dictionaries that declare keywords of functions, without the work of `typing` at import."""

from __future__ import annotations

from marine_runtime.lazy.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypedDict as Keywords
else:

    class Keywords(dict):
        """The base of such a dictionary; its `__annotations__` are those of all its keys."""

        def __init_subclass__(cls, *, total: bool = True, **more: Any) -> None:
            super().__init_subclass__(**more)
            cls.__total__ = total
            of_all: dict[str, Any] = {}
            for base in reversed(cls.__mro__):
                of_all |= getattr(base, "__annotations__", {})
            cls.__annotations__ = of_all


__all__ = ["Keywords"]
