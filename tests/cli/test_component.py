"""`marine-gen component`: files written, warnings, errors."""

from __future__ import annotations

from tests.guests.kit_guests import kit_guest
from tests.support.components import wit_of
from tests.support.engines import guest


def test_the_command(run, tmp_path):
    (tmp_path / "greeting.wasm").write_bytes(guest("greeting"))
    out, wit = tmp_path / "new" / "out.wasm", tmp_path / "out.wit"
    done = run("component", tmp_path / "greeting.wasm", "-o", out, "--wit", wit, "--package", "acme:tools@1.2.0")
    assert done.exit_code == 0, done.output
    assert "exports acme:tools/greeting@1.2.0" in done.output
    assert wit_of(out.read_bytes()) == wit.read_text("utf-8")
    assert "export acme:tools/greeting@1.2.0;" in wit.read_text("utf-8")


def test_a_built_directory_is_a_target(run, tmp_path):
    (tmp_path / "greeting.wasm").write_bytes(guest("greeting"))
    assert run("build", tmp_path / "greeting.wasm", "--portable", "-o", tmp_path / "built").exit_code == 0
    for number, target in enumerate(("built", "greeting.wasm")):
        assert run("component", tmp_path / target, "-o", tmp_path / f"{number}.wasm").exit_code == 0
    assert (tmp_path / "0.wasm").read_bytes() == (tmp_path / "1.wasm").read_bytes()


def test_what_is_left_out_and_what_is_refused(run, tmp_path):
    path = tmp_path / "everything.wasm"
    path.write_bytes(kit_guest("everything"))
    done = run("component", path, "-o", tmp_path / "out.wasm")
    assert (done.exit_code, done.output.count("warning: the function")) == (0, 3)
    done = run("component", path, "-o", tmp_path / "strict.wasm", "--strict")
    assert done.exit_code == 1
    assert not (tmp_path / "strict.wasm").exists()
    done = run("component", path, "-o", tmp_path / "out.wasm", "--package", "nothing")
    assert done.exit_code == 1
    assert "is not the name of a package" in done.output
    done = run("component", path, "-o", tmp_path / "out.wasm", "--package", "")
    assert done.exit_code == 2
    assert "--package: it is empty" in done.output
    done = run("component", path, "-o", tmp_path)
    assert done.exit_code == 1
    assert "can't be written" in done.output
    assert run("component", path).exit_code == 2
