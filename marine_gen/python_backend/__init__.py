"""The Python backend: one Python module per Wasm module, with every adapter as straight-line code.

For the closures engine that is all there is. For the fused engine, exported functions get calls through the glue
(`staged`) beside their closures, and fused imports have no Python at all.

`representation` chooses signedness, `bodies` writes adapter bodies, `helpers` the lifting and lowering of nested types,
`entries` the guarded functions that users call, `aliases` second names of types, `render` puts them into the Jinja2
frame and makes the line table.
"""

from marine_gen.python_backend.adapters import type_expression
from marine_gen.python_backend.aliases import Aliases
from marine_gen.python_backend.entries import Annotations, docstring
from marine_gen.python_backend.fused_calls import FusedSide
from marine_gen.python_backend.module import Generated, generate
from marine_gen.python_backend.writer import literal

__all__ = ["Aliases", "Annotations", "FusedSide", "Generated", "docstring", "generate", "literal", "type_expression"]
