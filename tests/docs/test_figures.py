"""Figures with a unit on the pages: measured ones come from a file, settings from the code, others are listed."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.paths import ROOT

MADE = {"benchmarks.md", "instructions.md", "wrong-values.md"}
"""Pages that are made as a whole, each checked by a test of its own."""

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "grammar/README.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.name not in MADE),
]

FACTORS = {
    name: factor
    for factor, names in {
        1: "s second × byte level",
        1e-9: "ns",
        1e-6: "µs",
        1e-3: "ms",
        60: "minute",
        3600: "hour",
        0.01: "%",
        1 << 10: "KiB",
        1 << 20: "MiB",
        1 << 30: "GiB",
        1e3: "kB KB",
        1e6: "MB",
        1e9: "GB",
    }.items()
    for name in names.split()
}
FIGURE = re.compile(rf"(?<![\w.,/²-])(\d[\d.,]*(?: to \d[\d.,]*)?) ((?:{'|'.join(FACTORS)})s?)(?!\w)")
VAGUE = re.compile(
    r"\b(?:(?:half|third|quarter|fifth|sixth|seventh|eighth|tenth)s? "
    r"(?:of )?(?:the (?:time|cost|memory)|it\b|its|what it)"
    r"|\d[\d.]* of (?:the|its) time|(?:two|three|four|five|ten|\d+) times (?:as|faster|slower|more|less))\b"
)
"""Comparisons without a unit, which only a measurement can tell."""

SETTINGS = {
    "docs/architecture.md": {
        "1 MiB": "marine_runtime.adapters.images:_SIZE",
        "200 bytes": "marine_gen.wasm.lifting:LONGEST",
        "400 bytes": "marine_gen.wasm.lifting:LARGEST",
    },
    "docs/built-directories.md": {
        "1 MiB": "marine_runtime.artifact.files:MAPPED",
        "256 KiB": "marine_runtime.artifact.bytecode:READ_WHOLE",
        "1 GiB": "marine_runtime.artifact.cache_limit:DEFAULT_LIMIT",
        "512 KiB": "marine_gen.artifact.tiers:LARGE",
    },
    "docs/cluster.md": {
        "30 ms": "marine_runtime.ray.worker:RayWorker.target",
        "60 ms": "marine_runtime.ray.worker:RayWorker.held",
    },
    "docs/components.md": {"64 KiB": "marine_gen.component_backend.wasi_guest:CHUNK"},
    "docs/concurrency.md": {
        "16 ms": "marine_runtime.pool.processes:ProcessWorker.target",
        "40 ms": "marine_runtime.pool.processes:ProcessWorker.held",
        "5 ms": "marine_runtime.pool.child:KEPT",
    },
    "docs/conformance.md": {
        "2 MiB": "marine_runtime.wasm.stack:DEFAULT",
        "128 levels": "marine_gen.binary.limits:MAX_TYPE_DEPTH",
        "255 bytes": "marine_gen.binary.limits:MAX_NAME_BYTES",
    },
    "docs/differences-from-marine.md": {
        "128 levels": "marine_runtime.abi.measures:MAX_RECORD_DEPTH",
        "2 MiB": "marine_runtime.wasm.stack:DEFAULT",
        "255 bytes": "marine_gen.binary.limits:MAX_NAME_BYTES",
        "100 ms": "marine_gen.repl.session:TIMEOUT",
        "256 levels": "marine_runtime.values.coerce:MAX_DEPTH",
    },
    "docs/engines.md": {
        "64 KiB": "marine_runtime.adapters.staging:DIRECT fast",
        "2 MiB": "marine_runtime.adapters.staging:DIRECT public",
    },
    "docs/idl.md": {"255 bytes": "marine_gen.binary.limits:MAX_NAME_BYTES"},
    "docs/install.md": {"64 KiB": "marine_runtime.adapters.staging:DIRECT fast"},
    "docs/limits.md": {
        "5 ms": "marine_runtime.wasm.deadline:TICK",
        "16 bytes": "marine_runtime.abi.measures:PART",
        "1 MiB": "marine_runtime.wasm.memory:FLOOR",
        "2 MiB": "marine_runtime.wasm.stack:DEFAULT",
    },
    "docs/python-api.md": {"128 levels": "marine_runtime.values.json_text:MAX_DEPTH"},
    "docs/repl.md": {"100 ms": "marine_gen.repl.session:TIMEOUT"},
    "docs/serve.md": {
        "20 ms": "marine_gen.serve.protocol:_SOON",
        "32 KiB": "marine_gen.serve.calls:LARGE",
        "8 MiB": "marine_gen.serve.settings:ServeLimits.body",
        "64 MiB": "marine_gen.serve.settings:ServeLimits.bodies",
        "30 s": "marine_gen.serve.settings:ServeLimits.timeout",
        "300 s": "marine_gen.serve.settings:ServeLimits.longest",
        "600 s": "marine_gen.serve.settings:ServeLimits.instance_time",
        "10 s": "marine_gen.serve.settings:ServeLimits.header_time",
        "15 s": "marine_gen.serve.settings:ServeLimits.idle_time",
    },
    "docs/spec/binary.md": {"255 bytes": "marine_gen.binary.limits:MAX_NAME_BYTES"},
    "docs/spec/calls.md": {"2 MiB": "marine_runtime.wasm.stack:DEFAULT"},
    "docs/spec/json.md": {"128 levels": "marine_runtime.values.json_text:MAX_DEPTH"},
    "docs/spec/types.md": {"128 levels": "marine_gen.binary.limits:MAX_TYPE_DEPTH"},
    "docs/values.md": {"256 levels": "marine_runtime.values.coerce:MAX_DEPTH"},
    "docs/wasi.md": {
        "1 MiB": "marine_runtime.wasi.output:_MAX_BYTES",
        "64 MiB": "marine_runtime.wasi.listing:_LARGEST",
    },
    "grammar/README.md": {"128 levels": "marine_gen.binary.limits:MAX_TYPE_DEPTH"},
}
"""Figures that are settings, by page, and the constant of the code that each is."""

FACTS = {
    "CONTRIBUTING.md": {"6 MB": "a file of npm", "30 seconds": "the fuzzing bench", "2 GiB": "the fuzzing bench"},
    "docs/architecture.md": {"4 to 16 bytes": "two words", "16 bytes": "a vector"},
    "docs/built-directories.md": {"4 GiB": "the address space of a wasm32 memory"},
    "docs/cluster.md": {"6 seconds": "the sum of `FIRST`"},
    "docs/components.md": {"4 KiB": "a limit of WASI"},
    "docs/concurrency.md": {
        "100 µs": "a name of the benchmark",
        "10 µs": "a name of the benchmark",
        "10 to 100 µs": "advice out of the table",
    },
    "docs/configuration.md": {"10 MiB": "an example", "64 bytes": "2^64"},
    "docs/conformance.md": {
        "8 bytes": "a pointer of the host",
        "2 GiB": "half of an address space",
        "4 GiB": "an address space",
    },
    "docs/differences-from-marine.md": {"8 bytes": "a slot"},
    "docs/embedding.md": {"30 ms": "a test is named in its row", "4 GiB": "the address space of a wasm32 memory"},
    "docs/graph.md": {"16 bytes": "values of the example"},
    "docs/guest-kit.md": {"128 KiB": "an option of the linker, that the page shows"},
    "docs/limits.md": {
        "200 levels": "the test of limits",
        "6 MiB": "three times 2 MiB",
        "8 MiB": "Linux",
    },
    "docs/security.md": {"200 levels": "as in limits.md"},
    "docs/spec/binary.md": {"9 bytes": "63 bits", "10 bytes": "64 bits"},
    "docs/spec/calls.md": {"8 bytes": "a pointer of the host"},
    "docs/spec/memory.md": {"2 GiB": "half of an address space"},
    "docs/tracing.md": {"8 bytes": "a slot"},
    "docs/values.md": {"1 bytes": "2³² − 1"},
    "examples/curl_service/README.md": {
        "1 MiB": "its source",
        "30 seconds": "its source",
        "10 MiB": "its configuration",
    },
}
"""Other figures, by page, and what each comes from."""


def written(page: Path) -> str:
    """The text of a page without code, and without regions that are made from files."""
    text = re.sub(
        r"<!-- (?:measured|counts|engines|codes)\b.*?<!-- end of ", "", page.read_text("utf-8"), flags=re.DOTALL
    )
    text = re.sub(r"^( *)```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_figure_has_a_source(page: Path) -> None:
    name, text = str(page.relative_to(ROOT)), written(page)
    found = {" ".join(figure) for figure in FIGURE.findall(text)}
    assert found == {*SETTINGS.get(name, {}), *FACTS.get(name, {})}
    assert VAGUE.findall(text) == [], "measure it: tests/bench/measured.py"


def test_the_changelog_has_no_measurements() -> None:
    assert VAGUE.findall(written(ROOT / "CHANGELOG.md")) == []


def test_what_only_a_measurement_can_tell_is_found() -> None:
    """Sentences that pages had."""
    assert FIGURE.search("Its 377 tests passed, in 17 minutes of")
    assert FIGURE.search("which takes 34 µs")
    for text in ("takes 0.12 of the time", "in a fifth of the time", "ten times as fast", "in half of it"):
        assert VAGUE.search(text), text


def constant(path: str) -> float:
    """The value at `MODULE:NAME`, of an attribute behind a dot, or under a key behind a blank."""
    module, _, rest = path.partition(":")
    rest, _, key = rest.partition(" ")
    value = import_module(module)
    for name in rest.split("."):
        value = (
            value.__dataclass_fields__[name].default if hasattr(value, "__dataclass_fields__") else getattr(value, name)
        )
    found = value[key] if key else value
    assert isinstance(found, (int, float))
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_those_of_the_code(name: str) -> None:
    for figure, path in SETTINGS[name].items():
        if ".ray." in path:
            pytest.importorskip("ray")
        number, unit = figure.split()
        assert float(number.replace(",", "")) * FACTORS[
            unit if unit in FACTORS else unit.removesuffix("s")
        ] == pytest.approx(constant(path)), (figure, path)
