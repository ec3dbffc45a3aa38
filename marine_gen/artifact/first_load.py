"""The first load of a service: nothing is written but a mark, and functions are generated when they are called.

A process of its own makes the complete build for the cache; see `tiers`. Where none is, because the program had ended
by then, the second load makes it.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from marine_gen.artifact import tiers
from marine_gen.artifact.builder import compile_service
from marine_gen.artifact.on_demand import LoadRequest, linkable, suits
from marine_gen.artifact.room import with_room
from marine_runtime import LoadOptions, PythonModule, Service, ServiceConfig
from marine_runtime.artifact import LinkableModule, open_runtime_for, run_options
from marine_runtime.host import in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marine_gen.artifact.cache import Flavour
    from marine_gen.artifact.compile import CompiledModule
    from marine_gen.artifact.progress import Steps
    from marine_gen.artifact.target import Source


@dataclass(eq=False)
class _FirstLoad:
    """A service that was loaded for the first time, for others of its kind. It is forgotten with the last of them."""

    compiled: Sequence[CompiledModule]
    modules: dict[LoadRequest, Sequence[LinkableModule]] = field(default_factory=dict)


_loaded: WeakValueDictionary[Path, _FirstLoad] = WeakValueDictionary()
"""Those of services that live, by the places of their builds in the cache."""


def load_first(
    source: Source, engine: str, flavour: Flavour, options: LoadOptions, steps: Steps, place: Path | None
) -> Service | None:
    """Load a service that has no build at `place` in the cache, or whose builds are not kept; raises as `load`.

    Returns:
        None when a build has to be made at once: it is wanted, or a first load was before, or the one that is there
        has to be looked at, or code of the baseline compiler comes first.
    """
    if not tiers.on_demand(source, flavour.metered, cached=place is not None):
        return None
    first = None if place is None else _loaded.get(place)
    if first is None:
        if place is not None and (tiers.was_loaded(place) or os.path.lexists(place)):
            return None
        strict = options.get("strict", False)
        steps.start(source.sizes)
        compiled = with_room(lambda: compile_service(source, strict=strict, steps=steps))
        if not suits(compiled):
            return None
        first = _FirstLoad(compiled)
    service = _service(first, source, engine, options, steps)
    if place is not None and place not in _loaded:
        _loaded[place] = first
        tiers.start_completing(source, place, asdict(flavour))
    return service


def _service(first: _FirstLoad, source: Source, engine: str, options: LoadOptions, steps: Steps) -> Service:
    runtime = open_runtime_for(options)
    given = run_options(options)
    config = given.get("config")
    given["config"] = config = ServiceConfig.from_json(source.options) if config is None else config
    traced, limited = given.get("trace") is not None, config.total_memory_limit is not None
    request = LoadRequest(engine, runtime, traced, limited)
    modules = first.modules.get(request)
    if modules is None:
        modules = first.modules[request] = linkable(first.compiled, request, steps)
    everything: Sequence[LinkableModule | PythonModule] = modules
    if source.python or source.order:
        everything = in_order(modules, list(source.python.values()), source.order)
    service = Service(everything, runtime, name=source.name, **given)
    service.keep_alive(first)
    return service
