"""The user's cache directory: where it is, and whether it is safe to use.

Its content is executed, so it is used only when it is the user's own and nobody else can write to it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import sys
from functools import cache

CACHE_VARIABLE = "MARINE_GEN_CACHE"
"""Environment variable with another place for the cache."""

_BASE_VARIABLE = "XDG_CACHE_HOME"

_numbers = itertools.count()


def cache_place() -> str:
    """The place of the user's cache, which marine-gen uses as well.

    Raises:
        RuntimeError: the user has no home directory.
    """
    if chosen := os.environ.get(CACHE_VARIABLE):
        return chosen
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return os.path.join(local or os.path.join(_home(), "AppData", "Local"), "marine-gen", "Cache")
    if sys.platform == "darwin":
        return os.path.join(_home(), "Library", "Caches", "marine-gen")
    base = os.environ.get(_BASE_VARIABLE, "").strip()
    return os.path.join(base or os.path.join(_home(), ".cache"), "marine-gen")


def _home() -> str:
    found = os.path.expanduser("~")
    if found == "~":
        raise RuntimeError("the user has no home directory")
    return found


def own_directory(path: str) -> str | None:
    """`path`, made when missing; None when it can't be made, is not the user's own, or others can write to it."""
    return path if _made(path) and _is_own(path) else None


def _made(path: str) -> bool:
    """True if there is a directory; it is made when missing."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except (OSError, ValueError):
        return False
    return True


def _is_own(path: str) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o022


def cache_directory() -> str | None:
    """The user's cache directory, made when missing; None when it is not the user's own or can't be made."""
    try:
        return own_directory(cache_place())
    except RuntimeError:
        return None


def cache_to_use() -> str | None:
    """As `cache_directory`; a directory that exists or was chosen, but can't be used, is logged once."""
    directory = cache_directory()
    if directory is None and (_is_chosen() or _is_there()):
        _warn(cache_problem())
    return directory


def cache_folder(name: str) -> str | None:
    """A folder of the cache, made when missing; None when there is no safe place for it."""
    place = cache_to_use()
    return None if place is None else own_directory(os.path.join(place, name))


def cache_problem() -> str:
    """The sentence about a cache directory that can't be used."""
    where = "the user's cache directory"
    for variable in (CACHE_VARIABLE, _BASE_VARIABLE):
        if chosen := os.environ.get(variable):
            where = f"the cache directory of the environment variable {variable}, `{chosen}`,"
            break
    return (
        f"{where} can't be used: it must be a directory that you can write to and nobody else can; "
        "services are compiled at every start"
    )


def write_replacing(path: str | os.PathLike[str], data: bytes, mode: int = 0o600) -> None:
    """Write a file so that readers see the whole of it or none; raises OSError.

    Others may do with it what `mode` and the process's umask allow.
    """
    folder, name = os.path.split(os.fspath(path))
    while True:
        temporary = os.path.join(folder, f".{name}-{os.getpid():x}-{next(_numbers):x}")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        except FileExistsError:  # of a process that was killed
            continue
        break
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _is_chosen() -> bool:
    return bool(os.environ.get(CACHE_VARIABLE) or os.environ.get(_BASE_VARIABLE))


def _is_there() -> bool:
    try:
        return os.path.exists(cache_place())
    except RuntimeError:
        return False


@cache
def _warn(sentence: str) -> None:
    import logging

    logging.getLogger("marine_runtime").warning("%s", sentence)
