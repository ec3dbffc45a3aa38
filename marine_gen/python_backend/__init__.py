"""The Python backend: one Python module per Wasm module, with every adapter as straight-line code.

For the closures engine that is all there is. For the fused engine, exported functions get calls through the glue
(`fused_calls`) beside their closures, and fused imports have no Python at all.

`signedness` chooses how integers are held, `adapters` writes adapter bodies, `lift_lower` the lifting and lowering of
nested types, `entries` the functions that users call. `needs` records what all of them request, `module` puts it into
the Jinja2 frame and makes the line table.
"""

from marine_gen.python_backend.fused_side import FusedSide
from marine_gen.python_backend.module import Generated, Paths, generate
from marine_gen.python_backend.records import DeclaredClasses

__all__ = ["DeclaredClasses", "FusedSide", "Generated", "Paths", "generate"]
