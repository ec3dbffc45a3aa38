"""The program of a worker process: load an instance, run requests from the pipe, until the pipe closes.

The parent speaks first (the setup), the child answers `ready` with the interface, or `failed` with the error. Then
requests and replies take turns; after a reply with `poisoned` set, the child replaces its instance and says `ready`
again.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from marine_runtime.pool.instance import PoolInstance, Setup
from marine_runtime.pool.wire import pack_error, pack_reply, unpack_request


def serve(connection: Connection) -> None:
    """Run until the parent closes its end, or is gone."""
    # Ctrl-C goes to the whole process group, but it is the parent's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow, name="marine-pool-parent", daemon=True).start()
    try:
        _serve(connection)
    except (EOFError, OSError):
        pass  # the parent has closed its end
    finally:
        connection.close()


def _follow() -> None:
    """End with the parent, however it ends and whatever a guest is doing here."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _serve(connection: Connection) -> None:
    def make() -> PoolInstance:
        setup: Setup = pickle.loads(connection.recv_bytes())  # noqa: S301  # from our own parent
        return PoolInstance(setup)

    instance: PoolInstance | None = _attempt(connection, make)
    if instance is None:
        return
    try:
        while True:
            reply = instance.run(unpack_request(connection.recv_bytes()))
            connection.send_bytes(pack_reply(reply))
            if reply.poisoned and _attempt(connection, instance.replace) is None:
                return
    finally:
        instance.close()


def _attempt(connection: Connection, make: Callable[[], PoolInstance]) -> PoolInstance | None:
    """Make an instance and say how it went; None when it failed."""
    message: tuple[str, Any]
    try:
        instance: PoolInstance | None = make()
        assert instance
        message = "ready", instance.interface
    except EOFError:
        raise
    except BaseException as error:
        instance, message = None, ("failed", pack_error(error))
    connection.send_bytes(pickle.dumps(message))
    return instance
