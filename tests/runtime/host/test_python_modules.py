"""Python objects in the place of modules: linked by name and signature, called with interface values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import marine_gen
import marine_runtime
from marine_gen import DiagnosticError
from marine_gen.artifact import compile_module
from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Vector,
)
from marine_gen.passes import fuse_service
from marine_runtime import (
    S32,
    ArgumentError,
    ConfigError,
    HostFunction,
    LinkError,
    PythonModule,
    Service,
    StateError,
)
from marine_runtime.types import Array, Field, Prim, RecordType
from tests.support.echo import Memory, chain, echo_module, function
from tests.support.engines import Configuration, guest, outcome, shown

Serve = Callable[..., Service]

PAIR = RecordDeclaration("Pair", (Member("name", Prim.STRING), Member("numbers", Vector(Prim.S32))))
FUNCTIONS = (
    function("text", Prim.STRING),
    function("number", Prim.S32),
    function("pairs", Vector(Named("Pair"))),
)


@dataclass
class Entry:
    key: str
    values: list[S32]


def text(value: str) -> str:
    if value == "fail":
        raise LookupError("mine")
    return value[::-1] if value != "wrong" else 7  # type: ignore[return-value]


def number(value: S32) -> S32:
    return value + 1


def pairs(entries: list[Entry]) -> list[Entry]:
    return [Entry(entry.key.upper(), entry.values[::-1]) for entry in entries]


INNER = PythonModule("inner", {"text": text, "number": number, "pairs": pairs})


def outer() -> bytes:
    imported = ExternModule("inner", tuple(map(ImportedFunction, FUNCTIONS)))
    return echo_module(Description((PAIR,), FUNCTIONS, imports=(imported,)), Memory())


def test_a_wasm_module_imports_it(serve: Serve) -> None:
    service = serve({"inner": INNER, "outer": outer()})
    assert service.call("outer", "text", ["añb"]) == "bña"
    assert service.call("outer", "number", [41]) == 42
    assert shown(service.call("outer", "pairs", [[("a", [1, 2]), ("", [])]])) == shown([("A", [2, 1]), ("", [])])
    assert service.call_batch("outer", "number", [[1], [2]]) == [2, 3]


def test_it_is_listed_and_called_like_a_module(configuration: Configuration, serve: Serve) -> None:
    first = chain([function("plain", Prim.STRING)])["inner"]
    service = serve({"first": first, "inner": INNER, "outer": outer()})
    assert list(service.modules) == list(service.interface.modules) == ["first", "inner", "outer"]
    assert service.engine == configuration.engine
    assert service.call("inner", "text", ["ab"]) == service.modules.inner.text("ab") == "ba"
    assert service.call_json("inner", "pairs", '[[{"key":"k","values":[1,2]}]]') == '[{"key":"K","values":[2,1]}]'
    entry = service.modules.inner.pairs([("k", [1])])[0]
    assert type(entry) is service.modules.inner.records["Entry"]
    assert service.call_batch("inner", "number", [[1], [2]]) == [2, 3]
    with pytest.raises(ArgumentError, match="expected string, got int"):
        service.modules.inner.text(1)


def test_a_fused_importer_calls_python_from_the_glue(serve: Serve) -> None:
    """Imports of the Python module are fused like those of Wasm modules beside them."""
    plain = function("plain", Prim.STRING)
    wasm = echo_module(Description((), (plain,)), Memory())
    modules = (
        ExternModule("inner", (ImportedFunction(FUNCTIONS[0]),)),
        ExternModule("wasm", (ImportedFunction(plain),)),
    )
    both = echo_module(Description((), (FUNCTIONS[0], plain), imports=modules), Memory())
    ir = fuse_service([compile_module("wasm", wasm).ir, compile_module("both", both).ir]).modules["both"]
    assert list(ir.imports) == [("inner", "text"), ("wasm", "plain")]
    assert ir.unfused == {}
    service = serve({"wasm": wasm, "inner": INNER, "both": both})
    for _ in range(3):
        assert service.call("both", "text", ["abc"]) == "cba"
        assert service.call("both", "plain", ["abc"]) == "abc"


def test_errors_of_python_modules(serve: Serve) -> None:
    service = serve({"inner": INNER, "outer": outer()})
    with pytest.raises(LookupError, match="mine"):
        service.call("outer", "text", ["fail"])
    reason = "the host function returned a value that does not fit: expected string, got int"
    place = "module `inner`, export adapter of `text`, instruction #0 `(Python function)`"
    found = outcome(lambda: service.call("outer", "text", ["wrong"]))
    assert found.error[-1] == f"CallError: {place}: {reason}"
    assert len(found.error) == 3  # out of the Python function, the import and the export
    assert outcome(lambda: service.call("inner", "text", ["wrong"])).error == (f"CallError: {place}: {reason}",)
    assert service.call("outer", "text", ["ab"]) == "ba"


def test_calling_back_is_refused(serve: Serve) -> None:
    services: list[Service] = []

    def text(value: str) -> str:
        return str(services[0].call("inner", "text", [value]))

    module = PythonModule("inner", {"text": text})
    imported = ExternModule("inner", (ImportedFunction(FUNCTIONS[0]),))
    services.append(
        serve({"inner": module, "outer": echo_module(Description((), FUNCTIONS[:1], imports=(imported,)), Memory())})
    )
    with pytest.raises(StateError, match="busy"):
        services[0].call("outer", "text", ["x"])
    services.clear()


def test_explicit_types_share_records(serve: Serve) -> None:
    pair = RecordType("Pair", (Field("name", Prim.STRING), Field("numbers", Array(Prim.S32))))
    nested = RecordType("Nested", (Field("pair", pair),))  # type: ignore[arg-type]
    module = PythonModule(
        "inner",
        {
            "text": text,
            "number": number,
            "pairs": HostFunction.of(lambda items: items[::-1], [Array(pair)], Array(pair)),  # type: ignore[arg-type]
            "nested": HostFunction.of(lambda item: item.pair, [nested], pair),
        },
    )
    assert sorted(record.name for record in module.plan.records.values()) == ["Nested", "Pair"]
    service = serve({"inner": module, "outer": outer()})
    assert shown(service.call("outer", "pairs", [[("a", [1]), ("b", [])]])) == shown([("b", []), ("a", [1])])
    assert shown(service.call("inner", "nested", [(("c", [3]),)])) == shown(("c", [3]))


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"outer": outer(), "inner": INNER}, "but `inner` comes after it"),
        ({"inner": PythonModule("inner", {"text": text}), "outer": outer()}, "has no function `number`"),
        (
            {"inner": PythonModule("inner", {"text": text, "number": text, "pairs": pairs}), "outer": outer()},
            "another signature",
        ),
    ],
)
def test_what_does_not_link(serve: Serve, modules: dict[str, Any], message: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        serve(modules)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "functions", "message"),
    [
        (3, {}, "the name of a module must be a non-empty string, not 3"),
        ("", {}, "the name of a module must be a non-empty string, not ''"),
        ("m", [len], "module `m` needs a mapping of names to functions, not list"),
        ("m", None, "module `m` needs a mapping of names to functions, not NoneType"),
        ("m", {3: len}, "the name of a function of module `m` must be a string, not 3"),
        ("m", {"f": 3}, "function `f` of module `m` must be a function, not int"),
    ],
)
def test_what_is_no_module(name: Any, functions: Any, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        PythonModule(name, functions)
    assert str(caught.value) == message


def test_wrong_targets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the Python module `inner` is listed as `other`"):
        marine_gen.load({"other": INNER, "outer": outer()})
    with pytest.raises(ConfigError, match="at least one Wasm module"):
        marine_gen.load({"inner": INNER})

    for load in (marine_gen.load, marine_runtime.load):
        marine_gen.build({"outer": guest("greeting")}, tmp_path / "built")
        with pytest.raises(ArgumentError, match=r"`python_modules` has str: every item must be a PythonModule"):
            load(tmp_path / "built", python_modules=["inner"])  # type: ignore[list-item]
        with pytest.raises(LinkError, match="two modules are named `outer`"):
            load(tmp_path / "built", python_modules=[PythonModule("outer", {"text": text})])

    def f(x: int) -> None: ...

    with pytest.raises(ArgumentError, match=r"function `f` of module `m`: parameter `x` of .* int needs a width"):
        PythonModule("m", {"f": f})


@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_built_directories_get_it_when_they_are_loaded(engine: str, tmp_path: Path) -> None:
    marine_gen.build({"inner": INNER, "outer": outer()}, tmp_path / "built", engine=engine)
    with marine_runtime.load(tmp_path / "built", python_modules=[INNER]) as service:
        assert list(service.modules) == ["inner", "outer"]
        assert service.call("outer", "text", ["ab"]) == "ba"
    with pytest.raises(LinkError, match=r"imports `inner\.text`, but there is no module `inner`"):
        marine_runtime.load(tmp_path / "built")
    with pytest.raises(LinkError, match=r"has no function `number`"):
        marine_runtime.load(tmp_path / "built", python_modules=[PythonModule("inner", {"text": text})])


@pytest.mark.parametrize("built_for", ["fused", "closures"])
def test_every_kind_of_target_takes_it_beside(configuration: Configuration, built_for: str, tmp_path: Path) -> None:
    marine_gen.build({"inner": INNER, "outer": outer()}, tmp_path / "built", engine=built_for)
    (tmp_path / "outer.wasm").write_bytes(outer())
    (tmp_path / "service.toml").write_text(
        'modules_dir = "."\ntotal_memory_limit = "1 MiB"\nmodule = [{name = "outer"}]'
    )
    targets: list[Any] = [*(tmp_path / name for name in ("built", "outer.wasm", "service.toml")), {"outer": outer()}]
    for target in targets:
        with marine_gen.load(
            target, engine=configuration.engine, call_layer=configuration.call_layer, python_modules=[INNER]
        ) as service:
            assert list(service.modules) == ["inner", "outer"]
            assert service.call("outer", "text", ["ab"]) == "ba"


def test_it_is_listed_where_it_is_wanted() -> None:
    other = PythonModule("other", {"text": text})
    with marine_gen.load(
        {"inner": INNER, "outer": outer()}, python_modules=[other], order=["inner", "other", "outer"]
    ) as service:
        assert list(service.modules) == ["inner", "other", "outer"]
    with marine_gen.load({"inner": INNER, "outer": outer()}, python_modules=[other]) as service:
        assert list(service.modules) == ["other", "inner", "outer"]
    with pytest.raises(ConfigError, match="the Python module `inner` is listed twice"):
        marine_gen.load({"inner": INNER, "outer": outer()}, python_modules=[INNER])


def test_instead_of_a_guest(serve: Serve) -> None:
    """The greeting of `donkey`, which `shrek` imports, in Python."""

    def greeting(name: str) -> str:
        return f"hi, {name}, from Python"

    service = serve({"donkey": PythonModule("donkey", {"greeting": greeting}), "shrek": guest("shrek")})
    assert service.call("shrek", "greeting", ["me"]) == ["Shrek: hi, me", "hi, me, from Python"]
