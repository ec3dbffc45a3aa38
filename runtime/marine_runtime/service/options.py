"""Options of loading a service, and the Wasm runtime that they ask for."""

from __future__ import annotations

from collections.abc import Sequence

from marine_runtime.calls.limits import check_stack
from marine_runtime.config.arguments import check_config
from marine_runtime.config.model import ServiceConfig, check_flag
from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.keywords import Keywords
from marine_runtime.lazy.typing import TYPE_CHECKING, cast
from marine_runtime.wasm import WasmRuntime, open_runtime

if TYPE_CHECKING:
    from marine_runtime.host.python_module import PythonModule
    from marine_runtime.host.resolve import HostFunctions
    from marine_runtime.traces.recorder import Tracer


class RunOptions(Keywords, total=False):
    """Options of running a service; None means the default.

    Attributes:
        host_functions: Python functions that modules import, by name or (namespace, name), or a `ServiceHost`.
        config: settings to use instead of those that the service was built with.
        timeout: seconds that each call may take, and loading as well; none by default.
        fuel: units of fuel that each call may use, and loading as well; none by default.
        collect_statistics: whether to count calls and their time for every function.
        trace: a recorder of the calls; modules that import from others run as closures with it.
    """

    host_functions: HostFunctions | None
    config: ServiceConfig | None
    timeout: float | None
    fuel: int | None
    collect_statistics: bool
    trace: Tracer | None


class LoadOptions(RunOptions, total=False):
    """Options of loading a service, in addition to those of running it.

    Attributes:
        call_layer: `fast` or `public`; how Python and Wasm call each other.
        max_wasm_stack: bytes of stack that guests may use; 2 MiB by default, where the thread has enough.
        python_modules: modules in Python that the others import; they are not part of a build.
        order: the names of all modules, in the order in which they are listed; Python modules come first by default.
        strict: refuse what otherwise gets a `MarineWarning`: invalid adapters, which are left out, keys of a
            configuration that have no effect, a configuration without a memory limit.
    """

    call_layer: str
    max_wasm_stack: int | None
    python_modules: Sequence[PythonModule]
    order: Sequence[str]
    strict: bool


def check_options(options: LoadOptions) -> None:
    """Refuse wrong values at once, before anything is read or compiled; limits are checked where they are used.

    Raises:
        ConfigError, ArgumentError: an option has the wrong type.
    """
    check_config(options.get("config"))
    if "python_modules" in options or "order" in options:
        from marine_runtime.host.python_module import check_order, check_python_modules

        check_python_modules(options.get("python_modules", ()))
        check_order(options.get("order", ()))
    check_flag(options.get("collect_statistics", False), "`collect_statistics`")
    check_flag(options.get("strict", False), "`strict`")
    trace = options.get("trace")
    if trace is None:
        return
    from marine_runtime.traces.recorder import Tracer

    if not isinstance(trace, Tracer):
        raise ArgumentError(f"`trace` must be a Tracer, not {type(trace).__name__}; write `trace=Tracer()`")


def run_options(options: LoadOptions) -> RunOptions:
    """Those that say how the service runs."""
    return cast("RunOptions", {name: item for name, item in options.items() if name in RunOptions.__annotations__})


def open_runtime_for(options: LoadOptions, *, baseline: bool = False) -> WasmRuntime:
    """The Wasm runtime for a service with these options, and with code of the `baseline` compiler if so.

    Raises:
        LoadError: the stack is too small or too large; ArgumentError: there is no such call layer.
    """
    layer, stack = options.get("call_layer", "fast"), options.get("max_wasm_stack")
    return open_runtime(layer, check_stack(stack), metered=options.get("fuel") is not None, baseline=baseline)
