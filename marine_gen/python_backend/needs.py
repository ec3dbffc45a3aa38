"""Imports and bindings of a generated Python module, requested by the code that uses them while it is written.

Names that generated code uses itself begin with two underscores, which no name made of a module's names does
(`marine_runtime.texts.names`). So a function, record or parameter can be called anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from marine_gen.codegen.definitions import Definition, Definitions

STANDARD: Mapping[str, tuple[str, str]] = {
    "array": ("array", "array"),
    **{name: ("itertools", name) for name in ("accumulate", "chain", "islice")},
    "Callable": ("collections.abc", "Callable"),
    "Sequence": ("collections.abc", "Sequence"),
    "dataclass": ("dataclasses", "dataclass"),
    "Struct": ("struct", "Struct"),
    "StructError": ("struct", "error"),
    "get_ident": ("_thread", "get_ident"),
    **{name: ("builtins", name) for name in ("bool", "bytes", "float", "int", "len", "str", "type")},
    **{name: ("builtins", name) for name in ("AttributeError", "OverflowError", "TypeError", "ValueError")},
}
"""Names of the standard library that generated code may request: module and name there, by own name."""

FRAME: Mapping[str, tuple[str, str]] = {
    "memory": ("link", "memory"),
    "guard": ("link", "guard"),
    "coerce": ("link", "coerce"),
    "staging": ("link", "staging"),
    "staging_memory": ("staging", "memory"),
    "direct": ("staging", "direct"),
    "explain": ("staging", "explain"),
}
"""Attributes of the link that `bind` may bind, in this order: owner and attribute, by own name."""


def own(name: str) -> str:
    """A name of generated code's own."""
    return f"__{name}"


CONSTANTS, CORE, CALLEES, CALLS, READY, PUBLISHERS = "constants", "core", "callees", "calls", "ready", "publishers"
HELPERS, ADAPTERS, HOSTS, STAGED, ENTRIES = "helpers", "adapters", "hosts", "staged", "entries"
"""Sections of a generated module: bindings of one line, and functions."""


class Needs:
    """The requests of one generated module.

    Attributes:
        definitions: everything that the module defines, with what each one requests.
    """

    def __init__(self) -> None:
        self.definitions = Definitions()
        self._sections: dict[str, list[str]] = {}
        self._support: set[str] = set()
        self._standard: set[str] = set()
        self._frame: set[str] = set()

    def support(self, name: str) -> str:
        """A name of `marine_runtime.support`, imported."""
        self._support.add(name)
        return own(name)

    def standard(self, name: str) -> str:
        """A name of the standard library, imported."""
        self._standard.add(name)
        return own(name)

    def frame(self, name: str) -> str:
        """A part of the link, bound."""
        owner, _ = FRAME[name]
        if owner != "link":
            self.frame(owner)
        self._frame.add(name)
        return own(name)

    def binding(self, section: str, name: str, expression: str) -> str:
        """A name for the value of `expression`, bound in `section` once and requested."""
        chosen = own(name)
        if chosen not in self.definitions:
            with self.definition(section, chosen) as made:
                made.lines = [f"{chosen} = {expression}"]
        return self.definitions.use(chosen)

    @contextmanager
    def definition(self, section: str, name: str) -> Iterator[Definition]:
        """Begin a definition in `section`; the caller fills in its lines."""
        self._sections.setdefault(section, []).append(name)
        with self.definitions.definition(name) as made:
            yield made

    def section(self, section: str) -> Sequence[Definition]:
        """The definitions of a section, in the order in which they were begun."""
        return [self.definitions[name] for name in self._sections.get(section, ())]

    @property
    def support_imports(self) -> Sequence[str]:
        """The requested names of `marine_runtime.support`."""
        return sorted(self._support)

    @property
    def standard_imports(self) -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
        """The requested names of the standard library: (name there, own name) by module, sorted."""
        modules: dict[str, list[tuple[str, str]]] = {}
        for name in self._standard:
            module, there = STANDARD[name]
            modules.setdefault(module, []).append((there, own(name)))
        return [(module, sorted(modules[module])) for module in sorted(modules)]

    @property
    def bindings(self) -> Sequence[str]:
        """The statements that bind the requested parts of the link."""
        found = ((name, *FRAME[name]) for name in FRAME if name in self._frame)
        return [f"{own(name)} = {own(owner)}.{attribute}" for name, owner, attribute in found]
