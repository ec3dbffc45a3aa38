"""The contract between the linker and the engines, and the adapter code that is not generated.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.adapters.codec import Codec
    from marine_runtime.adapters.contract import BoundAdapters, FusedModules, Glue, ImportAdapter, Link
    from marine_runtime.adapters.entry import make_entry
    from marine_runtime.adapters.helpers import out_of_range
    from marine_runtime.adapters.loader import GeneratedGlue
    from marine_runtime.adapters.on_demand import GlueOnDemand, path_of_generated
    from marine_runtime.adapters.staging import (
        BATCH_ARGUMENTS,
        BATCH_DONE,
        BATCH_RESIDENT,
        DATA,
        DIRECT,
        FAULT_KIND,
        FAULT_VALUES,
        FREE,
        KEPT,
        MAX_MODULES,
        MAX_SITES,
        ORDINAL_SHIFT,
        SLACK,
        STACK,
        STACK_TOP,
        Fault,
    )
    from marine_runtime.calls.guard import INLINE_CALL
    from marine_runtime.calls.sites import attach

__all__ = [
    "BATCH_ARGUMENTS",
    "BATCH_DONE",
    "BATCH_RESIDENT",
    "DATA",
    "DIRECT",
    "FAULT_KIND",
    "FAULT_VALUES",
    "FREE",
    "INLINE_CALL",
    "KEPT",
    "MAX_MODULES",
    "MAX_SITES",
    "ORDINAL_SHIFT",
    "SLACK",
    "STACK",
    "STACK_TOP",
    "BoundAdapters",
    "Codec",
    "Fault",
    "FusedModules",
    "GeneratedGlue",
    "Glue",
    "GlueOnDemand",
    "ImportAdapter",
    "Link",
    "attach",
    "make_entry",
    "out_of_range",
    "path_of_generated",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.adapters.codec": ("Codec",),
        "marine_runtime.adapters.contract": ("BoundAdapters", "FusedModules", "Glue", "ImportAdapter", "Link"),
        "marine_runtime.adapters.entry": ("make_entry",),
        "marine_runtime.adapters.helpers": ("out_of_range",),
        "marine_runtime.adapters.loader": ("GeneratedGlue",),
        "marine_runtime.adapters.on_demand": ("GlueOnDemand", "path_of_generated"),
        "marine_runtime.adapters.staging": (
            "BATCH_ARGUMENTS",
            "BATCH_DONE",
            "BATCH_RESIDENT",
            "DATA",
            "DIRECT",
            "FAULT_KIND",
            "FAULT_VALUES",
            "FREE",
            "KEPT",
            "MAX_MODULES",
            "MAX_SITES",
            "ORDINAL_SHIFT",
            "SLACK",
            "STACK",
            "STACK_TOP",
            "Fault",
        ),
        "marine_runtime.calls.guard": ("INLINE_CALL",),
        "marine_runtime.calls.sites": ("attach",),
    },
)
