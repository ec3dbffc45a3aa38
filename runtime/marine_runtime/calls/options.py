"""Options of a call, and functions that take options as keyword arguments.

Such a function declares `**options: Unpack[CallOptions]`, so that type checkers and editors know each keyword; it hands
them on as they are, and refuses others with `refuse_unknown`, as Python would. A call without options pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from marine_runtime.calls.parameters import CallParameters
from marine_runtime.lazy.keywords import Keywords
from marine_runtime.lazy.signature import LazySignature
from marine_runtime.lazy.typing import Any, TypeVar
from marine_runtime.texts.messages import suggestion

_Function = TypeVar("_Function", bound=Callable[..., Any])


class CallOptions(Keywords, total=False):
    """Options of one call; one that is missing or None has the value that the service was loaded with.

    Attributes:
        timeout: seconds that the call may take; of a batch, all its calls together.
        fuel: units of fuel that the call may use, likewise; only a service that was loaded with fuel has any.
        call_parameters: the result of `get_call_parameters` for every module of the service during the call.
    """

    timeout: float | None
    fuel: int | None
    call_parameters: CallParameters | None


def refuse_unknown(function: str, given: Mapping[str, object], options: Any) -> None:
    """Refuse keyword arguments of `function` that are not keys of `options`, a TypedDict.

    Raises:
        TypeError: as Python raises it.
    """
    for name in given:
        if name not in options.__annotations__:
            hint = suggestion(name, options.__annotations__)
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


def with_keywords(options: Any) -> Callable[[_Function], _Function]:
    """Show the keys of `options`, a TypedDict, as keyword arguments in the signature of a function, for `help`."""

    def show(function: _Function) -> _Function:
        def signature() -> Any:
            import inspect

            shown = vars(function).pop("__signature__")  # or `inspect` would ask for it again
            own = inspect.signature(function)
            vars(function)["__signature__"] = shown
            given = [item for item in own.parameters.values() if item.kind is not inspect.Parameter.VAR_KEYWORD]
            added = [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=..., annotation=_spelled(annotation))
                for name, annotation in options.__annotations__.items()
            ]
            return own.replace(parameters=[*given, *added])

        function.__signature__ = LazySignature(signature)  # type: ignore[attr-defined]
        return function

    return show


def _spelled(annotation: Any) -> Any:
    return getattr(annotation, "__forward_arg__", annotation)
