"""Arguments of `Service.call`: by position or by name, in the order of the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.messages import counted
from marine_runtime.types import Field


def arrange(
    module: str, function: str, params: Sequence[Field], args: Sequence[Any] | Mapping[str, Any]
) -> Sequence[Any]:
    """Arguments in the order of the parameters.

    Raises:
        ArgumentError: too many, too few, or other names than the parameters have.
    """
    if isinstance(args, Mapping):
        names = [param.name for param in params]
        if (missing := [name for name in names if name not in args]) or len(args) != len(params):
            raise _mismatch(module, function, names, missing, list(args))
        return [args[name] for name in names]
    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise ArgumentError(f"arguments must be a sequence or a mapping, not {type(args).__name__}")
    if len(args) != len(params):
        raise ArgumentError(f"`{module}.{function}` takes {counted(len(params), 'argument')}, got {len(args)}")
    return args


def _mismatch(module: str, function: str, params: list[str], missing: list[str], given: list[str]) -> ArgumentError:
    extra = [name for name in given if name not in params]
    parts = [f"missing {', '.join(f'`{name}`' for name in missing)}"] if missing else []
    parts += [f"unknown {', '.join(f'`{name}`' for name in extra)}"] if extra else []
    wanted = ", ".join(f"`{name}`" for name in params) or "none"
    return ArgumentError(f"`{module}.{function}`: {'; '.join(parts) or 'repeated names'} (arguments: {wanted})")
