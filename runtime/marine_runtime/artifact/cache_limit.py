"""The size of the user's cache: the least recently used entries are dropped when it grows beyond its limit.

The cache holds builds, a folder each, and files with machine code. The last use of one is the time of its mark: of the
file `.checked` of a build, of a file itself. It is renewed once a minute at most, so that loads write little.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from marine_runtime.config.cache_directory import cache_directory
from marine_runtime.config.sizes import parse_size
from marine_runtime.errors import ConfigError

LIMIT_VARIABLE = "MARINE_GEN_CACHE_LIMIT"
"""Environment variable with the size that the cache may have."""

DEFAULT_LIMIT = 1 << 30
"""Bytes of the cache by default."""

CHECKED = ".checked"
"""The file of a build in the cache that says which of its files were found whole."""

CODE_FOLDER = "machine-code"
"""The folder of the cache with machine code."""

FIRST_FOLDER = "first-loads"
"""The folder of the cache with marks of first loads, which hold the sources of the service."""

_RENEWED = 60.0  # seconds after which a use is noted again
_RECENT = 60.0 + _RENEWED  # seconds since a mark in which nothing is dropped: another process may be reading it
_ABANDONED = 86400.0  # seconds after which what a process was writing is that of a killed one
_BUILD = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"[0-9a-f]{64}\.cwasm")
_LEFT = re.compile(r"\.[0-9a-f]{64}[-.].*")


class _Item(NamedTuple):
    used: float
    size: int
    path: str


def read_limit() -> int | None:
    """Bytes that the cache may have; None without a limit.

    Raises:
        ConfigError: the environment variable is not a size.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    return parse_size(text, f"the environment variable {LIMIT_VARIABLE}") if text else DEFAULT_LIMIT


def limit() -> int | None:
    """The same; a wrong size is logged, once, and the default taken."""
    try:
        return read_limit()
    except ConfigError as error:
        _warn(str(error))
        return DEFAULT_LIMIT


def note_use(mark: str) -> None:
    """Note that what `mark` stands for is used."""
    with contextlib.suppress(OSError):  # it is taken for older than it is, nothing else
        if abs(time.time() - os.stat(mark).st_mtime) > _RENEWED:  # the clock may have been set back
            os.utime(mark)


def trim() -> None:
    """Drop the least recently used entries, until the cache is within its limit. What was used just now stays."""
    directory, most = cache_directory(), limit()
    if directory is None or most is None:
        return
    now = time.time()
    items = sorted(_items(directory, now))
    total = sum(item.size for item in items)
    for item in items:
        if total <= most or item.used > now - _RECENT:
            return
        _drop(item.path)
        total -= item.size


def _items(directory: str, now: float) -> Iterator[_Item]:
    for entry in _scan(directory):
        if _BUILD.fullmatch(entry.name):
            files = _scan(entry.path)
            marks = [file for file in files if file.name == CHECKED] or [entry]
            yield _Item(_used(marks[0], now), sum(map(_size, files)), entry.path)
        elif _is_left(entry, now):
            yield _Item(0.0, _whole_size(entry), entry.path)
    for folder, kind in ((CODE_FOLDER, _CODE), (FIRST_FOLDER, _BUILD)):
        for file in _scan(os.path.join(directory, folder)):
            if kind.fullmatch(file.name):
                yield _Item(_used(file, now), _size(file), file.path)
            elif _is_left(file, now):
                yield _Item(0.0, _size(file), file.path)


def _is_left(entry: os.DirEntry[str], now: float) -> bool:
    """True for what a killed process was writing."""
    return bool(_LEFT.fullmatch(entry.name)) and _time(entry) < now - _ABANDONED


def _whole_size(entry: os.DirEntry[str]) -> int:
    """The size of a file, or of everything in a folder."""
    return sum(map(_whole_size, _scan(entry.path))) if entry.is_dir(follow_symlinks=False) else _size(entry)


def _scan(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except OSError:  # not there, or not any more
        return []


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0


def _used(mark: os.DirEntry[str], now: float) -> float:
    """The last use; that of a mark of the future, which uses since the clock was set back would have renewed, is 0."""
    time = _time(mark)
    return time if time < now + _RENEWED else 0.0


def _time(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0


def _drop(path: str) -> None:
    """Remove a file, or a folder, which readers find whole or not at all."""
    with contextlib.suppress(OSError):
        if not os.path.isdir(path):
            os.unlink(path)
            return
        import shutil  # with all formats of archives

        folder, name = os.path.split(path)
        gone = path
        if not name.startswith("."):  # which nobody reads
            gone = os.path.join(folder, f".{name}-{os.getpid():x}")
            os.rename(path, gone)
        shutil.rmtree(gone, ignore_errors=True)


@cache
def _warn(sentence: str) -> None:
    import logging

    logging.getLogger("marine_runtime").warning("%s; using the default limit of 1 GiB", sentence)
