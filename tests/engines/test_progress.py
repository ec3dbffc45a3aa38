"""The callback that loads and builds tell what they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import marine_gen
from marine_gen import CompileStep
from marine_gen.artifact.workbench import open_workbench
from marine_runtime import LoadError
from tests.guests.descriptions import EXAMPLE_FOLDER
from tests.support.engines import guest, guests

ONE = "greeting"
THREE = EXAMPLE_FOLDER / "Config.toml"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    place = tmp_path / "cache"
    monkeypatch.setenv("MARINE_GEN_CACHE", str(place))
    return place


def check(steps: Sequence[CompileStep], sizes: Sequence[int]) -> None:
    """Steps of compiling modules of these sizes, in order."""
    assert {item.total for item in steps} == {sum(sizes)}
    done = [item.done for item in steps]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, sum(sizes))
    assert list(dict.fromkeys(done)) == [sum(sizes[:count]) for count in range(len(sizes) + 1)]
    assert [item.done for item in steps].count(sum(sizes)) == 1


def test_one_module_and_a_cache_hit() -> None:
    steps: list[CompileStep] = []
    marine_gen.load(guests(ONE), progress=steps.append).close()
    check(steps, [len(guest(ONE))])
    assert [item.what for item in steps] == [
        "reading `greeting`",
        "generating adapters",
        "compiling `greeting`",
        "compiled `greeting`",
    ]
    steps.clear()
    marine_gen.load(guests(ONE), progress=steps.append).close()
    assert steps == []


def test_three_modules(tmp_path: Path) -> None:
    steps: list[CompileStep] = []
    sizes = [(EXAMPLE_FOLDER / f"{name}.wasm").stat().st_size for name in ("local_storage", "curl", "facade")]
    marine_gen.build(THREE, tmp_path / "out", progress=steps.append)
    check(steps, sizes)
    steps.clear()
    marine_gen.build(THREE, tmp_path / "out", progress=steps.append)
    assert steps == []


def test_portable_builds_are_compiled_when_they_are_loaded(tmp_path: Path) -> None:
    steps: list[CompileStep] = []
    marine_gen.build(guests(ONE), tmp_path / "out", native=False)
    marine_gen.load(tmp_path / "out", progress=steps.append).close()
    check(steps, [len(guest(ONE))])
    steps.clear()
    marine_gen.load(tmp_path / "out", progress=steps.append).close()
    assert steps == []


def test_built_code_that_counts_no_fuel_is_compiled_again(tmp_path: Path) -> None:
    steps: list[CompileStep] = []
    marine_gen.build(guests(ONE), tmp_path / "out")
    marine_gen.load(tmp_path / "out", fuel=10**9, progress=steps.append).close()
    check(steps, [len(guest(ONE))])


def test_component_and_modules_that_are_added() -> None:
    steps: list[CompileStep] = []
    marine_gen.component(guests(ONE), progress=steps.append)
    check(steps, [len(guest(ONE))])
    steps.clear()
    work = open_workbench(progress=steps.append)
    work.load(ONE, guest(ONE))
    check(steps, [len(guest(ONE))])
    work.service.close()


def test_work_that_is_done_again_is_told_once(cache: Path) -> None:
    cache.mkdir()
    steps: list[CompileStep] = []

    def spoil(step: CompileStep) -> None:
        steps.append(step)
        if (
            step.what.startswith("compiling") and cache.is_dir()
        ):  # the build can't take its place, so that it is made elsewhere
            cache.rename(f"{cache}-gone")
            cache.write_text("")

    marine_gen.load(guests(ONE), progress=spoil).close()
    check(steps, [len(guest(ONE))])


@pytest.mark.parametrize(
    "error", [ValueError("stop"), OSError(28, "full"), LoadError("mine"), KeyboardInterrupt()], ids=repr
)
@pytest.mark.parametrize(
    "when", [lambda step: step.done == 0, lambda step: step.done == step.total], ids=["first", "last"]
)
def test_exceptions_end_the_load(cache: Path, error: BaseException, when: Callable[[CompileStep], bool]) -> None:
    calls: list[CompileStep] = []

    def stop(step: CompileStep) -> None:
        if when(step):
            calls.append(step)
            raise error from cause

    cause = RuntimeError("cause")
    with pytest.raises(type(error)) as caught:
        marine_gen.load(guests(ONE), progress=stop)
    assert caught.value is error
    assert error.__cause__ is cause
    assert len(calls) == 1
    assert not [item for item in cache.iterdir() if item.is_dir()]
    marine_gen.load(guests(ONE)).close()
