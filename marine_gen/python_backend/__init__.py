"""The closures backend: one Python module per Wasm module, with every adapter as straight-line code.

`representation` chooses signedness, `bodies` writes adapter bodies, `helpers` the lifting and lowering of nested types,
`entries` the guarded functions that users call, `render` puts them into the Jinja2 frame and makes the line table.
"""

from marine_gen.python_backend.render import Generated, generate

__all__ = ["Generated", "generate"]
