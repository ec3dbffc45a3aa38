"""Interface descriptions: what their text means, and that printed ones are read back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from marine_gen.diagnostics import DiagnosticError
from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Type,
    Vector,
    generate,
)
from marine_gen.generate.model import DESCRIBED_PRIMS
from marine_gen.idl import parse_description, print_description
from marine_gen.idl.grammar import description_parser, literal_texts
from marine_gen.idl.names import TYPE_WORDS
from marine_gen.parsing.grammar import grammar_text
from marine_gen.text import print_interfaces
from marine_runtime.abi.helpers import BY_EXPORT
from marine_runtime.types import Prim
from tests.support.golden import GOLDEN
from tests.support.markdown import blocks
from tests.support.paths import ROOT

POINT = """\
data Point:
  x: f64
  y: f64

import geo:
  fn area(ps: [Point], name: string, flag: bool) -> f64
  fn make_label as label(p: Point, n: u32) -> string
  fn blob() -> [u8]

import __marine_host_api_v3:
  fn log_utf8_string(level: s32, target: s32, msg_ptr: s32, msg_size: s32)

export:
  fn all(
    a: bool,
    b: s8,
    c: u16,
    d: s32,
    e: u64,
    f: f32,
    g: f64,
    s: string,
    v: [u8],
    w: [[u8]],
    q: [s64],
    p: Point,
    ps: [Point],
  ) -> [Point]
  fn flag() -> bool
"""


def test_the_complete_example_gives_its_adapters() -> None:
    description = parse_description(POINT)
    assert print_interfaces(generate(description)) + "\n" == (GOLDEN / "generate" / "point.it").read_text("utf-8")


def test_printing_is_exact() -> None:
    assert print_description(parse_description(POINT)) == POINT


def test_spelling_does_not_count() -> None:
    squeezed = 'export :\r\n\tfn f( a:[ ]u8 ,b:i32,)->i64 // why\r\n\r\ndata "R" :\n x:[[ boolean ]]\n'
    assert parse_description(squeezed.replace("boolean", "bool")) == Description(
        (RecordDeclaration("R", (Member("x", Vector(Vector(Prim.BOOLEAN))),)),),
        (Signature("f", (Member("a", Vector(Prim.U8)), Member("b", Prim.S32)), Prim.S64),),
    )


def test_words_are_names_where_names_stand() -> None:
    text = "data as:\n  data: u8\n  fn: u8\nimport import:\n  fn as as fn(export: as, u8: bool)\n"
    assert parse_description(text) == Description(
        (RecordDeclaration("as", (Member("data", Prim.U8), Member("fn", Prim.U8))),),
        (),
        (
            ExternModule(
                "import",
                (
                    ImportedFunction(
                        Signature("fn", (Member("export", Named("as")), Member("u8", Prim.BOOLEAN))), link_name="as"
                    ),
                ),
            ),
        ),
    )


def test_records_may_come_after_their_use_and_into_each_other_through_vectors() -> None:
    text = "export:\n  fn f() -> Tree\ndata Tree:\n  children: [Tree]\n"
    assert generate(parse_description(text)).exports[-1].name == "f"


def test_a_description_may_be_empty() -> None:
    assert parse_description("") == parse_description("// nothing\n\nexport:\n") == Description()
    assert print_description(Description()) == ""


def test_every_type_that_can_be_described_has_a_word() -> None:
    assert set(TYPE_WORDS.values()) == DESCRIBED_PRIMS


def test_the_grammar_is_the_file_of_the_checkout() -> None:
    file = ROOT / "grammar" / "interface.lark"
    assert grammar_text("marine_gen.idl", "interface.lark") == file.read_text("utf-8")
    assert description_parser() is description_parser()
    assert set(literal_texts().values()) >= {"data", "import", "export", "fn", "as", "->"}


def test_the_page_shows_the_language() -> None:
    page = ROOT / "docs" / "idl.md"
    (example,) = blocks(page, "idl")
    printed = print_description(parse_description(example.text))
    assert printed == "".join(line for line in example.text.splitlines(keepends=True) if not line.startswith("//"))
    words = set(re.findall(r"`(\w+)`", page.read_text("utf-8")))
    assert words >= {*TYPE_WORDS, "data", "import", "export", "fn", "as"}


WORDS = st.sampled_from(["data", "fn", "as", "u8", "string", "a b", "", '"', "\\", "é", "x-y", "1", "a\nb", "::"])
NAMES = st.one_of(st.from_regex(r"[A-Za-z_]\w{0,8}", fullmatch=True), WORDS, st.text("aé\0 \u2028\"'/$", max_size=5))
SERVICES = set(BY_EXPORT)


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    """Descriptions that `generate` takes."""
    records = draw(st.lists(NAMES.filter(lambda name: name != "Tuple"), max_size=3, unique=True))
    units = draw(st.lists(NAMES.filter(lambda name: name not in {*records, "Tuple"}), max_size=1))
    roots: st.SearchStrategy[Type] = st.sampled_from([prim for prim in Prim if prim in DESCRIBED_PRIMS])
    vectors = st.integers(1, 3)

    def types(named: list[str], *, direct: bool = True) -> st.SearchStrategy[Type]:
        inside = st.one_of(roots, st.sampled_from(records).map(Named)) if records else roots
        nested = st.builds(wrap, inside, vectors)
        outside = [roots, nested] + ([st.sampled_from(named).map(Named)] if named and direct else [])
        return st.one_of(*outside)

    def members(ty: st.SearchStrategy[Type], least: int) -> st.SearchStrategy[tuple[Member, ...]]:
        named = st.lists(st.builds(Member, NAMES, ty), min_size=least, max_size=3, unique_by=lambda item: item.name)
        return named.map(tuple)

    def signatures(count: int) -> st.SearchStrategy[list[Signature]]:
        one = st.builds(Signature, NAMES, members(types(records), 0), st.none() | types(records))
        usable = one.filter(lambda item: item.name not in SERVICES)
        return st.lists(usable, max_size=count, unique_by=lambda item: item.name)

    declared = [RecordDeclaration(name, draw(members(types(records[:at]), 1))) for at, name in enumerate(records)]
    if draw(st.booleans()):
        tuple_like = tuple(Member("", ty) for ty in draw(st.lists(types(records), min_size=1, max_size=2)))
        declared.append(RecordDeclaration("Tuple", tuple_like))
    declared += [RecordDeclaration(name, None) for name in units]
    modules = []
    for namespace in draw(st.lists(NAMES, max_size=2, unique=True)):
        functions = [ImportedFunction(item, draw(st.none() | st.just(item.name))) for item in draw(signatures(2))]
        modules.append(ExternModule(namespace, tuple(functions)))
    return Description(tuple(declared), tuple(draw(signatures(3))), tuple(modules))


def wrap(ty: Type, depth: int) -> Type:
    for _ in range(depth):
        ty = Vector(ty)
    return ty


@given(descriptions())
def test_printed_descriptions_are_read_back(description: Description) -> None:
    text = print_description(description)
    assert parse_description(text) == description
    generate(description)


@given(st.text('dataimportexportfnas abcu8string[]():,->"\n\\/'), st.integers(0, 40))
def test_whatever_is_read_gives_adapters(noise: str, at: int) -> None:
    text = POINT[:at] + noise + POINT[at:]
    try:
        description = parse_description(text)
    except DiagnosticError:
        return
    generate(description)
    assert parse_description(print_description(description)) == description
