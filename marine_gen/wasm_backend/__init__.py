"""The Wasm backend: adapters as core Wasm, one glue module per module, and a stub module for its imports.

A guest needs its imports before it exists, the glue needs the guest's memory. The stub exports the imports as calls
through a table; when the guest exists, the glue module fills the table with its active element segment.

`imports` names memories and functions, `validate` checks values where they are, `copy` moves them between memories,
`adapters` writes the adapters, `library` has the functions that all of them share (`library.wat`), `module` puts
everything into the Jinja2 frames.
"""

from marine_gen.wasm_backend.adapters import Row as SiteRow
from marine_gen.wasm_backend.expressions import bytes_of, outside
from marine_gen.wasm_backend.library import Caller, library_text
from marine_gen.wasm_backend.module import FusedCode, generate_glue
from marine_gen.wasm_backend.verify import GlueError, verify_glue

__all__ = [
    "Caller",
    "FusedCode",
    "GlueError",
    "SiteRow",
    "bytes_of",
    "generate_glue",
    "library_text",
    "outside",
    "verify_glue",
]
