"""Imports of the host as Wasm functions: arguments are packed before Python runs, its result is lowered behind it.

A call of the host is one call out of Wasm then, whatever its values are made of. Only services with fused adapters have
it, as errors are explained by the positions in their staging memory.
"""

from __future__ import annotations

from collections.abc import Mapping

from marine_runtime.abi.helpers import AbiHelper
from marine_runtime.abi.layout import shape
from marine_runtime.abi.packed import Packing, packing, packing_of_result
from marine_runtime.adapters.host_programs import Programs
from marine_runtime.adapters.host_text import WORKER, StubFunction, stub_text
from marine_runtime.adapters.staging import MAX_MODULES, ORDINAL_SHIFT, Staging, StepInfo
from marine_runtime.errors import Site
from marine_runtime.lazy.typing import Any
from marine_runtime.types import FunctionType, Records
from marine_runtime.wasm import Instance, Store
from marine_runtime.wasm.api import Codes

_PAGE = 1 << 16

_HELPERS = (AbiHelper.ALLOCATE, AbiHelper.SET_RESULT_PTR, AbiHelper.SET_RESULT_SIZE)

Key = tuple[str, str]


class HostGlue:
    """The imports of one module that are functions of the host with values in memory.

    Attributes:
        linked: whether values are packed and lowered by Wasm; not before the guest exists, nor for a guest without the
            helpers that results need.
    """

    def __init__(self, module: str, ordinal: int) -> None:
        self._module = module
        self._ordinal = MAX_MODULES + ordinal  # beside the glue of the module
        self._programs = Programs()
        self._functions: list[StubFunction] = []
        self._sites: list[StepInfo] = []
        self._natives: dict[Key, Any] = {}
        self._stub: Instance | None = None
        self.linked = False

    def __bool__(self) -> bool:
        return bool(self._functions)

    def add(
        self, signature: FunctionType, records: Records, codes: tuple[Codes, Codes], site: Site
    ) -> tuple[Codes, Codes]:
        """Add an import.

        Args:
            signature: its type.
            records: the records of the type.
            codes: its raw codes as the guest imports it.
            site: the place of its errors.

        Returns:
            The codes of the function to be called: the raw parameters, the address of each packed argument, where in
            staging there is room for a result. It gives a flat result, or else the end of the packed result there; 0
            when there is none.
        """
        packed: list[tuple[int, int]] = []
        at = 0
        for param in signature.params:
            if (form := packing(param.type, records)) is not None:
                packed.append((at, self._programs.add(form, records)))
            at += len(shape(param.type).layout.carrier)
        result = self._result(signature, records)
        program = self._programs.add(result, records) if result else 0
        position = self._ordinal << ORDINAL_SHIFT | len(self._sites)
        self._sites.append(StepInfo((site,), host=True))
        params, results = codes
        self._functions.append(StubFunction(params, results, tuple(packed), program, position))
        return params + "I" * (len(packed) + 1), results or "I"

    @staticmethod
    def _result(signature: FunctionType, records: Records) -> Packing | None:
        return packing_of_result(signature.results[0], records) if signature.results else None

    def provide(self, key: Key, native: Any) -> None:
        """Take the function that was added last, as something to import."""
        self._natives[key] = native

    def instantiate(self, store: Store, staging: tuple[Any, Staging]) -> Mapping[Key, Any]:
        """Make the stub; gives its functions by their names."""
        native, _ = staging
        imports = {("0", "staging"): native}
        imports |= {("2", str(number)): item for number, item in enumerate(self._natives.values())}
        self._stub = store.instantiate(store.helper(stub_text(self._functions)), imports)
        return {key: self._stub.export(str(number)) for number, key in enumerate(self._natives)}

    def attach(self, store: Store, staging: tuple[Any, Staging], guest: Instance, codec: Any) -> None:
        """Tie the stub to its guest, if the guest has what that needs."""
        assert self._stub is not None
        native, memory = staging
        memory.add_module(self._ordinal, self._module, self._sites, codec)
        data = self._programs.data()
        programs, view = store.new_memory(-(-len(data) // _PAGE))
        view.write(0, data)
        imports = {("1", helper.export): guest.export(helper.export) for helper in _HELPERS}
        imports["1", "memory"] = guest.export(guest.module.memory or "")
        imports["0", "staging"], imports["0", "programs"] = native, programs
        imports |= {("0", name): self._stub.export(name) for name in ("table", "linked")}
        store.instantiate(store.helper(WORKER), imports)
        self.linked = True
