"""The parts that `explain` shows of one adapter: its instructions, its IR, and what an engine runs in their place.

Code is cut out of what the backends really write, and not written a second time.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from marine_gen.artifact import GENERATOR, AdapterForm
from marine_gen.ir import AdapterIR, ModuleIR, print_adapter
from marine_gen.passes import fuse_service, print_fused
from marine_gen.passes.pipeline import FusedModule
from marine_gen.python_backend import generate
from marine_gen.wasm_backend import FusedCode, generate_glue


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
        service: the modules with the digests of their sources, in load order.
        position: which of the modules has the adapter.
    """

    service: Sequence[tuple[ModuleIR, str]]
    position: int
    adapter: AdapterIR

    @property
    def module(self) -> ModuleIR:
        """The module that has the adapter."""
        return self.service[self.position][0]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written for the modules of one service, by position: kept by who looks at many of its adapters."""

    python: dict[int, Sequence[str]] = field(default_factory=dict)
    fused: dict[int, FusedModule] = field(default_factory=dict)
    glue: dict[int, FusedCode] = field(default_factory=dict)


def views(subject: Subject, form: AdapterForm, written: Written | None = None) -> Iterator[View]:
    """The parts of one adapter, ending with the code that runs in that `form`; `written` saves writing it again."""
    adapter = subject.adapter
    written = written or Written()
    yield View("Instructions", _instructions(adapter))
    yield View("IR", print_adapter(adapter).rstrip("\n"))
    match form:
        case AdapterForm.INSTRUCTIONS:
            pass  # they are what runs
        case AdapterForm.PYTHON:
            yield _python(subject, written)
        case AdapterForm.WASM:
            yield from _fused(subject, written)
        case _:
            assert_never(form)


def _instructions(adapter: AdapterIR) -> str:
    width = len(str(len(adapter.source)))
    return "\n".join(f"{f'#{at}':<{width + 1}}  {text}" for at, text in enumerate(adapter.source)) or "(none)"


def _python(subject: Subject, written: Written) -> View:
    module, digest = subject.service[subject.position]
    if subject.position not in written.python:
        source = generate(module, generator=GENERATOR, digest=digest).source
        written.python[subject.position] = _adapter_functions(source)
    index = next(index for index, item in enumerate(module.adapters) if item is subject.adapter)
    return View("Python", written.python[subject.position][index], "python")


def _adapter_functions(source: str) -> Sequence[str]:
    """The adapters' functions in generated source, which has them in the order of `ModuleIR.adapters`."""
    lines = source.splitlines()
    (bind,) = [item for item in ast.parse(source).body if isinstance(item, ast.FunctionDef) and item.name == "bind"]
    return [
        textwrap.dedent("\n".join(lines[item.lineno - 1 : item.end_lineno]))
        for item in bind.body
        if isinstance(item, ast.FunctionDef) and item.name.startswith(("export_", "import_"))
    ]


def _fused(subject: Subject, written: Written) -> Iterator[View]:
    position = subject.position
    irs = [ir for ir, _ in subject.service[: position + 1]]
    if position not in written.fused:
        written.fused[position] = fuse_service(irs).modules[subject.module.name]
    module = written.fused[position]
    adapter = subject.adapter
    exported = adapter.side.value == "export"
    name = f"{adapter.side.value} {adapter.function}"
    if name in module.unfused:
        yield View("Not fused", f"{module.unfused[name]}; what runs is its closure:")
        yield _python(subject, written)
        return
    fused = module.exports[adapter.function] if exported else module.imports[adapter.key]
    index = list(module.exports).index(adapter.function) if exported else list(module.imports).index(adapter.key)
    if position not in written.glue:
        digest = subject.service[position][1]
        known = {ir.name: ir for ir in irs}
        written.glue[position] = generate_glue(module, known, position, generator=GENERATOR, digest=digest)
    code = written.glue[position]
    yield View("Fused IR", print_fused(fused).rstrip("\n"))
    yield View("Wasm", _wasm_function(code.glue, f"${adapter.side.value}.{index}"), "wat")


def _wasm_function(text: str, symbol: str) -> str:
    """One function of the module in `text`, whose functions are indented by two and end on a line of their own."""
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if f"{line} ".startswith(f"  (func {symbol} "))
    end = next(index for index in range(start, len(lines)) if lines[index] == "  )")
    return textwrap.dedent("\n".join(lines[start : end + 1]))
