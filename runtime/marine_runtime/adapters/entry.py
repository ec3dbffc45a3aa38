"""Entries: the functions that users call. They check arguments, admit one call at a time and place errors.

Generated glue has its own entries, specialised for each signature; these serve engines without generated code. Both
raise the same errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from marine_runtime.adapters.contract import Adapter
from marine_runtime.calls.guard import Guard
from marine_runtime.lazy.typing import Any
from marine_runtime.types import FunctionType, Records


def make_entry(
    name: str,
    signature: FunctionType,
    records: Records,
    classes: Mapping[int, type],
    guard: Guard,
    adapter: Adapter,
) -> Callable[..., Any]:
    """The entry of one exported function: public values in, a public value out (a tuple for several results)."""
    import inspect

    from marine_runtime.values.bind import Binder

    bind = Binder(signature, records, function=name)
    publish = publisher(signature, records, classes)

    def entry(*args: Any, **kwargs: Any) -> Any:
        values = bind(args, kwargs)
        with guard.call():
            result = adapter(*values)
        return publish(result) if publish else result

    entry.__name__ = entry.__qualname__ = name
    entry.__doc__ = f"{name}{signature}"
    entry.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(param, inspect.Parameter.POSITIONAL_OR_KEYWORD) for param in bind.names]
    )
    return entry


def publisher(signature: FunctionType, records: Records, classes: Mapping[int, type]) -> Callable[[Any], Any] | None:
    """The conversion from an export adapter's result to that of its caller; None when they are the same."""
    from marine_runtime.values.records import to_public

    convert = [to_public(result, records, classes) for result in signature.results]
    if not any(convert):
        return None
    if len(convert) == 1:
        return convert[0]
    return lambda results: tuple(
        public(item) if public else item for public, item in zip(convert, results, strict=True)
    )
