"""One module instance while it is linked, as its glue and its host functions see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from marine_runtime.adapters.contract import Adapter, FusedModules
from marine_runtime.adapters.staging import Staging
from marine_runtime.calls.guard import Guard
from marine_runtime.errors import ArgumentError, CallError, LinkError
from marine_runtime.lazy.typing import TYPE_CHECKING, Any
from marine_runtime.linking.context import LinkableModule
from marine_runtime.types import Records
from marine_runtime.wasm import Instance, Store
from marine_runtime.wasm.api import Codes, CoreFunction, signature_of
from marine_runtime.wasm.memory import Memory

if TYPE_CHECKING:
    from marine_runtime.abi.helpers import AbiHelper
    from marine_runtime.adapters.codec import Codec
    from marine_runtime.adapters.images import Images, Placer
    from marine_runtime.host.function import GuestSide
    from marine_runtime.linking.glue import LaterGlue
    from marine_runtime.values.bind import Binder
    from marine_runtime.values.coerce import Coercers


class ModuleLink:
    """See `marine_runtime.adapters.contract.Link`. Its attributes are set step by step while the module is linked.

    Attributes:
        calls_host: whether host functions may want the helpers of the module.
        places_results: whether a host function has results in the guest's memory.
    """

    def __init__(self, module: LinkableModule, guard: Guard, callees: Sequence[Callable[[], Adapter]]) -> None:
        """Know the module; `callees` give the adapters that it imports from other modules."""
        self.plan = module.plan
        self.guard = guard
        self.engine = module.glue.engine
        self.has_memory = module.wasm.memory is not None
        self._classes = module.glue.record_classes
        self._coercers: Coercers | None = None
        self._binders: dict[str, Binder] = {}
        self._instance: Instance | None = None
        self._glue_instance: Instance | None = None
        self._later_glue: LaterGlue | None = None
        self._staging: Staging | None = None
        self._calls_fused = False
        self._callees = callees
        self._codec: Codec | None = None
        self._helpers: tuple[Callable[..., Any], ...] = ()
        self._placer: Placer | None = None
        self.calls_host = self.places_results = False

    @property
    def memory(self) -> Memory:
        assert self._instance is not None
        if self._instance.memory is None:
            raise LinkError(f"module `{self.plan.name}` exports no memory, which its adapters need")
        return self._instance.memory

    @property
    def codec(self) -> Codec:
        if self._codec is None:
            from marine_runtime.abi.helpers import AbiHelper
            from marine_runtime.adapters.codec import Codec

            self._codec = Codec(self.memory, self.plan.records, self._helper(AbiHelper.ALLOCATE))
        return self._codec

    def guest_side(self, records: Records) -> GuestSide:
        from marine_runtime.adapters.codec import Codec
        from marine_runtime.host.function import GuestSide

        if not self._helpers:
            raise CallError("a host function was called before linking is complete")
        allocate, set_result_ptr, set_result_size = self._helpers
        return GuestSide(
            Codec(self.memory, records, allocate), self.memory, set_result_ptr, set_result_size, self._placer
        )

    @property
    def has_result_helpers(self) -> bool:
        """True if the instance exports what results of host functions need."""
        from marine_runtime.abi.helpers import AbiHelper

        return all(map(self._has, (AbiHelper.ALLOCATE, AbiHelper.SET_RESULT_PTR, AbiHelper.SET_RESULT_SIZE)))

    def attach_placer(self, store: Store, images: Images) -> None:
        """Place results of host functions by Wasm, see `has_result_helpers`."""
        from marine_runtime.adapters.images import Placer

        assert self._instance is not None
        run = Placer.module(store, images, self._instance).function("place", "I", "I")
        if self._calls_fused:
            run = self.staging.explaining(run)
        self._placer = Placer(images, self.memory, run)

    @property
    def staging(self) -> Staging:
        assert self._staging is not None
        return self._staging

    def attach_instance(self, instance: Instance, staging: Staging | None, *, calls_fused: bool) -> None:
        """Take the instance of the module, and look up what host functions will need while calls run.

        Args:
            instance: the instance, whose start function has run.
            staging: the staging memory, for fused glue.
            calls_fused: whether the instance calls fused adapters, whose errors have to be explained.
        """
        self._instance, self._staging, self._calls_fused = instance, staging, calls_fused
        if not self.calls_host:
            return
        from marine_runtime.abi.helpers import AbiHelper

        self._helpers = (
            self._helper(AbiHelper.ALLOCATE),
            self._helper(AbiHelper.SET_RESULT_PTR),
            self._helper(AbiHelper.SET_RESULT_SIZE),
        )

    def attach_glue(self, instance: Instance) -> None:
        """Take the instance of the fused glue."""
        self._glue_instance = instance

    def attach_later_glue(self, later: LaterGlue) -> None:
        """Take what instantiates glue of functions that are generated later."""
        self._later_glue = later

    def with_glue(self, fused: FusedModules) -> ModuleLink:
        from copy import copy

        assert self._later_glue is not None
        other = copy(self)
        other.attach_glue(self._later_glue.instantiate(fused))
        return other

    def core(self, index: int, params: Codes, results: Codes) -> CoreFunction:
        try:
            return self.core_function(self.plan.core[index], params, results)
        except LinkError as error:
            raise LinkError(f"module `{self.plan.name}`: {error}") from None

    def core_function(self, name: str, params: Codes, results: Codes) -> CoreFunction:
        assert self._instance is not None
        run = self._instance.function(name, params, results)
        return self.staging.explaining(run) if self._calls_fused else run

    def callee(self, index: int) -> Adapter:
        return self._callees[index - len(self.plan.core)]()

    def coerce(self, function: str, position: int, value: Any) -> Any:
        binder = self._binders.get(function)
        if binder is None:
            from marine_runtime.values.bind import Binder
            from marine_runtime.values.coerce import Coercers

            if self._coercers is None:
                self._coercers = Coercers(self.plan.records)
            binder = self._binders[function] = Binder(
                self.plan.exports[function], self.plan.records, function=function, coercers=self._coercers
            )
        return binder.argument(position, value)

    def refusal(self, function: str, row: Any) -> Exception:
        from marine_runtime.values.arguments import arrange

        try:
            params = self.plan.exports[function].params
            arranged = arrange(self.plan.name, function, params, row)
            for position, value in enumerate(arranged):
                self.coerce(function, position, value)
        except ArgumentError as error:
            return error
        raise AssertionError("an argument row was refused without a reason")

    def fused(self, name: str, params: Codes, results: Codes) -> CoreFunction:
        assert self._glue_instance is not None
        return self._glue_instance.function(name, params, results)

    def publisher(self, function: str) -> Callable[[Any], Any] | None:
        from marine_runtime.adapters.entry import publisher

        return publisher(self.plan.exports[function], self.plan.records, self._classes)

    def _helper(self, helper: AbiHelper) -> Callable[..., Any]:
        assert self._instance is not None
        if not self._has(helper):
            return _missing(helper.export)
        return self.core_function(helper.export, *helper.codes)

    def _has(self, helper: AbiHelper) -> bool:
        assert self._instance is not None
        # check: linking signature of a helper
        return self._instance.module.exports.get(helper.export) == signature_of(*helper.codes)


def _missing(name: str) -> Callable[..., Any]:
    """Stands for an ABI helper that the guest does not export; says so when a host import needs it."""

    def fail(*_: Any) -> Any:
        raise CallError(f"the module exports no usable `{name}`, which the result of a host function needs")

    return fail
