"""Imports of guests that are for the host: as an interface that the component imports, and the adapters of each guest.

An import of the host has no adapter in the module (docs/spec/host.md): its raw signature follows from
its type. So adapters are made here, as the passes would leave them: arguments are checked in the guest and copied to
staging, the bridge calls the lowered function, the result is copied to the guest, and what was staged is freed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marine_gen.component_backend.bridge import Bridge
from marine_gen.component_backend.errors import ComponentError
from marine_gen.component_backend.fault import site_texts
from marine_gen.component_backend.interface import WitInterface, full_name, interface_of
from marine_gen.component_backend.model import ComponentGlue, ComponentModule, Key, ProvidedImport, Provider
from marine_gen.component_backend.names import kebab
from marine_gen.ir.model import Call, CoreCallee, ModuleIR, Side, Value
from marine_gen.passes.model import STAGING, AnyStep, Copy, Frame, FusedAdapter, Step, Validate
from marine_gen.passes.pipeline import FusedModule
from marine_gen.wasm_backend import Caller, GlueError, generate_glue, verify_glue
from marine_runtime.abi import AbiHelper, Form, is_flat, layout_of
from marine_runtime.texts import quoted
from marine_runtime.types import (
    Array,
    CoreSignature,
    Field,
    FunctionType,
    IType,
    Prim,
    Record,
    RecordType,
    same_signature,
)
from marine_runtime.wasm import assemble

HOST = "\udcffhost"
"""The owner of what adapters call outside the guest, which is not a module: see `STAGING`."""

_MARK = CoreCallee(0, "mark", FunctionType((), (Prim.I32,)))
_RELEASE = CoreCallee(1, "release", FunctionType((Field("mark", Prim.I32),), ()))
_TEXT = "(host function)"


@dataclass(frozen=True, slots=True)
class _Function:
    """A function that guests import from the host.

    Attributes:
        number: that of its function in the bridge.
        given: the function itself; `type` is `given.type` with the record ids of all functions together.
        name: the key of the function in the interface.
    """

    number: int
    given: ProvidedImport
    type: FunctionType
    name: str


class HostImports:
    """The host functions of a service.

    Attributes:
        interface: the interface that the component imports; None when it imports no functions.
    """

    def __init__(self, package: str, modules: Sequence[ComponentModule]) -> None:
        """Gather the imports of `modules`.

        Raises:
            ComponentError: a function can't be in an interface.
        """
        self._records: dict[int, RecordType] = {}
        self._functions: list[_Function] = []
        self._of: dict[tuple[str, Key], _Function] = {}
        wanted = [
            (module.plan.name, key, given)
            for module in modules
            for key, given in module.host.items()
            if given.provider in (Provider.IMPORT, Provider.EMPTY)
        ]
        for module, key, given in wanted:
            rivals = [other for _, (_, name), other in wanted if name == key[1]]
            alone = all(_same(given, other) for other in rivals)
            self._of[module, key] = self._function(given, key[1] if alone else f"{module}.{key[1]}")
        imported = {item.name: item.type for item in self._functions if item.given.provider is Provider.IMPORT}
        self.interface: WitInterface | None = None
        if imported:
            # A component that imports and exports an interface of one name has two of which tools see one.
            own = "host-functions" if kebab(modules[-1].plan.name, "module") == "host" else "host"
            self.interface, left_out = interface_of(full_name(package, own), imported, self._records)
            for item in left_out:
                raise ComponentError(
                    f"the host function {quoted(item.name)} can't be imported by a component: {item.reason}; leave it "
                    "out with `--stub-import NAMESPACE.NAME`"
                )

    @property
    def used(self) -> bool:
        """True if guests import anything from the host."""
        return bool(self._functions)

    def _function(self, given: ProvidedImport, name: str) -> _Function:
        for known in self._functions:
            if known.name == name and _same(known.given, given):
                return known
        made = _Function(len(self._functions), given, self._absorbed(given), name)
        self._functions.append(made)
        return made

    def _absorbed(self, given: ProvidedImport) -> FunctionType:
        """The signature with the record ids of all functions together."""
        numbers: dict[int, int] = {}

        def absorb(ty: IType) -> IType:
            match ty:
                case Array(element=element):
                    return Array(absorb(element))
                case Record(id=index):
                    if index not in numbers:
                        number = numbers[index] = len(self._records)
                        record = given.records[index]
                        self._records[number] = record  # keeps its place while the fields get theirs
                        fields = tuple(Field(item.name, absorb(item.type)) for item in record.fields)
                        self._records[number] = RecordType(record.name, fields)
                    return Record(numbers[index])
                case _:
                    return ty

        params = tuple(Field(item.name, absorb(item.type)) for item in given.type.params)
        return FunctionType(params, tuple(map(absorb, given.type.results)))

    def bridge(self, generator: str) -> tuple[str, Mapping[int, str]]:
        """The bridge of the functions as Wasm text, and the component name of each lowered function that it imports."""
        bridge = Bridge(self._records)
        names = {item.source: item.name for item in self.interface.functions} if self.interface else {}
        lowered: dict[int, str] = {}
        for item in self._functions:
            if item.given.provider is Provider.EMPTY:
                bridge.add_empty(item.number, item.name, item.type)
            else:
                bridge.add_import(item.number, item.name, item.type)
                lowered[item.number] = names[item.name]
        return bridge.text(generator), lowered

    def glue(self, module: ComponentModule, ordinal: int, generator: str, caller: Caller) -> ComponentGlue | None:
        """The adapters of the imports of one guest; None when it has none.

        Raises:
            ComponentError: it does not export what the results of host functions need.
        """
        name = module.plan.name
        wanted = {key: item for (owner, key), item in self._of.items() if owner == name}
        if not wanted:
            return None
        core = tuple(CoreCallee(helper, helper.export, helper.core) for helper in AbiHelper)
        host = [
            _MARK,
            _RELEASE,
            *(CoreCallee(2 + item.number, f"h{item.number}", _raw(item.type)) for item in self._functions),
        ]
        guest = ModuleIR(name, self._records, core)
        adapters = {}
        for key, item in wanted.items():
            if not all(map(is_flat, item.type.results)):
                _require_helpers(module, key, item.type)
            adapters[key] = _Adapter(guest, key, host[2 + item.number], item.type).fused()
        modules = {name: guest, HOST: ModuleIR(HOST, {}, tuple(host)), STAGING: ModuleIR(STAGING, self._records)}
        fused = FusedModule(guest, {}, adapters)
        code = generate_glue(fused, modules, ordinal, {}, generator=generator, digest=module.digest, caller=caller)
        wasm, stub = assemble(code.glue), assemble(code.stub)
        try:
            verify_glue(wasm, code.needs)  # check: component glue of host functions
            verify_glue(stub, code.stub_needs)
        except GlueError as error:
            raise ComponentError(
                f"the adapters of what {quoted(name)} imports from the host break a rule: {error}"
            ) from None
        return ComponentGlue(wasm, stub, code.imports, code.needs, (), site_texts(code.sites))


def _same(left: ProvidedImport, right: ProvidedImport) -> bool:
    return (
        left.provider is right.provider
        and left.identity == right.identity
        and same_signature(left.type, left.records, right.type, right.records)
    )


def _raw(ty: FunctionType) -> FunctionType:
    """The core signature of a function of the bridge."""
    carried = [core for param in ty.params for core in layout_of(param.type).carrier]
    results = tuple(core for one in ty.results for core in layout_of(one).carrier)
    return FunctionType(tuple(Field(f"p{index}", core) for index, core in enumerate(carried)), results)


def _require_helpers(module: ComponentModule, key: Key, ty: FunctionType) -> None:
    """Refuse a guest without the helpers that a result in memory needs."""
    needed = [AbiHelper.ALLOCATE, AbiHelper.SET_RESULT_PTR]
    if layout_of(ty.results[0]).form is Form.PAIR:
        needed.append(AbiHelper.SET_RESULT_SIZE)
    for helper in needed:
        params, results = (tuple(str(one) for one in side) for side in _sides(helper.core))
        # check: component helpers for results
        if module.signatures.exports.get(helper.export) != CoreSignature(params, results):
            raise ComponentError(
                f"the module {quoted(module.plan.name)} exports no usable `{helper.export}`, which the result of "
                f"{quoted('.'.join(key))} needs: leave the import out with `--stub-import {'.'.join(key)}`"
            )


def _sides(ty: FunctionType) -> tuple[list[IType], list[IType]]:
    return [param.type for param in ty.params], list(ty.results)


class _Adapter:
    """Writes the adapter of one import."""

    def __init__(self, guest: ModuleIR, key: Key, callee: CoreCallee, ty: FunctionType) -> None:
        self._guest = guest
        self._key = key
        self._callee = callee
        self._type = ty
        self._steps: list[Step] = []
        self._trail = (Frame(guest.name, Side.IMPORT, ".".join(key), 0, _TEXT),)

    def fused(self) -> FusedAdapter:
        mark = Value("mark", Prim.I32)
        self._step(HOST, Call((mark,), (), 0, _MARK))
        params: list[Value] = []
        arguments: list[Value] = []
        for index, param in enumerate(self._type.params):
            cores = tuple(Value(f"p{index}_{at}", core) for at, core in enumerate(layout_of(param.type).carrier))
            params += cores
            arguments += (
                cores
                if is_flat(param.type)
                else self._copied(f"a{index}", param.type, cores, self._guest.name, STAGING)
            )
        results = tuple(Value(f"r{index}", core) for index, core in enumerate(self._callee.type.results))
        self._step(HOST, Call(results, tuple(arguments), 0, self._callee))
        returns: tuple[Value, ...] = results
        for one in self._type.results:
            if not is_flat(one):
                returns = ()
                ptr, *size = self._copied("result", one, results, STAGING, self._guest.name)
                self._step(self._guest.name, Call((), (ptr,), 0, self._guest.core[AbiHelper.SET_RESULT_PTR]))
                if size:
                    self._step(self._guest.name, Call((), (size[0],), 0, self._guest.core[AbiHelper.SET_RESULT_SIZE]))
        self._step(HOST, Call((), (mark,), 0, _RELEASE))
        function = ".".join(self._key)
        return FusedAdapter(
            Side.IMPORT, self._guest.name, function, self._key, self._type, tuple(params), tuple(self._steps), returns
        )

    def _copied(self, name: str, ty: IType, cores: Sequence[Value], source: str, target: str) -> tuple[Value, ...]:
        """Check a value where it lies, and copy it; gives what carries the copy."""
        value = Value(name, ty)
        self._step(source, Validate((value,), tuple(cores), 0))  # check: component arguments of host functions
        copies = tuple(Value(f"{name}_{at}", core) for at, core in enumerate(layout_of(ty).carrier))
        self._step(target, Copy(copies, (value,), 0, ty))
        return copies

    def _step(self, module: str, operation: AnyStep) -> None:
        self._steps.append(Step(operation, module, self._trail))
