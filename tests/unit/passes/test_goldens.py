"""Adapters after each pass, and every reason for which an adapter has to stay a closure, as printed.

An input lists modules in load order, as `guests NAME…` or `module NAME` with adapters, and ends with the adapter to
fuse:
`fuse MODULE import|export FUNCTION`.
"""

from __future__ import annotations

from importlib import import_module

import pytest

from marine_gen.artifact import compile_module
from marine_gen.ir.model import AdapterIR, ModuleIR
from marine_gen.passes import UnfusableError, fuse, inline, print_fused, sink_release, verify_fused
from marine_gen.passes.pipeline import fuse_adapter
from tests.guests.descriptions import GUESTS
from tests.support.adapters import build
from tests.support.engines import guest
from tests.support.golden import GOLDEN, Case, load_cases

FOLDER = GOLDEN / "passes"


def read(text: str) -> tuple[dict[str, ModuleIR], str, AdapterIR]:
    """The modules of an input, and the adapter that its last line names."""
    modules: dict[str, ModuleIR] = {}
    *lines, last = text.splitlines()
    for block in "\n".join(lines).split("\nmodule "):
        head, _, adapters = block.removeprefix("module ").partition("\n")
        if head.startswith("guests "):
            names = head.split()[1:]
            modules |= {name: compile_module(name, guest(name)).ir for name in names}
        else:
            modules[head] = build(adapters, head)
    verb, module, side, function = last.split()
    assert verb == "fuse"
    ir = modules[module]
    found = {adapter.function: adapter for adapter in (ir.imports if side == "import" else ir.exports).values()}
    return modules, module, found[function]


def stages(text: str) -> str:
    """The adapter after each pass, or the reason why a pass can't do it."""
    modules, module, adapter = read(text)
    shown = ""
    try:
        fused = inline(modules, module, adapter)
        shown += f"inline\n{print_fused(fused)}"
        fused = fuse(fused)
        shown += f"fuse\n{print_fused(fused)}"
        fused = sink_release(fused)
        shown += f"sink\n{print_fused(fused)}"
        verify_fused(fused)
    except UnfusableError as reason:
        return f"{shown}unfusable: {reason}"
    assert print_fused(fuse_adapter(modules, module, adapter)) == print_fused(fused)
    return shown


@pytest.mark.parametrize("case", load_cases(FOLDER / "stages.golden"), ids=str)
def test_stages(case: Case) -> None:
    shown = stages(case.input).rstrip("\n")
    assert "unfusable" not in shown
    case.check(shown)


@pytest.mark.parametrize("case", load_cases(FOLDER / "unfusable.golden"), ids=str)
def test_reasons(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    if case.title.startswith("too many steps"):
        monkeypatch.setattr(import_module("marine_gen.passes.inline"), "MAX_STEPS", 8)
    reason = stages(case.input).rstrip("\n").rpartition("\n")[2]
    assert reason.startswith("unfusable: ")
    case.check(reason)


def test_every_guest_fuses_completely() -> None:
    """Output of the reference's generator never needs a closure."""
    known: dict[str, ModuleIR] = {}
    for item in GUESTS:
        known[item.name] = ir = compile_module(item.name, guest(item.name)).ir
        for adapter in ir.adapters:
            verify_fused(fuse_adapter(known, item.name, adapter))


def test_passes_do_not_change_their_input() -> None:
    modules = {name: compile_module(name, guest(name)).ir for name in ("donkey", "shrek")}
    (adapter,) = modules["shrek"].imports.values()
    inlined = inline(modules, "shrek", adapter)
    before = print_fused(inlined)
    fused = fuse(inlined)
    after_fuse = print_fused(fused)
    sink_release(fused)
    assert (print_fused(inlined), print_fused(fused)) == (before, after_fuse)
    assert print_fused(inline(modules, "shrek", adapter)) == before
