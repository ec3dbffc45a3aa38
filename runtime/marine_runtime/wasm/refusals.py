"""Modules that Wasmtime refuses: the fact, the place in the file, and the way out, in sentences of our own."""

from __future__ import annotations

import re

from marine_runtime.errors import LoadError
from marine_runtime.wasm.traps import cause_of

_OFFSET = r" ?\(at offset 0x([0-9a-f]+)\)| at offset (\d+)"
_INTRODUCTION = r"^(?:failed to parse WebAssembly module|Invalid input WebAssembly code): "
_MISSING = (
    r"with ([\w -]+) proposal disabled",
    r"requires? the ([\w -]+) proposal",
    r"the ([\w -]+) proposal must be enabled",
    r"when ([\w -]+) is disabled",
    r"not supported without the ([\w -]+) feature",
    r"([\w -]+?) (?:proposal|support|feature) (?:is )?(?:not enabled|not supported|required|disabled)\b",
)
"""The proposal behind a refusal, as Wasmtime words it. Patterns are compiled when there is a refusal."""

_FEATURES = {
    "legacy": (
        "legacy exceptions",
        "build it without exceptions, or with those of Wasm 3.0 (clang: `-mllvm -wasm-use-legacy-eh=false`; a module "
        "that is there: `wasm-opt --translate-to-exnref`)",
    ),
    "page sizes": ("pages of other sizes than 64 KiB", "build it with the usual pages"),
    "shared memory": ("a memory that threads share", "build it without threads (clang: without `-pthread`)"),
}
"""By a word in the refusal: the name of a feature, and advice that is better than to build the module without it."""


class RefusedModuleError(LoadError):
    """A Wasm binary that Wasmtime can't compile or instantiate.

    Attributes:
        fact: one sentence, without the place and the advice.
        offset: the byte in the file, where it is known.
        advice: the way out, where one is known.
        feature: True if the module is well-formed, but uses what services don't have.
    """

    def __init__(self, fact: str, offset: int | None = None, advice: str = "", *, feature: bool = False) -> None:
        place = "" if offset is None else f" (byte {offset} of the file)"
        super().__init__(f"{fact}{place}{advice and f': {advice}'}")
        self.fact = fact
        self.offset = offset
        self.advice = advice
        self.feature = feature

    @classmethod
    def of(cls, error: Exception) -> RefusedModuleError:
        """The refusal that an error of Wasmtime is."""
        text = cause_of(error)
        found = re.search(_OFFSET, text)
        offset = None if found is None else int(found[1], 16) if found[1] else int(found[2])
        text = re.sub(_INTRODUCTION, "", re.sub(_OFFSET, "", text))
        feature = missing_feature(text)
        if feature is None:
            return cls(f"not a valid Wasm module: {text}", offset)
        name, advice = feature
        return cls(f"the module uses {name}, which services don't have", offset, advice, feature=True)


def missing_feature(text: str) -> tuple[str, str] | None:
    """The feature that a module must not use, according to an error of Wasmtime, with advice; None for other errors."""
    found = next(filter(None, (re.search(pattern, text) for pattern in _MISSING)), None)
    if found is None:
        return None
    for word, known in _FEATURES.items():
        if word in text:
            return known
    return found[1], "build the module without this feature"
