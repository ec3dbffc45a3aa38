"""Loading generated glue."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, ModuleType

from marine_runtime.abi.plan import ModulePlan
from marine_runtime.adapters.contract import BoundAdapters, FusedModules, ImportAdapter, Link
from marine_runtime.adapters.pieces import (
    BIND,
    FUSED_SITES,
    FUSED_TABLES,
    IMPORTS,
    RECORDS,
    Namespace,
    Pieces,
    class_key,
    unmarshalled,
)
from marine_runtime.adapters.staging import SiteRows
from marine_runtime.errors import LinkError, LoadError
from marine_runtime.lazy.data import replace
from marine_runtime.lazy.mapping import Lazy
from marine_runtime.lazy.turns import Turns
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.names import identifier
from marine_runtime.wasm.speedups import speedups

_executing = Turns()
"""Held while `sys.modules` has a module that only the code in execution may see."""


class GeneratedGlue:
    """A generated Python module as glue. See `marine_runtime.adapters.contract.Glue`.

    It has record classes of its own; `records`, which are declared elsewhere, take their place.
    """

    def __init__(
        self,
        engine: str,
        module: ModuleType,
        plan: ModulePlan,
        fused: FusedModules | None = None,
        records: Mapping[int, type] | None = None,
        pieces: Pieces | None = None,
    ) -> None:
        self._pieces = pieces
        self._whole: Namespace | None = None
        self.engine = engine
        self.fused = fused and _complete(module, plan, fused, pieces)
        content = vars(module)
        self._module = module
        for name in (IMPORTS,) if pieces else (BIND, RECORDS, IMPORTS):
            if name not in content:
                raise LoadError(f"the generated glue of module `{plan.name}` has no `{name}`: build again")
        self._bind: Callable[[Link], BoundAdapters]
        if pieces is None:
            self._bind = content[BIND]
        else:
            self._bind = self._bind_late if BIND in pieces.definitions else self._bind_pieces
        self.import_codes: Mapping[tuple[str, str], tuple[str, str]] = content[IMPORTS]
        self.record_classes: Mapping[int, type] = content[RECORDS] if pieces is None else _classes(pieces, module, plan)
        self._exports = plan.exports.keys()
        self._place = f"the generated glue of module `{plan.name}`"
        if missing := self.record_classes.keys() - plan.records.keys():
            raise LoadError(f"{self._place} has a class for record {min(missing)}, the plan has none: build again")
        if records is not None:
            if records.keys() != self.record_classes.keys():
                raise LoadError(
                    f"the records of module `{plan.name}` are not those that its package declares: build again"
                )
            for index, cls in () if pieces else self.record_classes.items():
                setattr(module, cls.__name__, records[index])  # what the annotations of entries name
            self.record_classes = records
        elif pieces is None:
            for index, cls in content[RECORDS].items():
                cls.__marine_record__ = plan.records[index]  # what `values` looks for

    @classmethod
    def from_file(
        cls,
        engine: str,
        path: str,
        source: str | Callable[[], str],
        plan: ModulePlan,
        fused: FusedModules | None = None,
        records: Mapping[int, type] | None = None,
        code: CodeType | Pieces | None = None,
        known: Mapping[str, Any] | None = None,
    ) -> GeneratedGlue:
        """Glue from a file of a built service, whose text is `source`; or gives it, where the `code` is known.

        It is executed from `code` where that is known; else Python compiles it, and caches its bytecode beside it,
        unless it is so large that it is taken apart. The lines are registered with `linecache` as long as the glue
        lives: a build that is not kept is gone by the time a traceback wants them. `known` are globals that others
        declare.

        Raises:
            LoadError: the file can't be read or executed.
        """
        if code is None:
            assert known is None
            source = source if isinstance(source, str) else source()
            code = _taken_apart(path, source)
        if code is None:
            module = _imported(path, plan)
        else:
            # A build is code.
            body = unmarshalled(code.head, path) if isinstance(code, Pieces) else code
            module = ModuleType(_module_name(plan))
            module.__file__ = path
            vars(module).update(known or {})
            _execute(module, lambda: exec(body, vars(module)))  # noqa: S102  # a build is code, see `artifact.files`
        glue = cls(engine, module, plan, fused, records, code if isinstance(code, Pieces) else None)
        _keep_lines(glue, module, path, source)
        return glue

    def bind(self, link: Link) -> BoundAdapters:
        """Tie the adapters to an instance.

        Raises:
            LinkError: the plan, or the instance, is not the one that the glue was generated for.
        """
        with self._fitting():
            bound = self._bind(link)
            if self._pieces is None:
                for function in bound.exports.keys() - self._exports:
                    raise KeyError(function)
                entries = {function: _named(entry, function, link) for function, entry in bound.entries.items()}
                bound = replace(bound, entries=entries)
        return bound

    def _bind_pieces(self, link: Link) -> BoundAdapters:
        """The same for a file in pieces: what it defines is made when it is first asked for."""
        assert self._pieces is not None
        made = self._namespace(self._pieces, link)
        results = self._pieces.results

        def functions(part: str) -> Lazy[Any, Callable[..., Any]]:
            return Lazy(results.get(part, {}), lambda _, name: made[name])

        imports: Lazy[tuple[str, str], ImportAdapter] = Lazy(
            results.get("imports", {}), lambda _, item: ImportAdapter(item[0], item[1], made[item[2]])
        )
        parts = {part: functions(part) for part in ("exports", "hosts", "calls", "batches")}
        entries = Lazy[str, Callable[..., Any]](
            results.get("entries", {}), lambda key, name: _named(made[name], key, link)
        )
        return BoundAdapters(imports=imports, entries=entries, **parts)

    def _namespace(self, pieces: Pieces, link: Link | None) -> Namespace:
        """The definitions of the file, for one instance or for all."""
        classes = {name: index for index, name in pieces.records.items()}
        records = Lazy[str, type](classes, lambda _, index: self.record_classes[index])
        return Namespace(pieces, vars(self._module), link, str(self._module.__file__), records)

    def _bind_late(self, link: Link) -> BoundAdapters:
        """The same where `__bind` is one piece, which runs when the first of its results is asked for.

        Asking raises LinkError when the plan, or the instance, is not the one that the glue was generated for.
        """
        assert self._pieces is not None
        if self._whole is None:
            self._whole = self._namespace(self._pieces, None)
        whole = self._whole
        if unknown := self._pieces.results.get("exports", {}).keys() - self._exports:
            raise KeyError(min(unknown))
        bound: list[BoundAdapters] = []

        def result(part: str, key: Any) -> Any:
            if not bound:
                with self._fitting():
                    bound.append(whole[BIND](link))
            return getattr(bound[0], part)[key]

        def late(part: str, names: Mapping[Any, Any]) -> Lazy[Any, Any]:
            if part == "entries":
                return Lazy(names, lambda key, _: _named(result(part, key), key, link))
            return Lazy(names, lambda key, _: result(part, key))

        return BoundAdapters(**{part: late(part, names) for part, names in self._pieces.results.items()})

    @contextmanager
    def _fitting(self) -> Iterator[None]:
        """Report errors in the glue as glue that does not fit."""
        try:
            yield
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise LinkError(f"{self._place} does not fit the plan ({what}): build again") from error


def _named(entry: Callable[..., Any], function: str, link: Link) -> Callable[..., Any]:
    """The entry under the name of its function, which Python says when arguments are missing; in C where it can be."""
    entry.__name__ = entry.__qualname__ = function
    extension = speedups()
    if extension is None:
        return entry
    from marine_runtime.adapters.accelerated import accelerated

    return accelerated(extension, entry, link.plan.exports[function], link)


def _classes(pieces: Pieces, module: ModuleType, plan: ModulePlan) -> Lazy[int, type]:
    """The record classes of a file in pieces."""

    def make(index: int, name: str) -> type:
        with _executing.lock:  # one class for each record, whichever thread asks
            if name not in vars(module):
                body = pieces.code(class_key(name), str(module.__file__))
                _execute(module, lambda: exec(body, vars(module)))  # noqa: S102
            cls: Any = vars(module)[name]
            cls.__marine_record__ = plan.records[index]  # what `values` looks for
            made: type = cls
            return made

    return Lazy(pieces.records, make)


class _Lines:
    """The loader of a generated module: what `traceback` asks for lines."""

    __slots__ = ("_source",)

    def __init__(self, source: str | Callable[[], str]) -> None:
        self._source = source

    def get_source(self, _: str = "") -> str:
        """The text of the module; none when the file is gone, or another one."""
        if not isinstance(self._source, str):
            try:
                self._source = self._source()
            except LoadError:
                return ""
        return self._source


def _keep_lines(glue: GeneratedGlue, module: ModuleType, path: str, source: str | Callable[[], str]) -> None:
    """Have `linecache` find the lines of a file that may be gone by then, as long as the glue lives."""
    lines = _Lines(source)
    vars(module)["__loader__"] = lines
    linecache = sys.modules.get("linecache")
    if linecache is not None:  # whoever imports it later finds the loader
        linecache.cache[path] = (lines.get_source,)
        weakref.finalize(glue, linecache.cache.pop, path, None)


def _taken_apart(path: str, source: str) -> Pieces | None:
    from marine_runtime.adapters.taking_apart import is_large, take_apart

    if not is_large(source):
        return None
    try:
        return take_apart(source, path)
    except (SyntaxError, ValueError) as error:
        raise LoadError(f"generated glue `{path}` can't be used: {error}; build again") from error


def _imported(path: str, plan: ModulePlan) -> ModuleType:
    import importlib.util

    spec = importlib.util.spec_from_file_location(_module_name(plan), path)
    if spec is None or spec.loader is None:  # a name that Python has no loader for
        raise LoadError(f"`{path}` is not a Python file")
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    _execute(module, lambda: loader.exec_module(module))
    return module


def _complete(module: ModuleType, plan: ModulePlan, fused: FusedModules, pieces: Pieces | None) -> FusedModules:
    """The Wasm side with the tables that the generated Python has for it."""
    try:
        content = vars(module)
        if pieces is None:
            sites = SiteRows(content[FUSED_SITES])
        else:
            pieces.definitions[FUSED_SITES]
            alone = Namespace(pieces, content, None, str(module.__file__), {})
            sites = SiteRows(lambda: alone[FUSED_SITES])
        tables = {name: content[f"__fused_{name}"] for name in FUSED_TABLES}
        return replace(fused, **tables, sites=sites)
    except KeyError:
        raise LoadError(
            f"the generated glue of module `{plan.name}` does not belong to its Wasm glue: build again"
        ) from None


def _module_name(plan: ModulePlan) -> str:
    return f"marine_built.{identifier(plan.name)}"


def _execute(module: ModuleType, run: Any) -> None:
    """Run the module's code. `dataclasses` looks the module up in `sys.modules` while it works."""
    with _executing.lock:
        before = sys.modules.get(module.__name__)
        sys.modules[module.__name__] = module
        try:
            run()
        except Exception as error:
            raise LoadError(f"generated glue `{module.__file__}` can't be used: {error}; build again") from error
        finally:
            if before is None:
                del sys.modules[module.__name__]
            else:
                sys.modules[module.__name__] = before
