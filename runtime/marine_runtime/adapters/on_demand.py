"""Glue whose exported functions are generated when they are first needed.

What instantiation needs of a module is in its base. Each function comes out of further glue, which is generated when a
call of it may begin: a look-up while the service is busy, closed, or on another thread gives a function that waits for
that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from marine_runtime.adapters.contract import BoundAdapters, FusedModules, Link
from marine_runtime.adapters.loader import GeneratedGlue
from marine_runtime.errors import LinkError, LoadError
from marine_runtime.lazy.mapping import Lazy
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.names import identifier


class GlueOnDemand:
    """See `marine_runtime.adapters.contract.Glue`.

    Args:
        base: the adapters of imports, and the record classes.
        fused: the Wasm of the base, for a module that has fused adapters.
        functions: the names of the exported functions.
        find: the glue of a function. It may have others too, and is the same for every instance.
    """

    def __init__(
        self,
        base: GeneratedGlue,
        fused: FusedModules | None,
        functions: Iterable[str],
        find: Callable[[str, bool], GeneratedGlue],
    ) -> None:
        self.engine = base.engine
        self.fused = fused
        self.import_codes = base.import_codes
        self.record_classes = base.record_classes
        self._base = base
        self._functions = dict.fromkeys(functions)
        self._find = find

    def bind(self, link: Link) -> BoundAdapters:
        """Tie the adapters to an instance; raises as `GeneratedGlue.bind`."""
        base = self._base.bind(link)
        made = _Made(link, self._find)

        def internal(part: str) -> Mapping[str, Callable[..., Any]]:
            """Adapters that run inside of calls, which have begun by then."""

            def later(function: str) -> Callable[..., Any]:
                found: list[Callable[..., Any]] = []

                def call(*values: Any) -> Any:
                    if not found:
                        found.append(made.find(function, part))
                    return found[0](*values)

                return call

            return _Functions(self._functions, made, part, later)

        def waiting(function: str) -> Callable[..., Any]:
            def entry(*args: Any, **keywords: Any) -> Any:
                link.guard.require_idle()
                return made.find(function, "entries")(*args, **keywords)

            entry.__name__ = entry.__qualname__ = function
            return entry

        return BoundAdapters(
            exports=internal("exports"),
            imports=base.imports,
            hosts=base.hosts,
            entries=_Functions(self._functions, made, "entries", waiting),
            calls=internal("calls") if self.fused else {},
            batches=internal("batches") if self.fused else {},
        )


class _Made:
    """The functions of one instance that were generated."""

    def __init__(self, link: Link, find: Callable[[str, bool], GeneratedGlue]) -> None:
        self.link = link
        self._find = find
        self._bound: dict[str, BoundAdapters] = {}

    def find(self, function: str, part: str) -> Callable[..., Any]:
        """A function of one part of the adapters; raises KeyError when the part has none."""
        bound = self._of(function)
        if part == "calls" and function not in bound.calls:
            return bound.exports[function]
        found: Callable[..., Any] = getattr(bound, part)[function]
        return found

    def _of(self, function: str) -> BoundAdapters:
        """The adapters among which those of `function` are."""
        if function not in self._bound:
            glue = self._find(function, True)
            try:
                bound = glue.bind(self.link if glue.fused is None else self.link.with_glue(glue.fused))
            except (LinkError, LoadError):
                if glue.fused is None:
                    raise
                bound = self._find(function, False).bind(self.link)  # there is no room for more code
            self._bound |= dict.fromkeys(bound.entries, bound)
        return self._bound[function]


class _Functions(Lazy[str, Callable[..., Any]]):
    """One part of the adapters of a module; what waits for its glue is not kept."""

    def __init__(
        self,
        functions: Mapping[str, None],
        made: _Made,
        part: str,
        later: Callable[[str], Callable[..., Any]],
    ) -> None:
        super().__init__(functions, lambda function, _: made.find(function, part))
        self._guard, self._later = made.link.guard, later

    def __getitem__(self, key: str) -> Callable[..., Any]:
        if key in self._values or key not in self._sources or self._guard.may_call():
            return super().__getitem__(key)
        return self._later(key)


def path_of_generated(module: str, number: int, end: str) -> str:
    """The name under which tracebacks show generated Python that is in no file, with the `end` of a build."""
    return f"marine-gen/{number}/{identifier(module)}{end}"
