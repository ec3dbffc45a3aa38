"""Every parameter of the pool on Ray, with values that are wrong: an error of Marine's, with a sentence."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from marine_runtime import MarineError
from marine_runtime.pool import BasePool
from tests.support.golden import GOLDEN, Case, load_cases
from tests.wrong_values.commands import sandbox

CASES = load_cases(GOLDEN / "wrong_values" / "ray.golden")
OF_A_POOL = ("call", "map", "submit", "interrupt")
"""Methods whose rows are those of `ServicePool`."""

EXEMPT = {
    "TRIED": "no callable",
    "RayPoolOptions": "keyword arguments, whose keys have rows where they are used",
    "RayService": "made by `RayServicePool.service`; its methods have rows",
    "ActorInfo": "a result, which the library makes",
}
"""Names of `marine_runtime.ray` without rows, and the reason."""


@pytest.fixture(scope="module")
def names(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The names that rows may use, in a folder with files."""
    import marine_gen
    from marine_runtime.ray import RayServicePool, connect

    with sandbox(tmp_path_factory.mktemp("ray")):
        marine_gen.build("greeting.wasm", "built", native=False)
        with RayServicePool("built", workers=1) as pool:
            yield {
                "RayServicePool": RayServicePool,
                "connect": connect,
                "pool": pool,
                "kept": pool.service("kept"),
                "nan": float("nan"),
            }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wrong_values(names: dict[str, Any], case: Case) -> None:
    try:
        eval(case.input, dict(names))
        found = "accepted"
    except MarineError as error:
        found = f"{type(error).__name__}: {error}"
    except TypeError as error:
        found = f"TypeError: {error}" if "unexpected keyword" in str(error) else f"raw {error}"
    found = re.sub(r"0x[0-9a-f]{6,}", "…", found)
    case.check(found)
    assert not found.startswith("raw")


def test_every_parameter_has_a_row() -> None:
    import marine_runtime.ray

    walked: dict[str, Any] = {}
    for name in marine_runtime.ray.__all__:
        item = getattr(marine_runtime.ray, name)
        if name not in EXEMPT:
            walked[name if inspect.isclass(item) else f"ray.{name}"] = item
        if inspect.isclass(item) and issubclass(item, BasePool):
            methods = inspect.getmembers(item, callable)
            walked |= {f"{name}.{key}": it for key, it in methods if not key.startswith("_") and key not in OF_A_POOL}
    wanted = {f"{name} {item}" for name, made in walked.items() for item in inspect.signature(made).parameters}
    assert {case.title.partition(": ")[0] for case in CASES} == {name for name in wanted if not name.endswith(" self")}
