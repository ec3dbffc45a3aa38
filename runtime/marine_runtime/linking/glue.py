"""Fused glue and the guests that it works with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from marine_runtime.adapters.contract import FusedModules
from marine_runtime.adapters.staging import Staging
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.typing import Any
from marine_runtime.linking.context import LinkedModule
from marine_runtime.wasm import Instance, Store


@dataclass(frozen=True, slots=True)
class LaterGlue:
    """Instantiates glue of a module whose functions are generated when they are first called.

    Attributes:
        module: the name of the module.
        ordinal: its number in the service.
        instance: it.
        linked: the modules before it; those that are loaded later may have their names.
        staging: the staging memory, as an import and as an object.
    """

    module: str
    ordinal: int
    instance: Instance
    linked: Mapping[str, LinkedModule]
    store: Store
    staging: tuple[Any, Staging]

    def instantiate(self, fused: FusedModules) -> Instance:
        """The instance of more glue, whose sites are known from now on.

        Raises:
            LinkError: wasmtime refuses it.
        """
        assert fused.glue is not None
        native, staging = self.staging
        imports = {("0", "staging"): native, **needs_of_glue(self.module, fused.needs, self.instance, self.linked)}
        made = self.store.instantiate(fused.glue, imports)
        staging.add_sites(self.ordinal, fused.first_site, fused.sites)
        return made


def needs_of_glue(
    name: str,
    needs: Sequence[tuple[str, str | None]],
    instance: Instance | None,
    linked: Mapping[str, LinkedModule],
) -> dict[tuple[str, str], Any]:
    """The exports of guests that glue of module `name` imports."""
    found: dict[tuple[str, str], Any] = {}
    numbered = enumerate(needs)
    for module, group in groupby(numbered, lambda item: item[1][0]):
        owner = instance if module == name else linked[module].instance
        assert owner is not None  # what is written in Python is called as a function of the host
        wanted = [(("1", str(number)), owner.module.memory or "" if it is None else it) for number, (_, it) in group]
        found.update(zip([key for key, _ in wanted], owner.importable([it for _, it in wanted]), strict=True))
    return found
