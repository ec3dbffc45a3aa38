"""The staging memory of a component, which is the memory of the canonical ABI as well, and what shares it out.

Everything that one call stages is freed together, at the end of the call; nothing that is staged ends before. Blocks
start at multiples of 8, as the canonical ABI wants them. What has the same size in every call, the area of the result
and the bodies of records, has a fixed place in front of them: one call runs at a time. After a fault the instance can't
be entered again.
"""

from __future__ import annotations

from marine_gen.codegen.templating import render
from marine_gen.wasm_backend import library_text
from marine_runtime.adapters import DATA, FREE, STACK, STACK_TOP

AREA = DATA
"""The address of what has a fixed place."""


def memory(area: int) -> str:
    """The memory, with so many bytes at `AREA` and an empty stack of positions; see `marine_runtime.adapters`."""
    words = {STACK_TOP: STACK, FREE: AREA + area}
    data = (
        f'(data (i32.const {at}) "{"".join(map(chr(92).__add__, word.to_bytes(4, "little").hex(" ").split()))}")'
        for at, word in words.items()
    )
    pages = -(-(AREA + area) // (1 << 16))
    return f'(module $memory (memory (export "memory") {pages}) {" ".join(data)})'


POST_RETURNS = ("", "i32", "i64", "f32", "f64")
"""The types of a core result, of which there is one at most."""


def post_return(results: tuple[str, ...]) -> str:
    """The export of the staging module that is called once the result was read."""
    return f"free{''.join(results)}"


def staging(area: int) -> str:
    """The module that shares out a `memory`: `stage`, `realloc`, and the functions of `post_return`."""
    context = {
        "stage": library_text("stage"),
        "free": FREE,
        "post_returns": [(post_return((ty,)), f"(param {ty})" if ty else "") for ty in POST_RETURNS],
        "data": AREA + area,
    }
    return render("marine_gen.component_backend", "staging.wat.j2", context)
