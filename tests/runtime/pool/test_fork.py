"""Forked processes: what they have of their parent's pools and services, and that they leave those alone."""

from __future__ import annotations

import os

import pytest

from tests.support.children import run_python
from tests.support.pools import KINDS
from tests.support.samples import sampled

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

PROGRAM = """
import concurrent.futures, gc, os, signal, sys, time, warnings
from marine_runtime.errors import CallTimeoutError, MarineError
from tests.support.pools import ANY_ENGINE, factory, host_functions, pool

def child(work, end=os._exit):
    pid = os.fork()
    if not pid:
        signal.alarm(50)  # a child that hangs is found
        try:
            print(work())
        except MarineError as error:
            print(type(error).__name__, str(error).partition(", and")[0].replace(str(os.getppid()), "N"))
        sys.stdout.flush()
        end(0)
    return os.waitpid(pid, 0)[1]

warnings.simplefilter("ignore", DeprecationWarning)  # of 3.12, about forks and threads
if __name__ == "__main__":
    CODE
"""
IN_POOLS = """
    kind = sys.argv[1]
    service = pool(ANY_ENGINE, kind, workers=2)
    def everything():
        global service
        service.close()
        with service:
            pass
        service = None
        gc.collect()
        return "closed"
    def own():
        with pool(ANY_ENGINE, kind) as mine:
            return mine.call("lab", "echo", [1])
    print(service.call("lab", "echo", [1]), flush=True)
    running = service.submit("lab", "nap", [500])
    waiting = [service.submit("lab", "nap", [100 + number]) for number in range(3)]
    calls = (
        lambda: running.result(20), lambda: str(waiting[2].exception(20)).partition(", and")[0],
        lambda: [item.cancel() for item in waiting],
        lambda: len(concurrent.futures.wait([running, *waiting], 20).done),
        lambda: service.call("lab", "echo", [2]), lambda: service.modules.lab.echo(3),
        lambda: service.submit("lab", "echo", [4]), lambda: service.map("lab", "echo", [[5]]),
        lambda: service.interrupt(running), everything, own,
    )
    print(*[child(call) for call in calls], child(everything, sys.exit), child(lambda: None, sys.exit), flush=True)
    results = [item.result() for item in (running, *waiting)]
    print(results, service.call("lab", "echo", [6]), service.statistics.lost)
    service.close()
"""
REFUSED = "PoolError the pool belongs to process N\n"
EARLY = "the call was made before this process was forked"
FUTURES = f"PoolError {EARLY}\n{EARLY}\n[False, False, False]\n4\n"
ENDS = f"False\nclosed\n1\nclosed\nNone\n{'0 ' * 12}0\n[500, 100, 101, 102] 6 0\n"
ANSWERS = f"1\n{FUTURES}{REFUSED * 4}{ENDS}"
SERVICE = """
    service = factory(ANY_ENGINE)(host_functions=host_functions())
    def limited():
        try:
            service.call("endless", "spin", timeout=0.1)
        except CallTimeoutError:
            return service.call("lab", "echo", [2], timeout=50)
    def close():
        service.close()
        return "closed"
    def stopped():
        def stop(number, frame):
            raise InterruptedError
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            service.call("endless", "spin")
        except InterruptedError:
            return "stopped"
    print(limited(), flush=True)
    print(*[child(work) for work in (limited, stopped, close)], child(close, sys.exit), flush=True)
    print(limited())
"""


def run(code: str, *arguments: str) -> str:
    """The output of a program."""
    done = run_python("-c", PROGRAM.replace("    CODE\n", code), *arguments, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("kind", sampled(KINDS, "threads".__eq__))
def test_pools(kind: str) -> None:
    assert run(IN_POOLS, kind) == ANSWERS


UNHOOKED = """
    import ctypes
    bare_fork = ctypes.PyDLL(None).fork
    os.fork = bare_fork
    kind = sys.argv[1]
    service = pool(ANY_ENGINE, kind, workers=1)
    def own():
        with pool(ANY_ENGINE, kind) as mine:
            return mine.call("lab", "echo", [1])
    print(service.call("lab", "echo", [1]), flush=True)
    print(child(lambda: service.call("lab", "echo", [2])), child(own), child(lambda: None, sys.exit), flush=True)
    print(service.call("lab", "echo", [3]), service.statistics.lost)
    service.close()
"""


@pytest.mark.parametrize("kind", KINDS)
def test_pools_and_forks_without_hooks(kind: str) -> None:
    """The exit of such a process ended the workers of its parent."""
    assert run(UNHOOKED, kind) == f"1\n{REFUSED}1\nNone\n0 0 0\n3 0\n"


def test_a_fork_without_hooks() -> None:
    """As uWSGI does. The first call with a time limit never ended there."""
    code = SERVICE.replace(
        "    service =", "    import ctypes\n    os.fork = ctypes.PyDLL(None).fork\n    service =", 1
    )
    code = code.replace("(limited, stopped,", "(limited, lambda: [limited(), stopped()][1],")
    assert run(code) == "2\n2\nstopped\nclosed\nclosed\n0 0 0 0\n2\n"


def test_a_service_works_in_both() -> None:
    assert run(SERVICE) == "2\n2\nstopped\nclosed\nclosed\n0 0 0 0\n2\n"
