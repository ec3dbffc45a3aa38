"""The staging memory of a component, which is the memory of the canonical ABI as well, and what shares it out.

Everything that one call stages is freed together, when its result was read; nothing that is staged ends before. Blocks
start at multiples of 8, as the canonical ABI wants them. After a fault the instance can't be entered again.
"""

from __future__ import annotations

from marine_gen.codegen.templating import render
from marine_gen.wasm_backend import library_text
from marine_runtime.adapters import DATA, FREE, STACK, STACK_TOP

MEMORY = f"""(module $memory
  (memory (export "memory") 1)
  (data (i32.const {STACK_TOP}) "\\{STACK:02x}\\00\\00\\00")
  (data (i32.const {FREE}) "\\{DATA & 255:02x}\\{DATA >> 8:02x}\\00\\00"))"""
"""The memory; nothing is staged, the stack of positions is empty, see `marine_runtime.adapters.staging`."""

POST_RETURNS = ("", "i32", "i64", "f32", "f64")
"""The types of a core result, of which there is one at most."""


def post_return(results: tuple[str, ...]) -> str:
    """The export of the staging module that is called once the result was read."""
    return f"free{''.join(results)}"


def staging() -> str:
    """The module that shares out the memory: `stage`, `realloc`, and the functions of `post_return`."""
    context = {
        "stage": library_text("stage"),
        "free": FREE,
        "post_returns": [(post_return((ty,)), f"(param {ty})" if ty else "") for ty in POST_RETURNS],
        "data": DATA,
    }
    return render("marine_gen.component_backend", "staging.wat.j2", context)
