"""The Python backend: one Python module per Wasm module, with every adapter as straight-line code.

The closures engine runs nothing else. For the fused engine, exported functions get calls through the glue
(`fused_calls`) beside their closures, and fused imports have no Python at all.

`signedness` chooses codes, `adapters` writes adapter bodies, `lift_lower` the lifting and lowering of nested types,
`size_estimate` the sizes of values, `entries` the guarded functions that users call, `aliases` second names of types,
`module` puts them into the Jinja2 frame and makes the line table.
"""

from marine_gen.python_backend.adapters import type_expression
from marine_gen.python_backend.aliases import Aliases
from marine_gen.python_backend.entries import Annotations, docstring
from marine_gen.python_backend.fused_calls import FusedSide
from marine_gen.python_backend.module import Generated, generate
from marine_gen.python_backend.writer import literal

__all__ = ["Aliases", "Annotations", "FusedSide", "Generated", "docstring", "generate", "literal", "type_expression"]
