"""The stub of a module: its fused imports, until the glue exists that provides them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from marine_runtime.calls.trampoline import not_linked
from marine_runtime.wasm import Module, Store


class ImportStub:
    """An instance of the generated stub module, whose functions call through a table that the glue fills.

    Attributes:
        functions: the imports by (namespace, name).
    """

    def __init__(self, store: Store, module: Module, keys: Sequence[tuple[str, str]]) -> None:
        def unbound(index: int) -> None:
            raise not_linked(keys[index])

        self._instance = store.instantiate(module, {("0", "unbound"): store.host_function("i", "", unbound)})
        self.functions = {key: self._instance.export(str(index)) for index, key in enumerate(keys)}

    @property
    def table(self) -> Any:
        """The table, for the glue."""
        return self._instance.export("table")
