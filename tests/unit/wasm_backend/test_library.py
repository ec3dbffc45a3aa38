"""The runtime library of glue: `library.wat` becomes definitions without the marks of checks."""

from __future__ import annotations

from importlib.resources import files

from marine_gen.wasm_backend.library import definitions, with_numbers

SOURCE = (files("marine_gen.wasm_backend") / "library.wat").read_text("utf-8")


def test_definitions_have_no_marks_of_checks() -> None:
    """Every other line stays as it is: one with a mark behind it, and those around a mark on a line of its own."""
    lines = SOURCE.splitlines()
    alone = [line for line in lines if line.lstrip().startswith(";; check: ")]
    behind = [line for line in lines if ";; check: " in line and line not in alone]
    assert alone
    assert behind
    plain = [line.partition("  ;; check: ")[0] for line in lines if line not in alone]
    start = plain.index("  ;; Leave a fault for the runtime and stop.")
    wanted = with_numbers("\n".join(line for line in plain[start:-1] if line))
    assert "\n".join(definitions().values()) == wanted
