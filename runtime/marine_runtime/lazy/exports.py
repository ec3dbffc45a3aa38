"""Exports of a package that are imported when they are first asked for."""

from __future__ import annotations

import sys

from marine_runtime.lazy.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def exports(
    package: str, homes: Mapping[str, Iterable[str]], renamed: Mapping[str, tuple[str, str]] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions `__getattr__` and `__dir__` of a package.

    Args:
        package: its name.
        homes: the names that it exports, by the modules that define them.
        renamed: the exports that have another name there, each with the module and that name.
    """
    places = {name: (module, name) for module, names in homes.items() for name in names}
    places.update(renamed or {})

    def get_export(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, inner = places[name]
        __import__(module)  # `importlib` imports more than this
        found = getattr(sys.modules[module], inner)
        setattr(sys.modules[package], name, found)
        return found

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return get_export, list_names
