"""The part of a listed interface that can be called."""

from __future__ import annotations

from dataclasses import replace

from marine_gen.artifact.compile import left_out_of
from marine_gen.console.inputs import Input
from marine_gen.console.report import clean, warn
from marine_gen.diagnostics import DiagnosticError
from marine_gen.inspect.check import compile_input
from marine_runtime import ModuleInterface


def callable_part(item: Input, interface: ModuleInterface) -> ModuleInterface:
    """The `interface` of a module without functions whose adapters are invalid, of which a warning tells.

    Of a module that can't be compiled, such as one that is too old, everything is left.
    """
    try:
        module = compile_input(item, strict=False).ir
    except DiagnosticError:
        return interface
    invalid = left_out_of(module)
    for left_out in invalid:
        warn(clean(left_out.sentence(module.name)))
    names = {left_out.name for left_out in invalid if not left_out.namespace}
    return replace(interface, functions={name: ty for name, ty in interface.functions.items() if name not in names})
