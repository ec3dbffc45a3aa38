"""Services whose modules use WASI: settings, captured output, the end of a program, what linking refuses."""

from __future__ import annotations

import gc
import io
import os
import re
import weakref
from pathlib import Path

import pytest

from marine_gen.generate import Description, ExternModule, ImportedFunction, generate
from marine_runtime import ConfigError, ExitError, LinkError, TrapError
from marine_runtime.config.model import ModuleConfig
from marine_runtime.types import Prim
from marine_runtime.wasi.functions import NAMESPACES, PREVIEW1, UNSTABLE
from tests.support.echo import PAGE, Memory, echo_module, function
from tests.support.engines import Configuration, assemble
from tests.support.wasi import BADF, MEMORY, ROOM, SUCCESS, Player, load_configured, wasi_guest

pytestmark = [pytest.mark.host_side, pytest.mark.costly]

END = 4 * PAGE
NOMEM = 48


@pytest.fixture(params=NAMESPACES)
def namespace(request: pytest.FixtureRequest) -> str:
    """Both generations of WASI."""
    chosen: str = request.param
    return chosen


def test_exit_in_another_module(configuration: Configuration, namespace: str) -> None:
    leave = function("proc_exit", Prim.S32)
    outer = Description((), (leave,), (ExternModule("inner", (ImportedFunction(leave),)),))
    head = f'(import "{namespace}" "proc_exit" (func $proc_exit (param i32)))'
    bodies = {"proc_exit": "(call $proc_exit (local.get 0)) (i32.const 0)"}
    inner = echo_module(Description((), (leave,)), MEMORY, bodies, "", head)
    modules = {"inner": inner, "outer": echo_module(outer, MEMORY)}
    with load_configured(modules, configuration, {}) as service:
        with pytest.raises(ExitError, match=r"proc_exit\(9\)") as caught:
            service.call("outer", "proc_exit", [9])
        assert caught.value.code == 9


def test_a_module_without_memory(configuration: Configuration, namespace: str) -> None:
    """Functions that need no memory work, and pointers are errors."""
    adapters = generate(Description((), tuple(function(name, Prim.S32) for name in ("close", "sizes", "leave"))))
    module = f"""(module
        (import "{namespace}" "fd_close" (func $close (param i32) (result i32)))
        (import "{namespace}" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "{namespace}" "proc_exit" (func $exit (param i32)))
        (func (export "close") (param i32) (result i32) (call $close (local.get 0)))
        (func (export "sizes") (param i32) (result i32) (call $sizes (local.get 0) (i32.const 0)))
        (func (export "leave") (param i32) (result i32) (call $exit (local.get 0)) unreachable)
        (func (export "allocate") (param i32 i32) (result i32) unreachable)
        (func (export "release_objects"))
        (func (export "get_result_size") (result i32) unreachable)
        (func (export "get_result_ptr") (result i32) unreachable)
        (func (export "set_result_size") (param i32))
        (func (export "set_result_ptr") (param i32)))"""
    with load_configured({"m": assemble(module, adapters)}, configuration, {}) as service:
        assert [service.call("m", "close", [fd]) for fd in (0, 0, 3)] == [SUCCESS, BADF, BADF]
        with pytest.raises(TrapError, match="a pointer that is out of bounds"):
            service.call("m", "sizes", [0])
        with pytest.raises(ExitError):
            service.call("m", "leave", [1])


def test_closing_gives_everything_back(configuration: Configuration, tmp_path: Path) -> None:
    settings = {"m": ModuleConfig(mapped_dirs={"d": str(tmp_path)}, stdout=[].append)}
    (tmp_path / "f").touch()

    def descriptors() -> int:
        gc.collect()
        return len(os.listdir("/dev/fd"))

    before = 0
    for closed in (True, True, False):  # the first time also starts what Wasmtime keeps for the whole process
        service = load_configured({"m": wasi_guest()}, configuration, settings)
        assert Player(service, "m").open(3, "f") == 4
        Player(service, "m").write(1, b"x")
        assert descriptors() > before
        if closed:
            service.close()
        reference = weakref.ref(service)
        del service
        assert descriptors() == (before or descriptors())
        before = descriptors()
        assert reference() is None


def program(body: str, namespace: str = PREVIEW1, start: str = "", export: str = '(export "_start")') -> bytes:
    """A module whose `_start` runs some instructions."""
    head = "\n".join(
        f'(import "{namespace}" "{name}" (func ${name} {kind}))'
        for name, kind in (("proc_exit", "(param i32)"), ("fd_write", "(param i32 i32 i32 i32) (result i32)"))
    )
    fields = f"(func $main {export} {body}) {start}"
    return echo_module(Description((), (function("f", Prim.S32),)), MEMORY, {}, fields, head)


def test_exit_during_load(configuration: Configuration, namespace: str) -> None:
    with load_configured({"m": program("(call $proc_exit (i32.const 0))", namespace)}, configuration, {}) as service:
        assert service.call("m", "f", [5]) == 5
    with pytest.raises(ExitError, match=re.escape("module `m`, initialiser `_start`: the guest called `proc_exit(3)`")):
        load_configured({"m": program("(call $proc_exit (i32.const 3))", namespace)}, configuration, {})
    early = program("(call $proc_exit (i32.const 0))", namespace, "(start $main)", "")
    with pytest.raises(ExitError, match=re.escape("initialiser `(start function)`: the guest called `proc_exit(0)`")):
        load_configured({"m": early}, configuration, {})


def test_output_is_captured_per_module(
    configuration: Configuration, namespace: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pieces: list[bytes] = []
    error = io.BytesIO()
    settings = {"a": ModuleConfig(stdout=pieces.append), "b": ModuleConfig(stderr=error)}
    guest = wasi_guest(namespace)
    with load_configured({"a": guest, "b": guest}, configuration, settings) as service:
        a, b = Player(service, "a"), Player(service, "b")
        assert (a.write(1, b"a-out\n"), a.write(2, b"a-err\n")) == (6, 6)
        assert (b.write(1, b"b-out\n"), b.write(2, b"b-err\n")) == (6, 6)
        assert a("fd_renumber", 1, 2) == SUCCESS
        assert a.write(2, b"moved") == 5
        assert a.write(1, b"gone") == -BADF
        assert b.write(1, b"still there\n") == 12
    assert pieces == [b"a-out\n", b"moved"]
    assert error.getvalue() == b"b-err\n"
    assert capfd.readouterr() == ("b-out\nstill there\n", "a-err\n")


def test_captured_output_does_not_trust_the_guest(configuration: Configuration) -> None:
    pieces: list[bytes] = []
    settings = {"m": ModuleConfig(stdout=pieces.append)}
    with load_configured({"m": wasi_guest()}, configuration, settings) as service:
        guest = Player(service, "m")
        for wrong in (
            (END - 8, 2, ROOM),
            (*guest.pieces((END - 1, 2)), ROOM),
            (*guest.pieces((0, 1), at=ROOM + 0x910), END - 3),
            (*guest.pieces((0, 0), at=ROOM + 0x920), END - 3),
            (*guest.pieces((0, 1), at=ROOM + 0x930), ROOM + 2),
            (ROOM + 0x902, 1, ROOM),
        ):
            with pytest.raises(TrapError, match=r"a pointer that is (out of bounds|not aligned)"):
                guest("fd_write", 1, *wrong)
        assert guest("fd_write", 1, ROOM, 2**29, ROOM) == NOMEM
        assert guest("fd_write", 1, *guest.pieces((0, 0), (0, 0)), ROOM) == SUCCESS
        assert guest.word(ROOM) == 0
        assert pieces == []
        assert guest("fd_write", 1, *guest.pieces(*[(0, 4 * PAGE)] * 1000), ROOM) == SUCCESS
        assert guest.word(ROOM) == len(pieces[0]) == 1 << 20
        for function_name in ("fd_pwrite", "fd_pread"):
            assert guest(function_name, 1, *guest.pieces((0, 1)), 0, ROOM) != SUCCESS


def test_an_error_of_a_capturing_function_is_raised_by_the_call(configuration: Configuration) -> None:
    def refuse(data: bytes) -> None:
        raise ZeroDivisionError(data)

    with load_configured({"m": wasi_guest()}, configuration, {"m": ModuleConfig(stdout=refuse)}) as service:
        with pytest.raises(ZeroDivisionError, match="text"):
            Player(service, "m").write(1, b"text")
        assert Player(service, "m").write(2, b"") == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            ModuleConfig(mapped_dirs={"d": f"{__file__}/no"}),
            f"module `m`: the directory `{__file__}/no`, mapped as `d`, can't be created",
        ),
        (
            ModuleConfig(mapped_dirs={"d": __file__}),
            f"module `m`: the directory `{__file__}`, mapped as `d`, can't be created",
        ),
    ],
    ids=str,
)
def test_settings_that_can_not_be(configuration: Configuration, config: ModuleConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_configured({"m": wasi_guest()}, configuration, {"m": config})


def test_a_directory_clobbers_a_variable_of_its_name(configuration: Configuration, tmp_path: Path) -> None:
    """Kept from Marine (docs/spec/host.md#wasi)."""
    config = ModuleConfig(envs={"d": "mine", "e": "x"}, mapped_dirs={"d": str(tmp_path)})
    with load_configured({"m": wasi_guest()}, configuration, {"m": config}) as service:
        assert Player(service, "m").environment() == [f"d={tmp_path}", "e=x"]


def test_a_large_environment(configuration: Configuration) -> None:
    envs = {f"VARIABLE_{number}": "x" * 100 for number in range(300)}
    with load_configured({"m": wasi_guest()}, configuration, {"m": ModuleConfig(envs=envs)}) as service:
        assert Player(service, "m").environment() == [f"{name}={value}" for name, value in envs.items()]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            f'(import "{UNSTABLE}" "fd_none" (func))',
            f"module `m` imports `{UNSTABLE}.fd_none`, which WASI unstable does",
        ),
        (f'(import "{UNSTABLE}" "sock_accept" (func))', "sock_accept`, which WASI unstable does not have"),
        (f'(import "{PREVIEW1}" "fd_close" (func))', "fd_close` with the Wasm signature () -> (), but WASI has it as"),
        (f'(import "{PREVIEW1}" "fd_close" (global i32))', "fd_close`, which is not a function"),
    ],
)
def test_imports_that_wasi_does_not_have(configuration: Configuration, head: str, message: str) -> None:
    module = echo_module(Description((), (function("f", Prim.S32),)), Memory(), {}, "", head)
    with pytest.raises(LinkError, match=re.escape(message)):
        load_configured({"m": module}, configuration, {})
