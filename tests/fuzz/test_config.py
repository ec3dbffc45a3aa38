"""Configurations of random values in the places of the schema, and random text: read, or refused with a ConfigError."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marine_runtime import ConfigError, ServiceConfig, parse_config
from marine_runtime.config.sizes import MAX_SIZE, parse_size

pytestmark = pytest.mark.filterwarnings("ignore::marine_runtime.MarineWarning")

SOURCE = "`x.toml`"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", ".", "..", "/", "/tmp", "a/../b", "10 MiB", "Infinity", "\0", "a=b", "x" * 300, "~", "m"]
)
SCALARS = st.one_of(st.integers(), st.integers(-(2**31), 2**31), st.booleans(), TEXTS, st.floats(allow_nan=False))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


def usually(strategy: st.SearchStrategy[Any], other: st.SearchStrategy[Any] = VALUES) -> st.SearchStrategy[Any]:
    """Values that fit most of the time, so that most documents have few mistakes and many have none."""
    return st.integers(0, 40).flatmap(lambda number: strategy if number else other)


def table(needed: dict[str, st.SearchStrategy[Any]], **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Tables with some of these members; seldom with another one, or something else."""
    right = st.fixed_dictionaries(needed, optional=members)
    beside = st.builds(lambda one, other: {**other, **one}, right, st.dictionaries(TEXTS, VALUES, max_size=1))
    return usually(right, beside | VALUES)


GOOD = st.text("abcdefgh./ äß", min_size=1, max_size=6)
PLACES = GOOD.map(lambda text: f"/{text}")
PATHS = usually(st.dictionaries(usually(GOOD, TEXTS), usually(PLACES), max_size=2))
SETTINGS = {
    "logger_enabled": usually(st.booleans()),
    "logging_mask": usually(st.integers(-(2**31), 2**31 - 1)),
    "mounted_binaries": PATHS,
    "wasi": table({}, envs=PATHS, mapped_dirs=PATHS, preopened_files=VALUES),
    "mem_pages_count": VALUES,
}
MODULE = table({"name": usually(GOOD)}, file_name=usually(GOOD), load_from=usually(PLACES), **SETTINGS)
DOCUMENT = table(
    {
        "total_memory_limit": usually(st.integers(0, MAX_SIZE) | st.sampled_from(["Infinity", "1 kB"])),
        "module": usually(st.lists(MODULE, min_size=1, max_size=2)),
        "modules_dir": usually(PLACES),
    },
    name=usually(GOOD),
    service_working_dir=usually(GOOD),
    default=table({}, **SETTINGS),
)


def toml(value: Any) -> str:
    """A value as TOML; tables are inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key(name)} = {toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return key(value)
    if isinstance(value, float):
        return repr(value) if "." in repr(value) or "e" in repr(value) or "inf" in repr(value) else f"{value!r}.0"
    return str(value).lower()


def key(text: str) -> str:
    """A text in quotes."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def accepts(text: str) -> bool:
    """True if a text is read; what is read has a JSON form that means the same."""
    config, message = None, SOURCE
    try:
        config = parse_config(text, "/", source=SOURCE).config
    except ConfigError as error:
        message = str(error)
    assert message.startswith(SOURCE)
    if config is None:
        return False
    assert ServiceConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    return True


def test_random_values() -> None:
    accepted = []

    @given(DOCUMENT)
    @example({"total_memory_limit": 0, "modules_dir": "/", "module": [{"name": "m"}]})
    @example({"total_memory_limit": 0, "default": {"wasi": {"envs": {"": ""}}}})
    def run(document: Any) -> None:
        members = document if isinstance(document, dict) else {"module": document}
        accepted.append(accepts("\n".join(f"{key(name)} = {toml(item)}" for name, item in members.items())))

    run()
    assert {True, False} == set(accepted)  # a reader that refuses everything would do nothing wrong


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("[]{}=.,'\"\n#mname_10 :-"))
def test_random_text(text: str) -> None:
    accepts(text)


def test_random_sizes() -> None:
    accepted = []

    @given(st.text("0123456789.kKmMgGtTpPiIbB eE+-"))
    def run(text: str) -> None:
        try:
            size = parse_size(text, SOURCE)
        except ConfigError:
            return
        assert size is not None
        assert 0 <= size <= MAX_SIZE
        accepted.append(size)

    run()
    assert accepted
