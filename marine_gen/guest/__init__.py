"""Guest kit: from plain C functions and a description of the module to a Wasm module with its adapters.

`spelling` gives every type and function of a description its C name, `conversions` crosses between natural structs
and the packed bodies of the ABI, `glue` writes the header and the source that join both, `compiler` runs the C
compiler, and `scaffold` starts a module. The header `marine.h` is in `include`. Adapters come from `generate`.
"""

from marine_gen.guest.compiler import COMPILER, FLAGS, CompilerError, build_guest
from marine_gen.guest.glue import INCLUDE, GuestGlue, glue_files, write_glue
from marine_gen.guest.scaffold import new_guest

__all__ = [
    "COMPILER",
    "FLAGS",
    "INCLUDE",
    "CompilerError",
    "GuestGlue",
    "build_guest",
    "glue_files",
    "new_guest",
    "write_glue",
]
