"""The Wasm runtime library of fused glue: `library.wat`, by definition and memory.

Asking for a symbol requests the definition behind it, and what that one uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from importlib.resources import files

from marine_gen.codegen.definitions import Definition, Definitions
from marine_gen.wasm_backend.expressions import const
from marine_runtime.adapters import FAULT_KIND, FAULT_VALUES, FREE, Fault
from marine_runtime.wasm import FACTOR, FLOOR

NUMBERS: Mapping[str, int] = {
    "FAULT_KIND": FAULT_KIND,
    "FAULT_VALUE_0": FAULT_VALUES,
    "FAULT_VALUE_1": FAULT_VALUES + 8,
    "FAULT_VALUE_2": FAULT_VALUES + 16,
    "FAULT_STAGING": Fault.STAGING,
    "FREE": FREE,
    "METER_FACTOR": FACTOR,
    "METER_PAGE": FACTOR << 16,
    "METER_FLOOR": FLOOR,
}
"""The words in capital letters of the library."""

USES: Mapping[str, Sequence[str]] = {"stage": ("fault",), "start": ("left",)}
"""Definitions that need others."""


class Caller(Enum):
    """The caller of export adapters, which decides on the form of values in staging."""

    PYTHON = "Python: packed values, batches"
    COMPONENT = "a component: values in Marine's layout; staging and faults are its own, see `OF_COMPONENT`"
    REPORTER = "a component that reports faults: the same, with positions"

    @property
    def in_component(self) -> bool:
        """True for components."""
        return self is not Caller.PYTHON

    @property
    def reads_positions(self) -> bool:
        """True if the running adapters are read after a fault."""
        return self is not Caller.COMPONENT


OF_COMPONENT: Mapping[str, str] = {
    "stage": "(func $stage (param i64) (result i32))",
    "fault": "(func $fault (param i32 i64 i64 i64))",
}
"""Definitions that the glue of a component imports, since all parts of a component share them."""

_MEMORY = "MEMORY"
_NAME = re.compile(r"^  \((?:func|global) \$(\w+)", re.MULTILINE)
_MARK = re.compile(r"\n?[ \t]*;; check:[^\n]*")
"""Comments that tell tests which check a line is. Generated code has none of them."""

_WORD = re.compile(rf"\b(?:{'|'.join(NUMBERS)})\b")


@cache
def definitions() -> Mapping[str, str]:
    """The text of every definition with its comment, by name, in the order of the file."""
    text = _MARK.sub("", (files("marine_gen.wasm_backend") / "library.wat").read_text("utf-8"))
    blocks = (block.rstrip("\n") for block in text.removesuffix(")\n").split("\n\n")[1:])
    named = ((_NAME.search(block), block) for block in blocks)
    return {found[1]: with_numbers(block) for found, block in named if found}


def with_numbers(text: str) -> str:
    """`text` of the library with its words in capital letters replaced."""
    return _WORD.sub(lambda word: str(NUMBERS[word[0]]), text)


def library_text(name: str, memory: str = "") -> str:
    """The text of a definition for modules that are not glue; `memory` is as for `Library.symbol`."""
    return definitions()[name].replace(_MEMORY, memory)


class Library:
    """The requests of one glue module.

    Attributes:
        caller: the caller of the export adapters.
        definitions: everything that the glue module defines: what is requested here, helpers, adapters.
    """

    def __init__(self, caller: Caller = Caller.PYTHON) -> None:
        self.caller = caller
        self.definitions = Definitions()
        self._requested: dict[str, set[str]] = {}
        if caller is Caller.PYTHON:
            self.symbol("fault")  # every adapter checks how deep calls are nested

    def symbol(self, name: str, memory: str = "") -> str:
        """The symbol of a definition, with the sigil; `memory` is the symbol of the memory that it works with."""
        if self.caller.in_component and name in OF_COMPONENT:
            return f"${name}"
        for used in USES.get(name, ()):
            self.symbol(used)
        symbol = f"{name}.{memory}" if memory else name
        if symbol not in self.definitions:
            with self.definitions.definition(symbol) as made:
                made.lines = library_text(name, memory).splitlines()
                made.uses = dict.fromkeys(USES.get(name, ()))
            self._requested.setdefault(name, set()).add(symbol)
        return f"${self.definitions.use(symbol)}"

    def fault(self, kind: Fault, *numbers: str) -> str:
        """The call that leaves a fault with up to three numbers (i64) for the runtime, and stops."""
        padded = [*numbers, *[const(0, "i64")] * (3 - len(numbers))]
        return f"(call {self.symbol('fault')} {const(kind)} {' '.join(padded)})"

    def requested(self) -> Iterator[Definition]:
        """The requested definitions, in the order of the file."""
        for name in definitions():
            yield from (self.definitions[symbol] for symbol in sorted(self._requested.get(name, ())))
