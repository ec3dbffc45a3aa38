"""The host's side of the curl service: a Python function in the place of the program `curl`.

It reads files and addresses of this machine only. `demo.py` uses it, and so does the command line:

    marine-gen run Config.toml facade.get_n_save '["file:///etc/hosts", "hosts"]' --host-file host.py
"""

from __future__ import annotations

import http
import http.client
import ipaddress
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from marine_runtime import Array, Field, HostFunction, Prim, RecordType

MAX_PAGE = 1 << 20

# The guest's record that stands for a program which has run.
MOUNTED_BINARY_RESULT = RecordType(
    "MountedBinaryResult",
    (
        Field("ret_code", Prim.S32),
        Field("error", Prim.STRING),
        Field("stdout", Prim.BYTE_ARRAY),
        Field("stderr", Prim.BYTE_ARRAY),
    ),
)


def curl(args: list[str]) -> tuple[int, str, bytes, bytes]:
    """What the service calls instead of the program `curl`; the last argument is the URL.

    It reads `file://` and, over http, addresses of this machine; it follows no redirects.
    """
    url = args[-1] if args else ""
    try:
        return 0, "", _read(url), b""
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 1, f"can't read {url!r}", b"", str(error).encode(errors="replace")


def _read(url: str) -> bytes:
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        with Path(url2pathname(parts.path)).open("rb") as file:
            return _limited(file.read)
    if parts.scheme != "http" or not _is_loopback(parts.hostname or ""):
        raise ValueError("only file:// and http addresses of this machine are read")
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=5)
    try:
        connection.request("GET", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"the server answered {response.status} {response.reason}")
        return _limited(response.read)
    finally:
        connection.close()


def _limited(read: Callable[[int], bytes]) -> bytes:
    data = read(MAX_PAGE + 1)
    if len(data) > MAX_PAGE:
        raise ValueError(f"the page is longer than {MAX_PAGE} bytes")
    return data


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


host_functions = {"curl": HostFunction.of(curl, params=[("args", Array(Prim.STRING))], result=MOUNTED_BINARY_RESULT)}
