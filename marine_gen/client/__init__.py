"""Services that are served over HTTP, called like local ones.

    from marine_gen.client import connect

    with connect("http://127.0.0.1:8080") as service:
        service.modules.greeting.greeting("John")

`remote` and `asynchronous` are what users see, `functions` turns arguments into requests and responses into results,
`failures` makes the errors of a local service out of problem documents. Needs the extra `client`.
"""

from importlib.util import find_spec

if find_spec("httpx") is None:
    raise ModuleNotFoundError("httpx is not installed: run `pip install 'marine-gen[client]'`", name="httpx")

from marine_gen.client.asynchronous import AsyncRemoteService
from marine_gen.client.failures import RemoteError
from marine_gen.client.remote import RemoteService, connect, connector

__all__ = ["AsyncRemoteService", "RemoteError", "RemoteService", "connect", "connector"]
