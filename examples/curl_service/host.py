"""The host's side of the curl service: a Python function instead of the program `curl`.

It takes precedence over the program that `Config.toml` mounts, so the service runs where there is none. `demo.py` uses
it, and so does the command line:

    marine-gen run Config.toml facade.get_n_save '["file:///etc/hosts", "hosts"]' --host-file host.py
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib import request
from urllib.error import HTTPError, URLError

from marine_runtime import S32, ServiceHost

MAX_PAGE = 1 << 20
"""Bytes of a page; the module `curl` gives the program the same limit."""
TIMEOUT = 30.0
"""Seconds that a server may stay silent."""

host = ServiceHost()
"""The host functions of the service; the command line finds them by this name."""

FAILED = 1
NOT_FOUND_OR_REFUSED = 22
"""The code of the program for answers of 400 and above."""


@dataclass(frozen=True)
class MountedBinaryResult:
    """The result that the module gets, from the mounted program and from this function alike."""

    ret_code: S32
    error: str
    stdout: bytes
    stderr: bytes


@host.function
def curl(cmd: list[str]) -> MountedBinaryResult:
    """A replacement of the program `curl`; the last argument is the address, options are not read.

    It follows redirects and knows `file`, `http` and `https`, as the module asks of the program.
    """
    try:
        page = _read(cmd[-1] if cmd else "")
    except HTTPError as error:
        with error:
            return _failure(NOT_FOUND_OR_REFUSED, error)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _failure(FAILED, error)
    return MountedBinaryResult(0, "", page, b"")


def _failure(code: int, error: Exception) -> MountedBinaryResult:
    reason = error.reason if type(error) is URLError else error
    return MountedBinaryResult(code, "", b"", f"host.py: {reason}\n".encode(errors="replace"))


def _read(url: str) -> bytes:
    with _opener().open(url, timeout=TIMEOUT) as answer:
        page: bytes = answer.read(MAX_PAGE + 1)
    if len(page) > MAX_PAGE:
        raise ValueError(f"the page is longer than {MAX_PAGE} bytes")
    return page


def _opener() -> request.OpenerDirector:
    """Python's usual handlers without `ftp` and `data`."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.UnknownHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPRedirectHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
        request.FileHandler,
    ):
        opener.add_handler(handler())
    return opener
