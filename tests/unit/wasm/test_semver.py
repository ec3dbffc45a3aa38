"""Semantic versions: what is one, and which comes first."""

from __future__ import annotations

from itertools import pairwise

import pytest

from marine_gen.wasm import Version, parse_version

ORDERED = (
    "0.0.0",
    "0.0.1-0",
    "0.0.1-9",
    "0.0.1-10",
    "0.0.1-" + "9" * 5000,
    "0.0.1--",
    "0.0.1-alpha",
    "0.0.1-alpha.1",
    "0.0.1-alpha.beta",
    "0.0.1-beta.2",
    "0.0.1-beta.11",
    "0.0.1",
    "0.9.0",
    "0.10.0",
    "18446744073709551615.0.0",
)


@pytest.mark.parametrize("text", [*ORDERED, "1.2.3-rc.1+build.007", "1.2.3+0"])
def test_a_version_prints_as_it_was(text: str) -> None:
    assert str(parse_version(text)) == text


def test_precedence() -> None:
    versions = [parse_version(text) for text in ORDERED]
    for low, high in pairwise(versions):
        assert low < high
        assert high > low
        assert low != high
        assert low <= high
    assert sorted(set(versions)) == versions


def test_the_build_has_no_precedence() -> None:
    assert parse_version("1.0.0+a") == parse_version("1.0.0+b")
    assert not parse_version("1.0.0+a") < parse_version("1.0.0+b")
    assert hash(parse_version("1.0.0+a")) == hash(parse_version("1.0.0"))


def test_other_things_do_not_compare() -> None:
    assert Version(1, 0, 0) != "1.0.0"
    with pytest.raises(TypeError):
        Version(1, 0, 0) < 1  # type: ignore[operator]  # noqa: B015


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "01.2.3",
        "1.2.03",
        "-1.2.3",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2.3+",
        "v1.2.3",
        " 1.2.3",
        "1.2.3\n",
        "1.2.٣",
        "18446744073709551616.0.0",
        "1.0." + "9" * 5000,
        "x" * 100,
    ],
)
def test_what_is_not_a_version(text: str) -> None:
    with pytest.raises(ValueError, match="semantic version") as caught:
        parse_version(text)
    assert len(str(caught.value)) < 120
