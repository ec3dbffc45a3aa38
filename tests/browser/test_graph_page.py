"""The page of `graph` in a real browser: it opens without complaint, and choosing a row shows what belongs to it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from marine_gen.artifact import Source, compile_service
from marine_gen.graph import Graph, build_graph, render_html
from marine_runtime import ServiceConfig
from tests.support.available import unavailable
from tests.support.graphs import SERVICES, graph_of, hostile_service
from tests.support.samples import sampled

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome")

PROBE = """
<script>
  const row = document.querySelector('[data-row="m1-w0"]');
  row.dispatchEvent(new MouseEvent("mouseenter"));
  const lit = document.querySelectorAll(".g-edge.is-lit").length;
  row.dispatchEvent(new MouseEvent("click", {bubbles: true}));
  const visible = () => [...document.querySelectorAll("section")].filter((part) => part.offsetHeight > 0);
  const texts = [...document.querySelectorAll("svg text")].filter((text) => text.getBBox().width >
    Number(text.getAttribute("textLength")) + 1);
  document.body.dataset.found = `${lit} ${visible().map((part) => part.dataset.detail)} ${texts.length}`;
  document.getElementById("close").click();
  document.body.dataset.closed = visible().length;
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    """The path of a browser. Where CI runs there has to be one."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        unavailable("there is no chromium")
    return path


def visit(browser: str, page: str, folder: Path) -> tuple[str, list[str]]:
    """The document after its scripts ran, and what was written to the console."""
    path = folder / "page.html"
    path.write_text(page, "utf-8")
    # Without a sandbox, because containers and CI run as root; the page is our own.
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr"]
    command = [browser, *options, f"--user-data-dir={folder / 'profile'}", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def hostile() -> Graph:
    """Names that would like to be markup."""
    compiled = compile_service(Source("</title>", hostile_service()))
    return build_graph("</title>", compiled, ServiceConfig(), "fused")


@pytest.mark.parametrize("name", sampled([*SERVICES, "hostile"], (next(iter(SERVICES)), "hostile").__contains__))
def test_the_page_opens_and_works(browser: str, name: str, tmp_path: Path) -> None:
    graph = hostile() if name == "hostile" else graph_of(name, "fused", excerpts=lambda *_: [("IR", "</pre><b>x")])
    dom, console = visit(browser, render_html(graph).replace("</body>", f"{PROBE}</body>"), tmp_path)
    assert console == []
    ends = sum("m1-w0" in (edge.start, edge.end) for edge in graph.edges)
    found = re.search(r'data-found="([^"]*)"', dom)
    assert found is not None
    assert found[1] == f"{ends} m1-w0 0"
    assert f'data-closed="{len(graph.rows)}"' in dom


def test_complaints_would_be_seen(browser: str, tmp_path: Path) -> None:
    page = render_html(graph_of("shrek", "fused"))
    _, console = visit(browser, page.replace("</body>", "<img src='https://example.org/x.png'></body>"), tmp_path)
    assert any("Content Security Policy" in line for line in console)
    _, console = visit(browser, page.replace("</body>", "<script>nothing.there()</script></body>"), tmp_path)
    assert any("nothing is not defined" in line for line in console)
