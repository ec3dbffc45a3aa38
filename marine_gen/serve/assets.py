"""The files of the page. They are read once and named one by one, so that no other file can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The rights of the page: it may not contact another host, nor run a script that is not in its files."""

HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}

_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "docs": ("docs.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "common.js": ("common.js", "text/javascript; charset=utf-8"),
    "forms.js": ("forms.js", "text/javascript; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "docs.js": ("docs.js", "text/javascript; charset=utf-8"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    content: bytes
    content_type: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """The files by path segment."""
    folder = files("marine_gen.serve") / "page"
    return {
        segment: Asset((folder / name).read_bytes(), content_type.encode("ascii"))
        for segment, (name, content_type) in _FILES.items()
    }
