"""Modules that older or newer tools made, and what a module may leave out (docs/spec/linking.md#versions)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from marine_gen import DiagnosticError
from marine_gen.binary import embed, extract
from marine_gen.generate import Description, ExternModule, ImportedFunction, generate
from marine_gen.wasm import MANIFEST_SECTION, custom_section_names, embed_sdk_version
from marine_runtime import Service
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_wat, function
from tests.support.engines import assemble, guest, guests

Serve = Callable[..., Service]

TEXT = function("f", Prim.STRING)


VERSIONS = [
    *(("0.6.0", "0.20.0"), ("0.6.0", "0.23.1"), ("0.10.3", "0.24.0")),
    *(("0.11.0", "0.27.0"), ("0.12.0", "0.27.0"), ("0.14.0", "0.28.0")),
    ("99.0.0", "99.0.0"),
]


@pytest.mark.host_side
@pytest.mark.parametrize(("sdk", "it"), VERSIONS)
def test_modules_of_older_and_newer_versions_run(serve: Serve, sdk: str, it: str) -> None:
    other = replace(extract(guest("greeting")), version=it)
    module = embed_sdk_version(embed(guest("greeting"), other), sdk)
    assert MANIFEST_SECTION not in custom_section_names(module)
    assert serve({"greeting": module}).call("greeting", "greeting", ["x"]) == "Hi, x"


def test_an_import_that_only_the_adapters_have(serve: Serve) -> None:
    """The Wasm module does not import it; it has to be there all the same."""
    imported = (ExternModule("donkey", (ImportedFunction(function("greeting", Prim.STRING)),)),)
    adapters = generate(Description((), (TEXT,), imported))
    module = assemble(echo_wat(generate(Description((), (TEXT,))), Memory(), {}, "", ""), adapters)
    assert serve({**guests("donkey"), "m": module}).call("m", "f", ["x"]) == "x"
    with pytest.raises(DiagnosticError, match=r"`m` imports `donkey.greeting`, but there is no module `donkey`"):
        serve({"m": module})
