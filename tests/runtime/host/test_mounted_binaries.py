"""Programs of the host that guests run: arguments, outputs, codes, limits."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marine_gen.generate import Named, Vector
from marine_runtime import ConfigError, LinkError, ModuleConfig, MountedBinary, Service, ServiceConfig
from marine_runtime.host.function import HostFunction
from marine_runtime.host.mounted_binary import KILLED, NOT_STARTED, RESULT, run
from marine_runtime.types import Array, Prim
from tests.support.echo import function
from tests.support.engines import shown
from tests.support.host_calls import calling, declarations

pytestmark = pytest.mark.host_side

Serve = Callable[..., Service]

SIGNATURE = function("f", Vector(Prim.STRING), result=Named(RESULT.name))
RECORDS = declarations({0: RESULT})


def guest(namespace: str = "host") -> bytes:
    """A module whose function `f` runs the mounted binary `program` with its arguments."""
    return calling(SIGNATURE, RECORDS, namespace, "program")


def mounted(binary: str | MountedBinary) -> ServiceConfig:
    return ServiceConfig(modules={"m": ModuleConfig(mounted_binaries={"program": binary})})


def python(code: str, **limits: Any) -> tuple[int, str, bytes, bytes]:
    """The result of a program in Python under some limits."""
    return run("program", MountedBinary(sys.executable, **limits), ["-c", code])


@pytest.mark.parametrize("namespace", ["host", "__marine_host_api_v1", "__marine_host_api_v2", "__marine_host_api_v3"])
def test_a_guest_runs_a_program(serve: Serve, namespace: str) -> None:
    service = serve({"m": guest(namespace)}, config=mounted(sys.executable))
    code = "import sys; sys.stdout.write(repr(sys.argv[1:])); sys.stderr.write(sys.stdin.read() + 'err'); sys.exit(7)"
    arguments = ["-I", "-X", "utf8", "-c", code, "a b", "", "$HOME *", "é"]
    result = service.call("m", "f", [arguments])
    assert shown(result) == shown((7, "", "['a b', '', '$HOME *', 'é']".encode(), b"err"))
    assert service.call("m", "f", [["-I", "-c", ""]]).ret_code == 0


def test_every_end_of_a_program_reaches_the_guest(serve: Serve) -> None:
    service = serve({"m": guest()}, config=mounted(MountedBinary(sys.executable, timeout=60)))
    both = "import os; os.write(1, b'o' * 300000); os.write(2, b'e' * 300000); "
    for end, code in (("os._exit(255)", 255), ("os.kill(os.getpid(), 9)", KILLED)):
        found = service.call("m", "f", [["-I", "-c", both + end]])
        assert shown(found) == shown((code, "", b"o" * 300000, b"e" * 300000))
    service = serve({"m": guest()}, config=mounted(MountedBinary(sys.executable, timeout=0.2)))
    found = service.call("m", "f", [["-I", "-c", "import time; time.sleep(60)"]])
    assert shown(found) == shown((KILLED, "the program did not end in 0.2 s; it was stopped", b"", b""))


def test_it_runs_where_the_host_runs(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the host's current directory and environment; a path of the guest is a text like any other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARINE_MARK", "inherited")
    settings = ModuleConfig(mounted_binaries={"program": sys.executable}, mapped_dirs={"d": str(tmp_path / "place")})
    service = serve({"m": guest()}, config=ServiceConfig(modules={"m": settings}))
    code = "import os, sys; print(os.getcwd(), os.environ['MARINE_MARK'], sys.argv[1], os.environ.get('d'))"
    found = service.call("m", "f", [["-I", "-c", code, "/d/file"]])
    assert shown(found) == shown((0, "", f"{tmp_path} inherited /d/file None\n".encode(), b""))


def test_limits_reach_the_program(serve: Serve) -> None:
    service = serve({"m": guest()}, config=mounted(MountedBinary(sys.executable, output_limit=3)))
    result = service.call("m", "f", [["-I", "-c", "print('abcdef')"]])
    assert shown(result) == shown((KILLED, "the output has more than 3 bytes; the program was stopped", b"abc", b""))


def test_a_program_that_can_not_be_started(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    service = serve({"m": guest()}, config=mounted("/no/such/program"))
    assert shown(service.call("m", "f", [["x"]])) == shown((NOT_STARTED, "No such file or directory", b"", b""))
    assert caplog.messages == [
        "mounted binary program: '/no/such/program' can't be started with arguments ['x']: No such file or directory"
    ]


def test_own_function_takes_precedence(serve: Serve) -> None:
    fake = HostFunction.of(lambda args: (0, "", repr(args).encode(), b""), [Array(Prim.STRING)], RESULT)
    service = serve({"m": guest()}, config=mounted("/no/such/program"), host_functions={"program": fake})
    assert service.call("m", "f", [["x"]]).stdout == b"['x']"


def test_only_the_module_that_has_it(serve: Serve) -> None:
    with pytest.raises(LinkError, match=r"module `n` imports `host.program`, and nothing provides it"):
        serve({"m": guest(), "n": guest()}, config=mounted(sys.executable))


def test_another_signature_does_not_link(serve: Serve) -> None:
    module = calling(function("f", Prim.S32), (), "host", "program")
    with pytest.raises(LinkError, match=r"but the host function is \(args: array \(string\)\) -> record 0"):
        serve({"m": module}, config=mounted(sys.executable))


def test_much_output_on_both_sides() -> None:
    code = "import os\nfor _ in range(64): os.write(1, b'o' * 65536); os.write(2, b'e' * 65536)"
    assert python(code) == (0, "", b"o" * 2**22, b"e" * 2**22)


def test_ended_by_a_signal() -> None:
    assert python("import os; print('x', flush=True); os.abort()") == (KILLED, "", b"x\n", b"")


@pytest.mark.parametrize("arguments", [["a\0b"], ["x" * 2**22]], ids=["NUL", "too long"])
def test_arguments_that_the_system_refuses(arguments: list[str]) -> None:
    code, error, *outputs = run("program", MountedBinary(sys.executable), arguments)
    assert (code, outputs) == (NOT_STARTED, [b"", b""])
    assert error in ("embedded null byte", "Argument list too long")


def test_no_search_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("program", MountedBinary("sh"), ["-c", ""]).ret_code == NOT_STARTED
    (tmp_path / "sh").symlink_to(sys.executable)
    assert run("program", MountedBinary("sh"), ["-I", "-c", "print(1)"]).stdout == b"1\n"


def test_not_executable(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("echo\n")
    assert run("program", MountedBinary(str(tmp_path / "text")), [])[:2] == (NOT_STARTED, "Permission denied")
    assert run("program", MountedBinary(str(tmp_path)), [])[:2] == (NOT_STARTED, "Permission denied")


def test_the_environment_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARINE_MARK", "inherited")
    code = "import os; print(sorted({'HOME', 'MARINE_MARK', 'A'} & set(os.environ)))"
    monkeypatch.setenv("HOME", "/")
    monkeypatch.delenv("A", raising=False)
    assert python(code).stdout == b"['HOME', 'MARINE_MARK']\n"
    assert python(code, env={"A": "1"}).stdout == b"['A']\n"


def test_timeout_stops_the_whole_group(tmp_path: Path) -> None:
    """The program's own child holds the pipe open and must go too."""
    mark = tmp_path / "pid"
    script = f"sleep 60 & echo $! > '{mark}'; echo begun; wait"
    begin = time.monotonic()
    found = run("program", MountedBinary("/bin/sh", timeout=2), ["-c", script])
    assert found == (KILLED, "the program did not end in 2 s; it was stopped", b"begun\n", b"")
    assert time.monotonic() - begin < 40
    assert gone(int(mark.read_text()))


def gone(process: int) -> bool:
    """True if a process ended; an orphan may wait a moment for its new parent."""
    for _ in range(2000):
        try:
            os.kill(process, 0)
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False


def test_a_timeout_that_is_not_reached() -> None:
    assert python("print(1)", timeout=60, output_limit=2) == (0, "", b"1\n", b"")


def test_outputs_that_are_closed_early() -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(60)"
    assert python(code, timeout=0.5)[:2] == (KILLED, "the program did not end in 0.5 s; it was stopped")
    assert python("import os, sys; os.close(1); os.close(2); sys.exit(3)", timeout=60)[0] == 3


def test_a_limit_for_both_outputs_together() -> None:
    code = "import os\nwhile True: os.write(1, b'o' * 100); os.write(2, b'e' * 100)"
    found = python(code, output_limit=1000)
    assert found[:2] == (KILLED, "the output has more than 1000 bytes; the program was stopped")
    assert len(found[2]) + len(found[3]) == 1000


def test_an_interrupted_call_leaves_no_program(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = (
        "import os, signal, time\n"
        f"open({str(mark)!r}, 'w').write(str(os.getpid()))\n"
        "os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            python(code)
    finally:
        signal.signal(signal.SIGINT, before)
    assert gone(int(mark.read_text()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": ""}, "the path of a mounted binary must not be empty"),
        ({"path": "a\0b"}, "the path of a mounted binary must not contain a NUL character"),
        ({"path": "p", "timeout": 0}, "mounted binary `p`: the timeout must be"),
        ({"path": "p", "timeout": float("nan")}, "mounted binary `p`: the timeout must be"),
        ({"path": "p", "timeout": float("inf")}, "mounted binary `p`: the timeout must be"),
        (
            {"path": "p", "timeout": "5"},
            "mounted binary `p`: the timeout must be a positive number of seconds, not '5'",
        ),
        ({"path": 3}, "the path of a mounted binary must be a string, not an integer"),
        ({"path": "p", "env": {"A": 1}}, "mounted binary `p`: `env`: the value of `A` must be a string, not an int"),
        ({"path": "p", "env": ["A"]}, "mounted binary `p`: `env` must be a table, not an array"),
        ({"path": "p", "env": {"A=B": ""}}, "mounted binary `p`: `env`: the name `A=B` must not contain `=`"),
        ({"path": "p", "output_limit": -1}, "mounted binary `p`: the output limit must be a number of bytes, not -1"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MountedBinary(**settings)
