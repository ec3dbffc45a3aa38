"""Random interfaces with names of all kinds: refused by name, or a component that tools read and that answers right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from random import Random

import pytest

from marine_gen.component_backend import Component, ComponentError
from marine_gen.component_backend.wit import KEYWORDS
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Type, Vector
from tests.support.components import ComponentService, made, wit_of
from tests.support.draw import Draw
from tests.support.echo import Memory, echo_module
from tests.support.engines import load, shown
from tests.support.hostile_names import LOOKALIKES, QUOTES
from tests.support.paths import ROOT
from tests.support.samples import sampled

SEEDS = 10
"""Half of them every time, all of them in the long run."""
USUAL = (
    *("get_page", "getPage", "HTTPServer", "field_0", "field0", "a1B2", "__init__", "a..b", "I32", "x" * 200, "Z_9"),
    *(
        "the name",
        "a-b",
        "a_b",
        "self",
        "constructor",
        "default",
        "then",
        "wasm",
        "of_" * 30,
        "import-type-x",
        "0x",
        "r#type",
    ),
)


class Names:
    """Draws names; `odd` is how often one is drawn that no component has."""

    def __init__(self, random: Random, odd: float) -> None:
        self._random = random
        self._odd = odd

    def scope(self, count: int, taken: tuple[str, ...] = ()) -> list[str]:
        """Different names, some of which may be one in a component."""
        found: list[str] = []
        while len(found) < count:
            name = self._one(len(found))
            if name not in (*found, *taken):
                found.append(name)
        return found

    def _one(self, number: int) -> str:
        kind = self._random.random()
        if kind < self._odd:
            return self._random.choice((*QUOTES, *LOOKALIKES))
        if kind < 0.4:
            return self._random.choice([*sorted(KEYWORDS)])
        if kind < 0.5:
            return self._random.choice(USUAL)
        words = ["".join(self._random.choices("abcXYZ019", k=self._random.randint(1, 9))) for _ in range(2)]
        return f"n{number}{self._random.choice(('_', '', '.', '-'))}{self._random.choice(('_', ' ', '')).join(words)}"


def described(random: Random, draw: Draw, odd: float) -> tuple[Description, list[Signature]]:
    """A module under drawn names, and its functions under the names and types of `draw`."""
    names = Names(random, odd)
    functions = names.scope(6, ("memory",))
    # A record may have the name of a function.
    records = dict(zip(draw.records, [functions[0], *names.scope(len(draw.records))], strict=False))

    def renamed(ty: Type) -> Type:
        if isinstance(ty, Named):
            return Named(records[ty.name])
        return Vector(renamed(ty.element)) if isinstance(ty, Vector) else ty

    def members(items: tuple[Member, ...]) -> tuple[Member, ...]:
        found = names.scope(len(items))
        return tuple(Member(name, renamed(item.type)) for name, item in zip(found, items, strict=True))

    declared = tuple(RecordDeclaration(records[key], members(item.fields or ())) for key, item in draw.records.items())
    drawn = [draw.signature(name, 20 if number == 0 else 4) for number, name in enumerate(functions)]
    signatures = tuple(
        Signature(item.name, members(item.params), renamed(item.result) if item.result else None) for item in drawn
    )
    return Description(declared, signatures), drawn


def module(seed: int) -> tuple[bytes, Draw, list[Signature]]:
    """A module of one seed; every other one has names that components can't have."""
    random = Random(f"component names {seed}")
    while True:
        draw = Draw(str(random.getrandbits(64)))
        description, drawn = described(random, draw, 0.1 if seed % 2 else 0.0)
        if len({item.name for item in description.records}) == len(description.records):
            return echo_module(description, Memory()), draw, drawn


def attempt(wasm: bytes) -> Component | str:
    try:
        return made({"echo": wasm})
    except ComponentError as error:
        return str(error)


@pytest.mark.parametrize("seeds", sampled([SEEDS // 2, SEEDS], (SEEDS // 2).__eq__))
def test_random_interfaces(seeds: int) -> None:
    components = refusals = calls = 0
    for seed in range(seeds):
        wasm, draw, drawn = module(seed)
        component = attempt(wasm)
        if isinstance(component, str):
            refusals += 1
            assert re.match(
                r"the (\w+) `.*` (has no name in a component|and `.*` would both be named)|.*no function", component
            )
            continue
        components += 1
        assert wit_of(component.wasm) == component.wit
        service = ComponentService(component)
        with load({"echo": wasm}, "fused") as runtime:
            for signature in drawn:
                if service.function(signature.name) is None:
                    assert any(signature.name[:60] in warning for warning in component.warnings)
                    continue
                for _ in range(3):
                    row = [draw.value(param.type) for param in signature.params]
                    calls += 1
                    assert shown(service.call(signature.name, row)) == shown(runtime.call("echo", signature.name, row))
    assert min(components, refusals) >= seeds // 2 - 1, (components, refusals)
    assert calls > 10 * components


HASHED = """
import hashlib
from tests.component.test_random_names import attempt, module
for seed in (0, 2):
    made = attempt(module(seed)[0])
    print(made if isinstance(made, str) else hashlib.sha256(made.wasm + made.wit.encode()).hexdigest())
from tests.component.test_wasi import configured
from tests.component.attacks import SETTINGS, modules
print(hashlib.sha256(configured(modules(), SETTINGS, fault_import=True).wasm).hexdigest())
"""


def test_output_does_not_depend_on_the_process() -> None:
    """Not on the order of sets, which differs between processes: names, glue, WASI and the report of faults."""
    outputs = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", HASHED],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(set(outputs.pop().split("\n"))) == 4
