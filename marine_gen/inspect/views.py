"""The parts that `explain` shows of one adapter: its instructions, its IR, and everything that an engine runs for it.

Code is what the backends write, with every helper that it requests, and is not written a second time.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from marine_gen.artifact import GENERATOR, AdapterForm
from marine_gen.artifact.compile import Fusible
from marine_gen.artifact.fuse import FusedOutput, fuse_module
from marine_gen.codegen.definitions import Definition, Definitions
from marine_gen.inspect.paths import Path, export_paths, import_path
from marine_gen.ir import AdapterIR, ModuleIR, print_adapter
from marine_gen.ir.model import Side
from marine_gen.passes import HostCall, print_fused
from marine_gen.python_backend import Generated, generate


@dataclass(frozen=True, slots=True)
class View:
    """One part: a title, the text, and the language to colour it by."""

    title: str
    text: str
    language: str = "text"


@dataclass(frozen=True, slots=True)
class Subject:
    """One adapter in its service.

    Attributes:
        service: the modules in load order.
        position: the position of the module that has the adapter.
    """

    service: Sequence[Fusible]
    position: int
    adapter: AdapterIR

    @property
    def module(self) -> ModuleIR:
        """The module that has the adapter."""
        return self.service[self.position].ir


@dataclass(frozen=True, slots=True)
class Written:
    """The code of the modules of one service, by position, for callers that look at many adapters."""

    closures: dict[int, Generated] = field(default_factory=dict)
    fused: dict[int, tuple[FusedOutput | None, dict[str, str]]] = field(default_factory=dict)


def views(subject: Subject, form: AdapterForm, written: Written | None = None) -> Iterator[View]:
    """The parts of one adapter, ending with all code that runs in that `form`; `written` saves writing it again."""
    written = written or Written()
    yield View("Instructions", _instructions(subject.adapter))
    yield View("IR", print_adapter(subject.adapter).rstrip("\n"))
    match form:
        case AdapterForm.INSTRUCTIONS:
            pass  # they are what runs
        case AdapterForm.PYTHON:
            yield from _closures(subject, written)
        case AdapterForm.WASM:
            yield from _fused(subject, written)
        case _:
            assert_never(form)


def _instructions(adapter: AdapterIR) -> str:
    width = len(str(len(adapter.source)))
    return "\n".join(f"{f'#{at}':<{width + 1}}  {text}" for at, text in enumerate(adapter.source)) or "(none)"


def _closures(subject: Subject, written: Written) -> Iterator[View]:
    if subject.position not in written.closures:
        module = subject.service[subject.position]
        written.closures[subject.position] = generate(module.ir, generator=GENERATOR, digest=module.digest)
    yield from _python(subject.adapter, written.closures[subject.position])


def _python(adapter: AdapterIR, generated: Generated) -> Iterator[View]:
    """The paths of calls, and the Python that they may run."""
    if adapter.side is Side.EXPORT:
        found = export_paths(adapter.function, generated)
    else:
        found = [import_path(generated.imports[adapter.key], fused=False)]
    yield View("Paths", _table(found))
    yield View("Python", _text(generated.definitions, [path.function for path in found if path.function]), "python")


def _fused(subject: Subject, written: Written) -> Iterator[View]:
    adapter = subject.adapter
    if subject.position not in written.fused:
        written.fused[subject.position] = fuse_module(subject.service[: subject.position + 1])
    output, unfused = written.fused[subject.position]
    reason = unfused.get(f"{adapter.side.value} {adapter.function}")
    if output is None or reason:
        yield View("Not fused", f"{reason or 'the glue would be too large'}; what runs is its closure:")
        yield from _closures(subject, written)
        return
    module = output.module
    if adapter.side is Side.EXPORT:
        yield from _python(adapter, output.python)
        fused, symbol = module.exports[adapter.function], f"entry.{list(module.exports).index(adapter.function)}"
    else:
        fused, symbol = module.imports[adapter.key], f"import.{list(module.imports).index(adapter.key)}"
        yield View("Paths", _table([import_path(symbol, fused=True)]))
        calls = [step.operation.callee for step in fused.steps if isinstance(step.operation, HostCall)]
        if calls:
            functions = [output.python.hosts[callee.index] for callee in calls]
            yield View("Python", _text(output.python.definitions, functions), "python")
    yield View("Fused IR", print_fused(fused).rstrip("\n"))
    yield View("Wasm", _text(output.code.definitions, [symbol]), "wat")


def _table(found: Sequence[Path]) -> str:
    width = max(len(path.name) for path in found)
    function = max(len(path.function) for path in found)
    return "\n".join(f"{path.name:<{width}}  {path.function:<{function}}  {path.when}" for path in found)


def _text(definitions: Definitions, names: Sequence[str]) -> str:
    """The definitions `names` and all that they request, each once: functions, then bindings of one line."""
    reached = {item.name: item for name in names for item in definitions.reached(name)}
    functions = [_code(item) for item in reached.values() if len(item.lines) > 1]
    bindings = [_code(item) for item in reached.values() if len(item.lines) == 1]
    return "\n\n".join([*functions, *(["\n".join(bindings)] if bindings else [])])


def _code(definition: Definition) -> str:
    return textwrap.dedent("\n".join(definition.lines)).strip("\n")
