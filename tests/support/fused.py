"""Lines of modules that forward to each other, and adapters that the fused engine has to leave to closures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from marine_gen.artifact import compile_service, read_target
from marine_gen.artifact.fuse import FusedOutput, fuse
from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    RecordDeclaration,
    Signature,
    generate,
)
from marine_gen.interfaces import BY_MNEMONIC, Instruction, Interfaces
from marine_gen.passes import fuse_service
from marine_runtime import Service
from marine_runtime.adapters.staging import STACK_TOP, Staging
from marine_runtime.host.resolve import HostFunctions
from marine_runtime.linking import context
from tests.support.echo import TAKE_LOG, Memory, echo_wat
from tests.support.engines import Modules, assemble, load

SIDES = ("export", "import")

_SERVICE_FUNCTIONS = 6


@dataclass(frozen=True, slots=True)
class Link:
    """One module of a line.

    Attributes:
        name: its name.
        bodies: what functions do instead of forwarding, or echoing in the first module of a line.
        clumsy: the sides on which its adapters can't be fused.
        fields: more fields of the Wasm module.
        head: its imports without adapters.
        targets: names of the modules that its functions go to, by default the one before it.
    """

    name: str
    bodies: Mapping[str, str] = field(default_factory=dict)
    clumsy: Collection[str] = ()
    fields: str = ""
    head: str = ""
    targets: Sequence[str] | None = None
    memory: Memory = field(default_factory=Memory)


def line(
    links: Sequence[Link], signatures: Sequence[Signature], records: Sequence[RecordDeclaration] = ()
) -> dict[str, bytes]:
    """Modules that all export `signatures` and `take_log`; each forwards to the one before it."""
    made: dict[str, bytes] = {}
    for item in links:
        targets = list(made)[-1:] if item.targets is None else item.targets
        imports = tuple(ExternModule(name, tuple(map(ImportedFunction, signatures))) for name in targets)
        interfaces = generate(Description(tuple(records), (*signatures, TAKE_LOG), imports))
        wat = echo_wat(interfaces, item.memory, item.bodies, item.fields, item.head)
        made[item.name] = assemble(wat, clumsy(interfaces, item.clumsy))
    return made


def clumsy(interfaces: Interfaces, sides: Collection[str]) -> Interfaces:
    """The adapters of those sides call a harmless core function after each lift, while the value is still needed."""
    exported = {item.type_index for item in interfaces.exports[_SERVICE_FUNCTIONS:]}
    side = {
        item.adapter_type: "export" if item.core_type in exported else "import" for item in interfaces.implementations
    }
    # `set_result_size 0`: the size was read before, or will be set later.
    disturbance = (Instruction(BY_MNEMONIC["i32.push"], 0), Instruction(BY_MNEMONIC["call-core"], 4))
    adapters = []
    for adapter in interfaces.adapters:
        instructions: list[Instruction] = []
        for instruction in adapter.instructions:
            instructions.append(instruction)
            if instruction.operator.mnemonic.endswith("lift_memory") and side[adapter.type_index] in sides:
                instructions += disturbance
        adapters.append(replace(adapter, instructions=tuple(instructions)))
    return replace(interfaces, adapters=tuple(adapters))


@contextmanager
def staged(
    modules: Modules, call_layer: str = "fast", host_functions: HostFunctions | None = None
) -> Iterator[tuple[Service, Staging]]:
    """A fused service, closed at the end, and its staging memory."""
    made: list[Staging] = []

    def make(*parts: Any, **options: Any) -> Staging:
        made.append(Staging(*parts, **options))
        return made[0]

    with patch.object(context, "Staging", make):
        service = load(modules, "fused", call_layer, host_functions)
    with service:
        yield service, made[0]


def position(staging: Staging) -> int:
    """The top of the stack of positions."""
    return int.from_bytes(staging.memory.read(STACK_TOP, 4), "little")


def fused_outputs(modules: Modules) -> dict[str, FusedOutput | None]:
    """The fused output of each module."""
    return dict(zip(modules, fuse(compile_service(read_target(dict(modules)))), strict=True))


def unfused(modules: Modules) -> dict[str, list[str]]:
    """The adapters that stay closures, by module."""
    service = fuse_service([module.ir for module in compile_service(read_target(dict(modules)))])
    return {name: sorted(module.unfused) for name, module in service.modules.items()}
