"""SHA-256 without the import of OpenSSL, which takes longer than all digests of a small service."""

from __future__ import annotations

import sys

from marine_runtime.lazy.typing import Any

_SMALL = 1 << 17
"""Bytes up to which Python's own code is as good as OpenSSL's, which uses instructions of the processor for it."""


def sha256(data: bytes) -> Any:
    """The digest of `data`, as `hashlib.sha256` gives it."""
    if len(data) <= _SMALL and "hashlib" not in sys.modules and _own is not None:
        return _own(data)
    import hashlib

    return hashlib.sha256(data)


def _find_own() -> Any:
    for name in ("_sha2", "_sha256"):  # since Python 3.12, and before
        try:
            return getattr(__import__(name), "sha256", None)
        except ImportError:
            pass
    return None


_own: Any = _find_own()
