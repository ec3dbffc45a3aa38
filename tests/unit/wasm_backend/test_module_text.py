"""The Wasm text of the fused backend: valid, deterministic, readable, and no larger than the types ask for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import wasmtime

from marine_gen.artifact import build, read_target
from marine_gen.generate import Member, Named, RecordDeclaration, Signature, Vector
from marine_gen.wasm_backend import FusedCode
from marine_gen.wasm_backend.imports import GlueImports
from marine_runtime.texts import MAX_IDENTIFIER
from marine_runtime.types import Prim
from tests.guests.descriptions import GUESTS
from tests.support.echo import chain, function
from tests.support.engines import Modules, guest, guests
from tests.support.fused import fused_outputs
from tests.support.golden import GOLDEN, check_file

SHREK = guests("donkey", "shrek")
EVERYTHING = {item.name: guest(item.name) for item in GUESTS}
RESERVED = ("staging", "utf8", "check", "copy", "write", "move", "new", "refuse", "export", "import", "core", "fault")
HOSTILE = (
    *RESERVED,
    *('"', "a\nb", ";;", "(;", ";)", "(module)", ")", "$", "\\", "\0", "", " ", "{{ title }}", "é", "имя", "\u202e"),
    *("x" * 10_240, "\n(unreachable)\n", "x" * 255),
)


def code(modules: Modules) -> dict[str, FusedCode]:
    return {name: output.code for name, output in fused_outputs(modules).items() if output}


@pytest.mark.parametrize("kind", ["glue", "stub"])
def test_golden(kind: str) -> None:
    text: str = getattr(code(SHREK)["shrek"], kind)
    check_file(GOLDEN / "fused" / f"shrek.{kind}.wat", text)


def test_everything_validates() -> None:
    engine = wasmtime.Engine()
    for name, found in code(EVERYTHING).items():
        assert found.glue, name
        for text in filter(None, (found.glue, found.stub)):
            wasmtime.Module.validate(engine, wasmtime.wat2wasm(text))


def test_text_is_tidy() -> None:
    """Printable ASCII, no blanks at line ends, no repeated blank lines, indented by two."""
    for found in code(EVERYTHING).values():
        for text in filter(None, (found.glue, found.stub)):
            assert text.isascii()
            assert text.endswith(")\n")
            lines = text.split("\n")
            assert not [line for line in lines if line != line.rstrip() or (len(line) - len(line.lstrip())) % 2]
            assert "\n\n\n" not in text


def test_nothing_is_defined_in_vain() -> None:
    for name, found in code(EVERYTHING).items():
        defined = set(re.findall(r"^  \((?:func|global) (\$[\w.]+)", found.glue, re.MULTILINE))
        used = set(re.findall(r"\((?:call|global\.[gs]et) (\$[\w.]+)", found.glue))
        table = set(re.findall(r"\$[\w.]+", found.glue.partition("(elem (table $stub)")[2]))
        assert defined - used - table == set(), name


def test_builds_are_equal(tmp_path: Path) -> None:
    directories = [build(read_target(dict(SHREK)), tmp_path / name).directory for name in ("one", "two")]
    contents = [{item.name: item.read_bytes() for item in directory.iterdir()} for directory in directories]
    assert contents[0].keys() == contents[1].keys()
    assert {"shrek.glue.wat", "shrek.glue.wasm", "shrek.stub.wat", "shrek_fused.py"} <= contents[0].keys()
    assert [name for name, data in contents[0].items() if contents[1][name] != data] == []


def test_order_of_modules_is_the_only_other_input() -> None:
    """Modules that take no part change positions, not code."""
    first = code(SHREK)["shrek"]
    assert code({"greeting": guest("greeting"), **SHREK})["donkey"].glue != code(SHREK)["donkey"].glue
    assert code({**SHREK, "greeting": guest("greeting")})["shrek"] == first


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_hostile_module_names(name: str) -> None:
    """As a module of its own and as one that others call; what is not fit for an import can still be first."""
    signature = function("f", Prim.STRING, Vector(Vector(Prim.STRING)))
    plain = chain([signature])
    for modules in ({name: plain["inner"]}, {"inner": plain["inner"], name: plain["outer"]}):
        for found in code(modules).values():
            assert found.glue.isascii()
            assert max(map(len, found.glue.split("\n"))) < 600
            wasmtime.wat2wasm(found.glue)


def test_symbols_stay_apart() -> None:
    """Also names that are mangled to the same identifier, and symbols that the glue has itself."""
    names = [*HOSTILE, "a b", "a.b", "a-b", "a_b", "a_b_2"]
    places = GlueImports(dict.fromkeys(names))  # type: ignore[arg-type]
    symbols = [places.symbol(name) for name in names]
    assert len(set(symbols)) == len(names)
    assert not set(symbols) & (set(RESERVED) - {"core", "fault"})
    assert max(map(len, symbols)) <= MAX_IDENTIFIER


def family(depth: int) -> dict[str, bytes]:
    """Records of which each has three fields of the one before it, in three ways."""
    records = [RecordDeclaration("R0", (Member("text", Prim.STRING), Member("number", Prim.U8)))]
    for level in range(1, depth):
        inner = Named(f"R{level - 1}")
        fields = (Member("a", inner), Member("b", Vector(inner)), Member("c", Vector(Vector(inner))))
        records.append(RecordDeclaration(f"R{level}", fields))
    return chain([Signature("f", (Member("x", Named(f"R{depth - 1}")),), Named(f"R{depth - 1}"))], records)


def test_size_grows_with_the_types() -> None:
    """Not with the paths through them, which are 3 to the power of the depth. At first, adapters have room for more."""
    sizes = {depth: len(wasmtime.wat2wasm(code(family(depth))["outer"].glue)) for depth in (4, 8, 16, 32)}
    steps = [(sizes[depth] - sizes[depth // 2]) / (depth // 2) for depth in (16, 32)]
    assert max(steps) < 1.3 * min(steps), sizes
    assert sizes[32] < 9 * sizes[4], sizes


def test_size_does_not_grow_with_repeated_use() -> None:
    """Functions over the same types share all helpers."""
    texts = [function(f"f{index}", Vector(Vector(Prim.STRING))) for index in range(20)]
    sizes = {count: len(wasmtime.wat2wasm(code(chain(texts[:count]))["outer"].glue)) for count in (1, 10, 20)}
    assert sizes[20] - sizes[10] < 1.2 * (sizes[10] - sizes[1])


def test_recursive_types_are_finite() -> None:
    tree = RecordDeclaration("Tree", (Member("name", Prim.STRING), Member("children", Vector(Named("Tree")))))
    found = code(chain([function("f", Vector(Named("Tree")))], [tree]))["outer"].glue
    wasmtime.wat2wasm(found)
    # Staging to outer and back, inner to outer and back: each tree is copied in the loop over the array that has it.
    copies = [line for line in found.split("\n") if line.startswith("  (func $copy.") and ".array_" in line]
    assert len(copies) == 4
