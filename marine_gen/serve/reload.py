"""Watching the files of a service: a changed service is compiled while the old one runs, and replaces it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marine_gen.console.inputs import InputKind, kind_of
from marine_gen.serve.backend import Backend
from marine_gen.serve.figures import Figures
from marine_gen.serve.settings import Settings
from marine_runtime import MarineError, read_config

logger = logging.getLogger("marine_gen.serve")

EVERY = 0.5
"""Seconds between two looks at the files."""

State = dict[Path, tuple[int, int] | None]
"""Time and size of each file; None for one that can't be read."""


def watched(target: Any, host_file: Path | None) -> list[Path]:
    """The files that a service is made of."""
    found: list[Path] = [] if host_file is None else [host_file]
    if isinstance(target, Mapping):
        return found + [Path(item) for item in target.values() if isinstance(item, (str, Path))]
    path = Path(target)
    try:
        kind = kind_of(path)
    except MarineError:  # there is none for a moment, while it is replaced
        return [*found, path]
    match kind:
        case InputKind.DIRECTORY:
            found.append(path)
            with contextlib.suppress(OSError):
                found += sorted(item for item in path.iterdir() if item.is_file())
        case InputKind.CONFIG:
            found.append(path)
            with contextlib.suppress(MarineError, OSError):  # it is being written, or wrong; loading says so
                found += read_config(path).modules.values()
        case _:
            found.append(path)
    return found


def state(files: list[Path]) -> State:
    """The state of files, by which a change is noticed."""
    seen: State = {}
    for file in files:
        try:
            status = file.stat()
            seen[file] = status.st_mtime_ns, status.st_size
        except OSError:
            seen[file] = None
    return seen


async def watch(settings: Settings, backend: Backend, figures: Figures) -> None:
    """Reload the service when a file changes and has then been left alone for a moment; never returns."""

    async def look() -> State:
        return await asyncio.to_thread(lambda: state(watched(settings.target, settings.host_file)))

    known = await look()
    while True:
        await asyncio.sleep(EVERY)
        found = await look()
        if found == known:
            continue
        await asyncio.sleep(EVERY / 5)
        if await look() != found:
            continue  # it is still being written
        known = found
        try:
            await backend.load()
        except Exception as error:
            outcome = "failed"
            logger.error("the changed service can't be loaded, the one before goes on: %s", error)
        else:
            outcome = "ok"
            logger.info("the changed service was loaded")
        figures.reloads[outcome] = figures.reloads.get(outcome, 0) + 1
