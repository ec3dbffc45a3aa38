"""`marine-gen interface` and `aqua`: exact output, and descriptions that give the same adapters again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.cli.commands.aqua import pascal_case
from marine_gen.generate import generate
from marine_gen.idl import parse_description
from marine_gen.text import print_interfaces
from tests.guests.descriptions import GUESTS, HOSTILE, Guest
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.paths import ROOT

Run = Callable[..., Result]

PAGE = """\
data Page:
  title: string
  links: [Page]
import curl:
  fn download(url: string) -> Page
export:
  fn zoom(page: [[Page]], times: s8) -> [u8]
  fn nothing()
"""
RAW = """\
(@interface it_version "0.28.0")
(@interface type (func (param $a: i32) (result u8 i64)))
(@interface type (record $R (field $x: u8)))
(@interface type (record $R (field $y: array (i64))))
(@interface func (type 0) arg.get 0)
(@interface export "f" (func 0))
(@interface implement (func 0) (func 0))
"""
FILES = {
    "page.idl": PAGE,
    "broken.idl": PAGE.replace("string", "strng").replace("fn nothing()", "nothing()"),
    "circle.idl": (
        "data A:\n  b: [B]\ndata B:\n  c: [C]\n  d: D\ndata C:\n  a: [A]\ndata D:\n  x: u8\nexport:\n  fn f(c: C)\n"
    ),
    "service.toml": 'modules_dir = "tests/guests"\n[[module]]\nname = "donkey"\n[[module]]\nname = "shrek"\n',
    "empty.it": '(@interface it_version "0.28.0")',
    "raw.it": RAW,
    "wrong.it": RAW.replace("(func 0))\n", "(func 7))\n"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: files of these tests beside the project's folders."""
    for name in ("tests", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("case", load_cases(GOLDEN / "cli" / "listing.golden"), ids=str)
def test_every_command_in_the_listing_prints(run: Run, case: Case) -> None:
    result = run(*case.input.split())
    # Two spaces at the end of a line are part of Aqua's output; the arrow keeps editors from removing them.
    shown = result.output.replace("  \n", "  ↵\n")
    case.check(f"exit code {result.exit_code}\n{shown}".rstrip("\n"))


@pytest.mark.parametrize("guest", [*GUESTS, *HOSTILE], ids=lambda guest: guest.name)
def test_a_printed_description_gives_the_same_adapters(run: Run, guest: Guest) -> None:
    text = run("interface", "--idl", guest.adapters).stdout
    assert print_interfaces(generate(parse_description(text))) + "\n" == guest.adapters.read_text("utf-8")


def test_every_number_of_records_is_kept(run: Run, folder: Path) -> None:
    """Records that are mentioned before they are declared, in several ways."""
    text = (
        "data A:\n  d: [D]\n  c: C\ndata B:\n  e: [E]\ndata C:\n  x: u8\ndata D:\n  b: [B]\n  d: [D]\n"
        "data E:\n  a: [A]\n  f: F\ndata F(u8)\n"
    )
    (folder / "m.idl").write_text(text)
    again = run("interface", "--idl", "m.idl").stdout
    assert generate(parse_description(again)) == generate(parse_description(text))


@pytest.mark.usefixtures("folder")
def test_interface_as_json(run: Run) -> None:
    assert json.loads(run("interface", "page.idl", "--json").stdout) == {
        "modules": [
            {
                "name": "page",
                "records": [
                    {
                        "name": "Page",
                        "fields": [{"name": "title", "type": "string"}, {"name": "links", "type": "[]Page"}],
                    }
                ],
                "functions": [
                    {
                        "name": "zoom",
                        "params": [{"name": "page", "type": "[][]Page"}, {"name": "times", "type": "i8"}],
                        "results": ["[]u8"],
                    },
                    {"name": "nothing", "params": [], "results": []},
                ],
            }
        ]
    }


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("greeting-record", "GreetingRecord"),
        ("TestServiceName", "TestServiceName"),
        ("curl_adapter.v2", "CurlAdapterV2"),
        ("HTTP_server", "HttpServer"),
        ("HTTPServer", "Httpserver"),
        ("getURL", "GetURL"),
        ("v2beta", "V2Beta"),
        ("__3d view-", "3DView"),
        ("größe", "Größe"),
        ("éCole", "école"),
        ("-_-", ""),
    ],
)
def test_names_of_services(name: str, wanted: str) -> None:
    assert pascal_case(name) == wanted


def test_a_name_stays_on_its_line(run: Run, folder: Path) -> None:
    (folder / "raw.it").write_text(RAW.replace('"f"', r'"f\n  func g"'))
    assert run("interface", "raw.it").stdout.splitlines()[-1] == r"  func f\n  func g(a: i32) -> u8, i64"


REFUSED_BY_AQUA = """\
data 2R:
  X: u8
data none(u8)
data Ring:
  next: [Ring]
data Refused:
  x: u8
export:
  fn Great(a: 2R, b: Ring, c: Refused)
  fn größe(_a: u8)
"""


def test_what_aqua_refuses_is_refused(run: Run, folder: Path) -> None:
    text = REFUSED_BY_AQUA.replace("data none(u8)\n", "")
    (folder / "refused.idl").write_text(text.replace("2R", '"2R"').replace("größe", '"größe"'), encoding="utf-8")
    result = run("aqua", "refused.idl", "-i", "a\tb")
    assert (result.exit_code, result.stdout) == (1, "")
    said = [line.removeprefix("error: Aqua does not accept ").partition(":")[0] for line in result.stderr.splitlines()]
    assert said == [
        "the service id 'a\\tb'",
        "the function name `Great`",
        "the function name `größe`",
        "the record name `2R`",
        "the field name `X` of record `2R`",
        "a record that contains itself, such as `Ring`",
        "a record with the name of the service, `Refused`; choose another name with --service",
    ]


def test_parameters_get_names_that_aqua_takes(run: Run, folder: Path) -> None:
    (folder / "p.idl").write_text(
        'export:\n  fn f(_a: u8, Name: u8, a: u8, "é-x": u8, "_": u8, "2": u8) -> u8\n', encoding="utf-8"
    )
    line = "  f(a_1: u8, name: u8, a_3: u8, x: u8, value_5: u8, value_6: u8) -> u8"
    assert run("aqua", "p.idl").stdout.splitlines()[-1] == line
