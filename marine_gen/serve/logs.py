"""The log of requests, and logs as JSON documents."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

access = logging.getLogger("marine_gen.access")

_FIELDS = ("request", "client", "method", "path", "status", "seconds", "call", "code")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; control characters are escaped, so no client can forge another one."""
        document: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        document |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document)


class TextFormatter(logging.Formatter):
    """A record as text for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines; those behind the first are indented, so that no text in them looks like another record."""
        lines = record.getMessage().split("\n")
        if record.exc_info:
            lines += self.formatException(record.exc_info).split("\n")
        start = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {record.levelname.lower()} {record.name}"
        return f"{start}: " + "\n    ".join(map(_escaped, lines))


def _escaped(line: str) -> str:
    return "".join(item if item.isprintable() else ascii(item)[1:-1] for item in line)


def configure(*, as_json: bool, level: int = logging.INFO) -> None:
    """Write the logs of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def log_access(client: str, method: str, path: str, status: int, seconds: float, request: str) -> None:
    """One line about a request."""
    extra = {
        "request": request,
        "client": client,
        "method": method,
        "path": path,
        "status": status,
        "seconds": round(seconds, 6),
    }
    shown = client, method, _escaped(path), status, seconds * 1000, request
    access.info("%s %s %s %d %.1f ms %s", *shown, extra=extra)
