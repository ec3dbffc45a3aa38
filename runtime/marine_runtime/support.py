"""The names that generated Python imports, and no others.

Generated files may be those of an older compiler, so what they import is an interface. It is versioned by
`abi.plan.FORMAT`, which the manifest of a built directory records; another format is refused before any of its files
is executed.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.abi.measures import MAX_RECORD_DEPTH
    from marine_runtime.adapters.batch import BatchCode, join_all, pack_all, run_batch
    from marine_runtime.adapters.contract import BoundAdapters, ImportAdapter, Link
    from marine_runtime.adapters.faults import too_deep
    from marine_runtime.adapters.helpers import (
        block_allocator,
        bool_lifter,
        bytes_lifter,
        bytes_lowerer,
        bytes_storer,
        flat_checker,
        flat_lifter,
        flat_lowerer,
        out_of_range,
        string_lifter,
        string_lowerer,
    )
    from marine_runtime.artifact.load import load
    from marine_runtime.artifact.package import loader, opener, require_format
    from marine_runtime.calls.sites import Sites
    from marine_runtime.errors import CallError
    from marine_runtime.lazy.typing import Any
    from marine_runtime.pool import ServicePool
    from marine_runtime.service.handles import Declared, DeclaredModule, ModuleHandle, Modules
    from marine_runtime.service.service import Service
    from marine_runtime.types import Array, Prim, Record
    from marine_runtime.values.instances import RecordBase, stand_in
__all__ = [
    "MAX_RECORD_DEPTH",
    "Any",
    "Array",
    "BatchCode",
    "BoundAdapters",
    "CallError",
    "Declared",
    "DeclaredModule",
    "ImportAdapter",
    "Link",
    "ModuleHandle",
    "Modules",
    "Prim",
    "Record",
    "RecordBase",
    "Service",
    "ServicePool",
    "Sites",
    "block_allocator",
    "bool_lifter",
    "bytes_lifter",
    "bytes_lowerer",
    "bytes_storer",
    "flat_checker",
    "flat_lifter",
    "flat_lowerer",
    "join_all",
    "load",
    "loader",
    "opener",
    "out_of_range",
    "pack_all",
    "require_format",
    "run_batch",
    "stand_in",
    "string_lifter",
    "string_lowerer",
    "too_deep",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.abi.measures": ("MAX_RECORD_DEPTH",),
        "marine_runtime.adapters.batch": ("BatchCode", "join_all", "pack_all", "run_batch"),
        "marine_runtime.adapters.faults": ("too_deep",),
        "marine_runtime.adapters.contract": ("BoundAdapters", "ImportAdapter", "Link"),
        "marine_runtime.adapters.helpers": (
            "block_allocator",
            "bool_lifter",
            "bytes_lifter",
            "bytes_lowerer",
            "bytes_storer",
            "flat_checker",
            "flat_lifter",
            "flat_lowerer",
            "out_of_range",
            "string_lifter",
            "string_lowerer",
        ),
        "marine_runtime.calls.sites": ("Sites",),
        "marine_runtime.errors": ("CallError",),
        "marine_runtime.lazy.typing": ("Any",),
        "marine_runtime.types": ("Array", "Prim", "Record"),
        "marine_runtime.values.instances": ("RecordBase", "stand_in"),
        "marine_runtime.artifact.package": ("loader", "opener", "require_format"),
        "marine_runtime.service.handles": ("Declared", "DeclaredModule", "ModuleHandle", "Modules"),
        "marine_runtime.service.service": ("Service",),
        "marine_runtime.pool": ("ServicePool",),
        "marine_runtime.artifact.load": ("load",),
    },
)
