"""Findings in the description of a module, which are reported at the Rust item."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.generate.sections import PREFIXES
from marine_gen.wasm import append_custom_section
from tests.rust.modules import described
from tests.rust.stand_in import StandIn

Run = Callable[..., Result]


SOURCE = """\
// fn greeting is not here
use marine_rs_sdk::marine;

fn other() { let text = "fn greeting"; }

#[marine]
pub fn greeting(name: Name) -> String {
}

#[marine]
pub struct Name {}

#[marine]
#[module_import("donkey")]
extern "C" {
    #[link_name = "say"]
    fn donkey_say(name: Name);
}
"""


def section(name: str, item: object) -> bytes:
    """A module with a section of this name."""
    content = item if isinstance(item, bytes) else json.dumps(item).encode()
    return append_custom_section(described(), f"{PREFIXES[0]}{name}", content)


def function(name: str, ty: object) -> dict[str, object]:
    """A function with one argument."""
    return {"name": name, "arguments": [{"name": "name", "ty": ty}], "output_types": []}


@pytest.mark.parametrize(
    ("wasm", "item", "place"),
    [
        (described(argument="Strng"), "`fn greeting`", "7:8"),
        (section("Name", b"{"), "`struct Name`", "11:12"),
        (section("Name", {"ast_type": "Record", "name": "Name", "fields": {"Named": []}}), "`struct Name`", "11:12"),
        (
            section(
                "donkey",
                {
                    "ast_type": "ExternMod",
                    "namespace": "donkey",
                    "imports": [
                        {"signature": function("donkey_say", {"Record": ["No", "ByValue"]}), "link_name": "say"}
                    ],
                },
            ),
            "`fn say`",
            "16:20",
        ),
        (section("donkey", {"ast_type": "ExternMod"}), '`extern block of "donkey"`', "14:18"),
        (section("missing", b"{"), "`fn missing` or `struct missing` or `extern block of", None),
    ],
)
def test_mistakes_in_the_description_name_the_item(
    run: Run, folder: Path, cargo: StandIn, wasm: bytes, item: str, place: str | None
) -> None:
    source = folder / "ws" / "facade" / "src" / "main.rs"
    source.write_text(SOURCE)
    bad = folder / "bad.wasm"
    bad.write_bytes(wasm)
    modules = [(*module[:3], str(bad)) if module[1] == "facade" else module for module in cargo.modules]
    cargo.save(modules=modules)
    done = run("guest", "build-rust", "ws")
    made = folder / "stand in" / "target" / "wasm32-wasip1" / "debug" / "facade.wasm"
    assert done.exit_code == 1
    assert f"in {item}" in done.stderr
    assert "of crate `facade`" in done.stderr
    if place is None:
        assert f"--> {made}" in done.stderr
    else:
        assert f"--> ws/facade/src/main.rs:{place}\n" in done.stderr
        assert f"note: found in `{made}`\n" in done.stderr
        line, column = map(int, place.split(":"))
        assert re.search(rf"\n {line} \| (.*)\n +\| {' ' * (column - 1)}\^", done.stderr)
    assert (folder / "ws" / "artifacts" / "storage.wasm").exists()
    assert not (folder / "ws" / "artifacts" / "facade.wasm").exists()
