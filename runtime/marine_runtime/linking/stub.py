"""The stub of a module: its fused imports, which exist before the module does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marine_runtime.lazy.typing import Any
from marine_runtime.wasm import Module, Store


class ImportStub:
    """An instance of the generated stub module, whose functions are adapters, or call through a table.

    Attributes:
        functions: the imports by (namespace, name).
    """

    def __init__(
        self,
        store: Store,
        module: Module,
        keys: Sequence[tuple[str, str]],
        imports: Mapping[tuple[str, str], Any],
    ) -> None:
        from marine_runtime.calls.trampoline import not_linked

        def unbound(index: int) -> None:
            raise not_linked(keys[index])

        own = {("0", "unbound"): store.host_function("i", "", unbound)}
        self._instance = store.instantiate(module, {**imports, **own})
        self.functions = {key: self._instance.export(str(index)) for index, key in enumerate(keys)}

    def ties(self, glue: Module) -> dict[tuple[str, str], Any]:
        """The imports of the glue from the stub: the table that it fills, and the global that tells that it exists."""
        wanted = [key for key in (("0", "table"), ("0", "linked")) if key in glue.imports]
        return {key: self._instance.export(key[1]) for key in wanted}
