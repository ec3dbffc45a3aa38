"""The page about crossing a module boundary shows what the compiler makes today."""

from __future__ import annotations

from marine_gen.artifact import compile_service, read_target
from marine_gen.artifact.fused import fuse
from marine_gen.passes import print_fused
from tests.guests.descriptions import EXAMPLE_FOLDER, ROOT

PAGE = (ROOT / "docs" / "crossing.md").read_text("utf-8")


def test_the_page_shows_the_generated_steps_and_wasm() -> None:
    facade = fuse(compile_service(read_target(EXAMPLE_FOLDER / "Config.toml")))[-1]
    assert facade is not None
    assert f"```text\n{print_fused(facade.module.imports['curl', 'download'])}```" in PAGE
    start = facade.code.glue.index("  ;; import curl.download")
    function = facade.code.glue[start : facade.code.glue.index("\n\n", start)]
    assert f"```wat\n{function}\n```" in PAGE
    assert len(function.splitlines()) > 40
