"""A component that `marine-gen component` made, called by another component inside Wasmtime.

The caller is that of the components made by hand; the callee is the guest of the engines. Both allocate alike.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import wasmtime

from marine_gen.artifact import component as make
from marine_gen.artifact import read_target
from marine_gen.component_backend import Component, ComponentOptions
from marine_gen.component_backend.binary import ComponentWriter, Sort
from marine_gen.component_backend.names import kebab
from marine_runtime.types import Array, IType, Record, RecordType
from tests.bench.model import Case, Work
from tests.bench.peers.base import Contender, NotMeasuredError, contender, no_result, of_size
from tests.bench.peers.components import LOWERING, caller_text, crossing, type_text
from tests.bench.shapes import SHAPES, Shape


def service_component(work: Work) -> Component:
    """The component of a service."""
    return make(read_target(dict(work.modules)), ComponentOptions(package="bench:service"))


@dataclass(frozen=True, slots=True)
class Composed:
    """Our component as the callee."""

    name: str = "component of a service"
    about: str = "what `marine-gen component` makes of a module, called by a component; without checks for interruption"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        work = case.work
        if case.kind == "component":
            return contender(partial(no_result, partial(service_component, work)))
        if case.kind == "component size":
            return of_size(len(service_component(work).wasm))
        if not case.crossing:
            raise NotMeasuredError("measured from component to component only")
        if work.function != "many":
            raise NotMeasuredError("takes part in the case whose guests allocate as those of components do")
        return crossing(case, composed(work, SHAPES[work.shape]))


def composed(work: Work, shape: Shape) -> bytes:
    """A component of two: the component of the callee, and one that calls its `echo` in a loop."""
    (name, callee), _ = work.modules.items()
    made = service_component(Work({name: callee}, "echo", (), None))
    writer = ComponentWriter()
    service = writer.instance(writer.component(made.wasm), [])
    api = writer.export_of(service, Sort.INSTANCE, made.exports)
    text = caller_text(shape, _importing(shape))
    caller = writer.instance(writer.component(bytes(wasmtime.wat2wasm(text))), [("api", api)])
    writer.export("many", writer.export_of(caller, Sort.FUNC, "many"))
    return writer.encoded()


def _importing(shape: Shape) -> str:
    """The import of an interface with `echo`: records have names there."""
    types: list[str] = []
    value = _named(shape.signature.params[0].type, shape, types)
    return f"""
    (import "api" (instance $api {" ".join(types)}
      (export "echo" (func (param "value" {value}) (result {value})))))
    (alias export $api "echo" (func $echo))
    {LOWERING}"""


def _named(ty: IType, shape: Shape, types: list[str]) -> str:
    """A type as text; the records in it are added to `types`, each once."""
    if isinstance(ty, Array):
        return f"(list {_named(ty.element, shape, types)})"
    if not isinstance(ty, Record):
        return type_text(ty, shape)
    record = shape.interfaces.types[ty.id]
    assert isinstance(record, RecordType)
    name = kebab(record.name, "record")
    fields = "".join(f' (field "{field.name}" {_named(field.type, shape, types)})' for field in record.fields)
    text = f'(type ${name}.fields (record{fields})) (export "{name}" (type ${name} (eq ${name}.fields)))'
    if text not in types:
        types.append(text)
    return f"${name}"
