"""Generated Python: what it looks like, that it depends on nothing but its input, and how it fails."""

from __future__ import annotations

import ast
import linecache
import re
import subprocess
import sys
import traceback
from pathlib import Path
from types import FrameType

import pytest

import marine_gen
from marine_gen.artifact import compile_module
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Vector, generate
from marine_gen.ir import build_module
from marine_gen.python_backend import generate as generate_python
from marine_runtime import CallError
from marine_runtime.errors import Site
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module
from tests.support.engines import guest, guests, load
from tests.support.golden import GOLDEN, check_file
from tests.support.paths import ROOT
from tests.support.troubles import modules

FOLDER = GOLDEN / "generated"
MODULES = ("shrek", "records_passing_pure", "arrays_passing_pure", "arguments_passing_pure", "call_parameters")


def test_a_whole_module() -> None:
    generated = compile_module("shrek", guest("shrek")).generate()
    check_file(FOLDER / "shrek.py.txt", generated.source)
    check_file(FOLDER / "shrek.pyi.txt", generated.stub)


def test_a_module_with_records() -> None:
    generated = compile_module("records_passing_pure", guest("records_passing_pure")).generate()
    check_file(FOLDER / "records_passing_pure.py.txt", generated.source)
    check_file(FOLDER / "records_passing_pure.pyi.txt", generated.stub)


def test_records_of_thousands_of_fields_compile() -> None:
    """Their fields' costs were one sum, in which the compiler of Python went too deep."""
    members = tuple(Member(f"f{number}", (Prim.STRING, Prim.U32)[number % 2]) for number in range(3000))
    echo = Signature("echo", (Member("value", Named("Wide")),), Named("Wide"))
    wasm = echo_module(Description((RecordDeclaration("Wide", members),), (echo,)), Memory())
    source = compile_module("m", wasm).generate().source
    compile(ast.parse(source), "m.py", "exec")


def calls(count: int) -> int:
    """Python calls that it takes to generate the code for so many records in each other."""
    kinds = [Prim.U32, *(Named(f"R{number}") for number in range(count))]
    records = [RecordDeclaration(f"R{number}", (Member("inner", kinds[number]),)) for number in range(count)]
    wasm = echo_module(Description(records, (Signature("echo", (Member("value", kinds[-1]),), kinds[-1]),)), Memory())
    module = compile_module("m", wasm)
    made = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal made
        made += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        module.generate()
    finally:
        sys.setprofile(before)
    return made


def test_generating_grows_in_line_with_the_levels_of_records() -> None:
    """The search for types that contain themselves grew with the cube of the levels."""
    assert calls(64) < 3 * calls(32)


def test_the_output_depends_on_the_input_only() -> None:
    """Two processes with other hash seeds write the same bytes."""
    program = (
        "import sys\n"
        "from marine_gen.artifact import compile_module\n"
        "from tests.support.engines import guest\n"
        "for name in sys.argv[1:]:\n"
        "    generated = compile_module(name, guest(name)).generate()\n"
        "    sys.stdout.write(generated.source + generated.stub)\n"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program, *MODULES],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 10_000


@pytest.mark.parametrize("name", MODULES)
def test_the_line_table_agrees_with_the_comments(name: str) -> None:
    """Each instruction has a comment; the lines after it, up to the next one, belong to it."""
    compiled = compile_module(name, guest(name))
    source = compiled.generate().source
    namespace: dict[str, object] = {"__name__": "generated"}
    sys.modules["generated"] = type(sys)("generated")
    try:
        exec(compile(source, name, "exec"), namespace)
    finally:
        del sys.modules["generated"]
    sites = namespace["__marine_sites__"]
    mark = re.compile(r"        # #(\d+) (.*)$")
    current: tuple[int, str] | None = None
    seen = 0
    for number, line in enumerate(source.splitlines(), start=1):
        if found := mark.match(line):
            current = (int(found[1]), found[2])
            seen += 1
        elif line.startswith("    def ") or not line.strip():
            current = None
        site = sites.at(number)  # type: ignore[attr-defined]
        if current is None:
            assert site is None, (number, line)
        else:
            assert isinstance(site, Site)
            assert (site.module, site.index, site.instruction) == (name, *current), (number, line)
    # Instructions that only rename have no code, and no comment.
    assert seen >= 3


def test_a_traceback_shows_generated_lines() -> None:
    with load(modules("bad_values"), "closures") as service, pytest.raises(CallError) as caught:
        service.call("outer", "text", [""])
    text = "".join(traceback.format_exception(caught.value))
    assert re.search(r'inner\.py", line \d+, in __export_text\n    text\d+ = __lift_string\(', text)
    assert re.search(r'outer\.py", line \d+, in __import_inner_text\n    text\d+ = __callee_inner_text\(', text)
    assert "module `inner`, export adapter of `text`, instruction #9 `string.lift_memory`" in text


def test_code_that_is_not_kept_has_lines_too() -> None:
    """Without a cache the files are gone after loading; their lines are registered as long as the service lives."""
    files = set(linecache.cache)
    service = marine_gen.load(modules("bad_values"), engine="closures", cache=False)
    with service, pytest.raises(CallError) as caught:
        service.call("inner", "text", [""])
    text = "".join(traceback.format_exception(caught.value))
    found = re.search(r'File "(.*inner\.py)", line \d+, in __export_text\n    text\d+ = __lift_string\(', text)
    assert found
    assert not Path(found[1]).exists()
    assert found[1] in set(linecache.cache) - files


def nested(levels: int) -> int:
    """Length of the code for records that each hold two of the one before, in two functions."""
    records = [RecordDeclaration("R0", (Member("x", Prim.U8),))]
    for number in range(1, levels):
        inner = Named(f"R{number - 1}")
        fields = (Member("a", inner), Member("b", inner), Member("c", Vector(Vector(inner))))
        records.append(RecordDeclaration(f"R{number}", fields))
    last = Named(f"R{levels - 1}")
    functions = tuple(Signature(name, (Member("x", last),), last) for name in ("f", "g"))
    module = build_module("m", generate(Description(tuple(records), functions)))
    return len(generate_python(module, generator="test", digest="0").source)


def test_the_size_grows_with_the_types() -> None:
    """Types are outlined: without that, each level would double the code."""
    short, long = nested(20), nested(40)
    assert long < 2.2 * short


def test_the_entries_are_documented_and_named() -> None:
    with load(guests("donkey", "shrek"), "closures") as service:
        entry = service.modules.shrek.greeting
        assert entry.__doc__ == "greeting(name: string) -> []string"
