"""Requests that are refused before anything is done: wrong hosts, pages of other origins, missing tokens.

A server on the loopback address is reachable by every page that a browser of the machine shows. A form or a script of
such a page has an `Origin`; a page whose name was bound to 127.0.0.1 after it was loaded (DNS rebinding) has that name
as its `Host`. Both are refused, so a name that is not known needs a token or has to be allowed.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from marine_gen.serve.settings import Access
from marine_gen.wire.problems import ProblemError

_SAFE = frozenset({"GET", "HEAD"})
_BEARER = {"WWW-Authenticate": 'Bearer realm="marine-gen"'}


class RequestGuard:
    """Checks every request against the settings for access."""

    def __init__(self, access: Access) -> None:
        self._hosts = frozenset({"localhost", *(name.lower().rstrip(".") for name in access.hosts)})
        self._any_host = access.token is not None and not access.hosts
        self._token = None if access.token is None else _digest(access.token.encode("ascii"))
        self._known = lru_cache(256)(self._knows)

    def check(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Admit a request from an allowed origin.

        Raises:
            ProblemError: it does not.
        """
        host = headers.get(b"host", b"")
        if not self._known(host):
            raise ProblemError(
                "host", "requests may be addressed to `localhost`, to an IP address, or to a name that was allowed"
            )
        origin = headers.get(b"origin")
        if origin is not None and not _same(origin.decode("latin-1"), host.decode("latin-1")):
            raise ProblemError("origin", "the request comes from a page of another origin")
        if method not in _SAFE and headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            raise ProblemError("origin", "the request comes from a page of another origin")

    def authenticate(self, headers: Mapping[bytes, bytes]) -> None:
        """Admit a request that has the token, if one is required.

        Raises:
            ProblemError: it has none, or another one.
        """
        if self._token is None:
            return
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        # Digests, so that neither content nor length shows in the time that the comparison takes.
        if scheme.lower() != b"bearer" or not hmac.compare_digest(_digest(given.strip()), self._token):
            raise ProblemError("token", "send `Authorization: Bearer` with the token of this server", headers=_BEARER)

    def _knows(self, field: bytes) -> bool:
        host = field.decode("latin-1")
        try:
            parts = urlsplit(f"//{host}")
            name, _ = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            return False
        if not name or parts.netloc != host or "@" in host:
            return False
        if self._any_host or name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _same(origin: str, host: str) -> bool:
    """True if an origin is the one that a request is addressed to. Behind a proxy the scheme may be another one."""
    scheme, separator, authority = origin.partition("://")
    if not separator or scheme not in ("http", "https"):
        return False
    port = ":443" if scheme == "https" else ":80"
    return authority.lower().removesuffix(port) == host.lower().removesuffix(port)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
