"""All cases, in the order in which they are measured and shown; a file per kind of question."""

from __future__ import annotations

from pathlib import Path

from tests.bench.cases.calls import calls
from tests.bench.cases.crossing import crossing
from tests.bench.cases.host_side import host_side
from tests.bench.cases.lifecycle import lifecycle
from tests.bench.cases.scaling import scaling
from tests.bench.cases.services import avm_cases, store_cases
from tests.bench.model import Case


def all_cases(avm: Path) -> list[Case]:
    """Every case. `avm` is the module of the AquaVM interpreter; without that file, its cases can't be measured."""
    return [*calls(), *host_side(), *crossing(), *store_cases(), *avm_cases(avm), *lifecycle(), *scaling()]
