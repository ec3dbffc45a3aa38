"""Passes from the adapters of single modules to fused adapters, in this order:

* `inline`: a call of another module's function becomes that module's export adapter, spliced in;
* `fuse`: lifting becomes a check of the value where it lies, lowering becomes a copy from memory to memory;
* `sink`: `release_objects` of a module moves behind the last copy out of its memory.

Each is a pure function; `verify_fused` holds between and after them. An adapter that a pass can't handle raises
`UnfusableError`, with the reason that `check --verbose` and `explain` show; it keeps its closure.
"""

from marine_gen.passes.fuse import fuse
from marine_gen.passes.inline import inline
from marine_gen.passes.model import (
    STAGING,
    Copy,
    Frame,
    FusedAdapter,
    HostCall,
    Step,
    UnfusableError,
    Validate,
    Write,
)
from marine_gen.passes.pipeline import ServiceIR, fuse_adapter, fuse_part, fuse_service
from marine_gen.passes.printer import print_fused
from marine_gen.passes.sink import sink_release
from marine_gen.passes.verify import verify_fused

__all__ = [
    "STAGING",
    "Copy",
    "Frame",
    "FusedAdapter",
    "HostCall",
    "ServiceIR",
    "Step",
    "UnfusableError",
    "Validate",
    "Write",
    "fuse",
    "fuse_adapter",
    "fuse_part",
    "fuse_service",
    "inline",
    "print_fused",
    "sink_release",
    "verify_fused",
]
