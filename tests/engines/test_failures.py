"""The full text of what goes wrong while calls run, equal on every engine; and that services survive it.

A case names modules and makes calls; whatever they raise is shown with all its causes. Every case is run twice in one
service: a failed call must not change what later calls do.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from marine_gen.generate import Description, ExternModule, ImportedFunction, Named, Vector
from marine_runtime import CallError, Service, TrapError
from marine_runtime.types import Prim
from tests.support.echo import TAKE_LOG, Memory, echo_module, function, take_logs
from tests.support.engines import Outcome, outcome
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.troubles import NAMED, modules

Serve = Callable[..., Service]


def render(found: Outcome) -> str:
    if not found.error:
        return f"  = {found.value}"
    return "\n".join(f"  {'!' if index == 0 else 'caused by'} {text}" for index, text in enumerate(found.error))


def run(service: Service, line: str) -> str:
    target, _, args = line.partition(" ")
    module, _, function = target.partition(".")
    return f"{line}\n" + render(outcome(lambda: service.call(module, function, eval(args))))


@pytest.mark.parametrize("case", load_cases(GOLDEN / "runtime" / "calls.golden"), ids=str)
def test_failing_calls(serve: Serve, case: Case) -> None:
    names, *lines = case.input.splitlines()
    service = serve(modules(names))
    first = [run(service, line) for line in lines]
    case.check("\n".join(first))
    if not any(name in case.input for name in ("answer", "trap_in", "grow")):  # these change their guest for good
        assert [run(service, line) for line in lines] == first


@pytest.mark.parametrize("case", load_cases(GOLDEN / "runtime" / "loading.golden"), ids=str)
def test_failing_loads(serve: Serve, case: Case) -> None:
    case.check(render(outcome(lambda: serve(modules(case.input)))))


def test_sites_name_every_boundary(serve: Serve) -> None:
    service = serve(modules("trap_chain"))
    with pytest.raises(CallError) as caught:
        service.call("third", "f", ["x"])
    chain = []
    step: BaseException | None = caught.value
    while isinstance(step, CallError):
        assert step.site is not None
        chain.append((step.site.module, step.site.side, step.site.function, step.site.instruction))
        step = step.__cause__
    assert chain == [
        ("third", "export", "f", "call-core 6"),
        ("third", "import", "second.f", "call-core 8"),
        ("second", "export", "f", "call-core 6"),
        ("second", "import", "first.f", "call-core 8"),
        ("first", "export", "f", "call-core 6"),
    ]
    assert service.call("third", "plain", ["still alive"]) == "still alive"


def test_value_path_of_a_nested_fault(serve: Serve) -> None:
    with pytest.raises(CallError) as caught:
        serve(modules("bad_values")).call("inner", "texts", [[]])
    assert (caught.value.path, caught.value.reason) == ("$[3].name", "invalid UTF-8 at byte 2 of a string of 3 bytes")


def test_a_nested_fault_behind_two_boundaries(serve: Serve) -> None:
    """Every error of the chain names its module, side, function, instruction, and the way to the value."""
    bad = modules("bad_values")
    imported = ExternModule("outer", (ImportedFunction(function("texts", Vector(Named("Named")))),))
    farthest = Description((NAMED,), (imported.functions[0].signature,), (imported,))
    service = serve({**bad, "farthest": echo_module(farthest, Memory())})
    with pytest.raises(CallError) as caught:
        service.call("farthest", "texts", [[]])
    found = []
    step: BaseException | None = caught.value
    while isinstance(step, CallError):
        assert step.site is not None
        site = step.site
        found.append((site.module, site.side, site.function, site.index, site.instruction, step.path))
        step = step.__cause__
    assert found == [
        ("farthest", "export", "texts", 2, "call-core 6", "$"),
        ("farthest", "import", "outer.texts", 4, "call-core 7", "$"),
        ("outer", "export", "texts", 2, "call-core 6", "$"),
        ("outer", "import", "inner.texts", 4, "call-core 10", "$"),
        ("inner", "export", "texts", 5, "array.lift_memory record 6", "$[3].name"),
    ]
    assert step is None
    assert str(caught.value) == (
        "module `farthest`, export adapter of `texts`, instruction #2 `call-core 6`: failed in module `inner`, "
        "export adapter of `texts`: $[3].name: invalid UTF-8 at byte 2 of a string of 3 bytes"
    )


def test_nothing_is_rolled_back(serve: Serve) -> None:
    """A block that was lowered before the failure is not freed, and what guests wrote stays."""
    bodies = {"f": "(global.set $count (i32.add (global.get $count) (i32.const 1))) unreachable"}
    bodies["count"] = "(global.get $count)"
    functions = (function("f", Prim.STRING), function("count", Prim.U32), TAKE_LOG)
    fields = "(global $count (mut i32) (i32.const 0))"
    service = serve({"m": echo_module(Description(functions=functions), Memory(), bodies, fields)})
    with pytest.raises(TrapError):
        service.call("m", "f", ["abc"])
    assert take_logs(service) == {"m": ["allocate 3 1", "call 0", "argument 65537", "argument 3"]}
    assert service.call("m", "count", [0]) == 1
