"""The page of a served service in a real browser: by keyboard, nested forms, failures, dark mode, no complaints."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from marine_gen.generate import Description, Member, RecordDeclaration, Signature, Vector
from marine_gen.generate.model import Named
from marine_gen.serve import Access
from marine_runtime import Prim
from tests.support.available import unavailable
from tests.support.chromium import Page, browser_path, chromium
from tests.support.echo import Memory, echo_module
from tests.support.served import Served, served

pytestmark = pytest.mark.browser

TOKEN = "0123456789abcdef-token"
SCREENSHOTS = os.environ.get("MARINE_GEN_SCREENSHOTS")
"""A directory that gets the screenshots, for people."""


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A server with all kinds of functions."""
    with served() as found:
        yield found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser for all tests. Where CI runs there has to be one."""
    path = browser_path()
    if path is None:
        unavailable("there is no chromium")
    with chromium(path, tmp_path_factory.mktemp("profile")) as page:
        page.size(1280, 1000)
        yield page


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    """The browser, which must have nothing to complain about."""
    browser.open("about:blank")  # the page of another test may ask a server that is gone
    browser.wait("location.href === 'about:blank'")
    browser.complaints.clear()
    yield browser
    assert browser.complaints == []


def choose(page: Page, server: Served, module: str, function: str) -> None:
    page.open("about:blank")
    page.open(f"{server.url}/#{module}/{function}")
    page.wait(f"document.getElementById('name').textContent === '{module}.{function}'")


def outcome(page: Page) -> str:
    """The summary of a call, once it is there."""
    found: str = page.wait("document.getElementById('summary').textContent")
    return found


def shoot(page: Page, name: str, folder: Path) -> bytes:
    path = (Path(SCREENSHOTS) if SCREENSHOTS else folder) / f"{name}.png"
    page.screenshot(path)
    return path.read_bytes()


def test_a_call_by_keyboard_alone(page: Page, server: Served) -> None:
    choose(page, server, "greeting", "greeting")
    for _ in range(200):
        page.press("Tab")
        if page.evaluate("document.activeElement.tagName === 'TEXTAREA'"):
            break
    page.type("Jörg <b>&")
    page.press("Enter", control=True)
    assert outcome(page).startswith("OK")
    assert page.evaluate("document.getElementById('result').textContent") == '"Hi, Jörg <b>&"'
    assert page.evaluate("document.getElementById('history').children.length") == 1
    assert "curl" in page.evaluate("document.getElementById('command').textContent")
    page.wait("document.getElementById('figures').tBodies[0].rows.length > 0")
    page.wait("document.querySelector('#graph img')?.naturalWidth > 100")


def test_every_input_has_a_name(page: Page, server: Served) -> None:
    choose(page, server, "records_effector", "mutate_struct")
    nameless = "[...document.querySelectorAll('input, textarea, select, button')].filter((item) => "
    nameless += "!(item.labels?.length || item.textContent.trim() || item.ariaLabel)).map((item) => item.outerHTML)"
    assert page.evaluate(nameless) == []


def test_records_are_forms(page: Page, server: Served, tmp_path: Path) -> None:
    choose(page, server, "records_effector", "mutate_struct")
    fields = "document.querySelectorAll('#fields fieldset .field')"
    assert page.evaluate(f"{fields}.length") == 13
    fill = f"(() => {{ const set = (at, text) => {{ {fields}[at].querySelector('input, textarea').value = text; }};"
    fill += "set(8, '18446744073709551000'); set(11, 'text'); set(12, 'bytes'); set(1, '300'); })()"
    page.evaluate(fill)
    page.evaluate("document.getElementById('send').click()")
    assert page.wait("document.querySelector('.problem:not([hidden])')?.textContent") == "from -128 to 127"
    assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    page.evaluate(f"{fields}[1].querySelector('input').value = '-7'")
    page.evaluate("document.getElementById('send').click()")
    assert outcome(page).startswith("OK")
    assert '"field_12"' in page.evaluate("document.getElementById('result').textContent")
    light = shoot(page, "page-light", tmp_path)
    page.dark(True)
    dark = shoot(page, "page-dark", tmp_path)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 27)"
    page.dark(False)
    assert len(light) > 20_000
    assert len(dark) > 20_000
    assert light != dark


def test_arrays_in_records_in_arrays(page: Page) -> None:
    """`tree` has an array of records, each with an array of arrays."""
    item = RecordDeclaration("Item", (Member("name", Prim.STRING), Member("rows", Vector(Vector(Prim.S32)))))
    tree = Signature("tree", (Member("value", Vector(Named("Item"))),), Vector(Named("Item")))
    module = echo_module(Description(records=(item,), functions=(tree,)), Memory())
    with served({"m": module}) as server:
        choose(page, server, "m", "tree")
        press = "[...document.querySelectorAll('#fields button')].find((item) => item.textContent === '%s').click()"
        page.evaluate(press % "Add to value")
        page.evaluate(press % "Add to rows")
        page.evaluate(press % "Add to rows[0]")
        page.evaluate("document.querySelector('#fields textarea').value = 'first'")
        page.evaluate("document.querySelector('#fields input').value = '-5'")
        page.evaluate("document.getElementById('send').click()")
        assert outcome(page).startswith("OK")
        found = page.evaluate("JSON.parse(document.getElementById('result').textContent)")
        assert found == [{"name": "first", "rows": [[-5]]}]
        page.evaluate("document.querySelector('[aria-label=\"Remove value[0]\"]').click()")
        assert page.evaluate("document.querySelectorAll('#fields textarea').length") == 0


def test_nothing_is_wider_than_a_phone(page: Page, server: Served) -> None:
    page.size(400, 800)
    choose(page, server, "records_effector", "mutate_struct")
    page.wait("document.querySelector('#graph img')?.naturalWidth > 100")
    page.evaluate("document.getElementById('send').click()")
    outcome(page)
    row = "[...document.querySelectorAll('#figures th[scope=row]')].at(-1)"
    assert 0 < page.wait(f"{row}.offsetHeight") < 60  # names are not broken into letters
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.evaluate("document.getElementById('figures').scrollWidth") <= 360
    page.size(1280, 1000)


def test_bytes_as_text_and_as_numbers(page: Page, server: Served) -> None:
    choose(page, server, "bench_effector", "echo_bytes")
    page.evaluate("document.querySelector('#fields textarea').value = 'ünï'")
    page.evaluate("document.getElementById('send').click()")
    outcome(page)
    assert page.evaluate("document.getElementById('result').textContent") == "ünï"
    assert page.evaluate("document.getElementById('extra').textContent").startswith("5 B")
    page.evaluate("document.querySelector('#fields select').value = 'hex'")
    page.evaluate("document.querySelector('#fields textarea').value = 'abc'")
    page.evaluate("document.getElementById('send').click()")
    page.wait("document.querySelector('.problem:not([hidden])') !== null")


def test_the_reference_lists_every_operation(page: Page, server: Served) -> None:
    page.open(f"{server.url}/docs")
    page.wait("document.querySelectorAll('article').length > 40")
    text = page.evaluate("document.body.innerText")
    assert "POST /greeting/greeting" in text
    assert "TestRecord" in text


def test_a_failure_says_what_and_where(browser: Page, server: Served) -> None:
    choose(browser, server, "lab", "trap")
    browser.evaluate("document.getElementById('send').click()")
    assert "The guest trapped" in outcome(browser)
    browser.evaluate("document.getElementById('summary').textContent = ''")
    browser.evaluate("document.querySelector('#history button').click()")
    assert browser.evaluate("document.getElementById('name').textContent") == "lab.trap"
    # A browser notes every status of failure in its console.
    assert all("500" in text for text in browser.complaints)


def test_a_call_can_be_stopped(page: Page, server: Served) -> None:
    choose(page, server, "endless", "spin")
    page.evaluate("document.getElementById('send').click()")
    page.wait("!document.getElementById('stop').disabled")
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    page.evaluate("document.getElementById('stop').click()")
    assert "stopped" in outcome(page)


def test_a_token_is_asked_for_once(browser: Page) -> None:
    with served(access=Access(TOKEN)) as server:
        browser.open(f"{server.url}/")
        browser.wait("document.getElementById('login').open")
        browser.type(TOKEN)
        browser.press("Enter")
        browser.wait("document.getElementById('name').textContent.includes('.')")
        browser.wait("document.querySelector('#graph img')?.naturalWidth > 100")
        assert not browser.evaluate("document.getElementById('login').open")
        browser.evaluate("document.querySelector('#functions button').click()")
        browser.evaluate("document.getElementById('send').click()")
        outcome(browser)
        command = browser.evaluate("document.getElementById('command').textContent")
        assert '-H "Authorization: Bearer $MARINE_GEN_TOKEN"' in command
        assert TOKEN not in command


def test_names_that_would_be_markup_are_text(page: Page) -> None:
    from tests.support.engines import guests

    name = "<img src=x onerror=alert(1)>'\"&$(exit 7)"
    with served({name: guests("greeting")["greeting"]}) as server:
        page.open(f"{server.url}/")
        page.wait("document.getElementById('name').textContent.includes('onerror')")
        assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
        page.evaluate("document.querySelector('#fields textarea').value = \"it's $HOME\"")
        page.evaluate("document.getElementById('send').click()")
        assert outcome(page).startswith("OK")
        command = page.evaluate("document.getElementById('command').textContent").replace("\\\n", "")
        program, url, _, kind, _, body = shlex.split(command)
        assert (program, body) == ("curl", '["it\'s $HOME"]')
        found = httpx.post(url, content=body, headers={"Content-Type": kind.removeprefix("Content-Type: ")})
        assert found.json() == "Hi, it's $HOME"


_ATTACK = """
(async () => {
  const seen = [];
  const post = (path, options) => fetch("%(url)s/" + path, { method: "POST", mode: "no-cors", ...options })
    .then((answer) => seen.push(answer.type), (error) => seen.push("failed"));
  await post("greeting/greeting", { body: '["x"]' });
  await post("greeting/greeting", { mode: "cors", body: '["x"]', headers: { "Content-Type": "application/json" } });
  await post("instances", {});
  const form = document.createElement("form"), frame = document.createElement("iframe");
  Object.assign(form, { method: "post", action: "%(url)s/greeting/greeting", enctype: "text/plain", target: "frame" });
  form.innerHTML = '<input name="[&quot;a" value="b&quot;]">';
  frame.name = "frame";
  document.body.append(frame, form);
  await new Promise((resolve) => { frame.onload = resolve; form.submit(); });
  await fetch("%(url)s/interface").then((answer) => seen.push(answer.status), () => seen.push("failed"));
  return seen;
})()
"""


def test_pages_of_other_servers_reach_nothing(browser: Page, server: Served) -> None:
    from tests.support.engines import guests

    with served(guests("greeting")) as target:
        for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
            browser.open(f"{url}/health")
            browser.wait("document.body !== null && location.pathname === '/health'")
            seen = browser.evaluate(_ATTACK % {"url": target.url})
            assert seen == ["opaque", "failed", "opaque", "failed"]
        figures = target.application.figures
        assert (figures.functions, len(target.application.instances)) == ({}, 0)
        assert figures.statuses[403] >= 6
