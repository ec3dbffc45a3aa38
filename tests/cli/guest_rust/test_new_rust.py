"""`marine-gen guest new --rust`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def test_new_writes_a_crate_once(run: Run, folder: Path) -> None:
    done = run("guest", "new", "--rust", "my-greeter", "-o", "a/b")
    files = ["Cargo.toml", "Config.toml", "src/main.rs", "tests/test_my_greeter.py", ".gitignore"]
    assert done.stdout == "".join(f"wrote a/b/my-greeter/{file}\n" for file in files)
    crate = folder / "a" / "b" / "my-greeter"
    manifest = tomllib.loads((crate / "Cargo.toml").read_text())
    assert manifest["package"]["name"] == "my-greeter"
    assert manifest["dependencies"] == {"marine-rs-sdk": "0.14.0"}
    (module,) = tomllib.loads((crate / "Config.toml").read_text())["module"]
    assert module["name"] == "my-greeter"
    test = (crate / "tests" / "test_my_greeter.py").read_text()
    compile(test, "test", "exec")
    assert "service.modules.my_greeter.greet(" in test
    (crate / "Cargo.toml").unlink()
    (crate / "src" / "main.rs").write_text("mine")
    done = run("guest", "new", "--rust", "my-greeter", "-o", "a/b")
    assert (done.exit_code, done.stderr) == (
        1,
        "error: `a/b/my-greeter/Config.toml` already exists and is not overwritten: "
        "choose another name, or another directory with -o\n",
    )
    assert not (crate / "Cargo.toml").exists()


@pytest.mark.parametrize("name", ["struct", "test", "../evil", "1st", "build"])
def test_names_that_cargo_refuses(run: Run, folder: Path, name: str) -> None:
    before = list(folder.iterdir())
    done = run("guest", "new", "--rust", name)
    assert done.exit_code == 1
    assert f"`{name}` can't name a " in done.stderr
    assert list(folder.iterdir()) == before
