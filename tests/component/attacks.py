"""Attacks of one module of a component on another one and on the host, as a script of WASI calls.

The service has three modules: the victim, which has its file open before anything is called; the hostile module, which
plays `attack`; and a facade that lets either play a script.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from marine_gen.generate import Description, ExternModule, ImportedFunction, Vector
from marine_runtime import ModuleConfig
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module, function
from tests.support.wasi import ROOM, SWEEPS, wasi_guest
from tests.support.wasi_scripts import BUFFER, FOUND, PATH_2, PIECES, WRITING, Answer, Script

CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
SECRET = b"the victim's secret"
HOST_SECRET = "the host's secret"
"""The value of an environment variable of the host, and what its standard input holds."""

OPENING = f"""
  (data (i32.const {ROOM}) "secret")
  (func (export "_initialize")
    (if (call $path_open (i32.const 3) (i32.const 1) (i32.const {ROOM}) (i32.const 6) (i32.const 0)
          (i64.const {WRITING}) (i64.const {WRITING}) (i32.const 0) (i32.const {ROOM + 16}))
      (then unreachable)))"""
"""A guest with this has its file open, as descriptor 4, before anything is called."""

REFUSED, HARMLESS = "refused", "harmless"
"""Prefixes of titles: an attempt that has to fail; one that may succeed, and show nothing of somebody else's."""

ESCAPES = (
    *(
        "..",
        "../victim",
        "../victim/secret",
        "../outside",
        "./../outside",
        "sub/../../outside",
        "sub/../../victim/secret",
    ),
    *("../hostile/../outside", "/etc/passwd", "//etc/passwd", "/"),
    *("link_file", "link_dir/secret", "link_dir", "link_up/outside", "link_root/etc/passwd", "link_chain/secret"),
    *("sub/../link_dir/secret", "victim/dir_victim/secret"),
)
"""Paths that lead out of the directory of the hostile module; links in it are made by `directories`."""

SETTINGS: Mapping[str, ModuleConfig] = {
    name: ModuleConfig(envs={f"TOKEN_{name}": f"token of {name}"}, mapped_dirs={f"dir_{name}": "/nowhere"})
    for name in ("victim", "hostile")
}


LEXICAL = ("link_dir/../outside", "link_up/hostile/own", "")
"""Paths that some hosts shorten before they look at them, so that they may lead to something of the module's own."""


@cache
def modules() -> dict[str, bytes]:
    """The three modules."""
    play = function("play", Vector(Prim.U8), result=Vector(Prim.U8))
    named = [function(name, Vector(Prim.U8), result=Vector(Prim.U8)) for name in ("attack", "check")]
    imports = tuple(ExternModule(name, (ImportedFunction(play),)) for name in ("victim", "hostile"))
    bodies = {
        "attack": "(call $import1 (local.get 0) (local.get 1))",
        "check": "(call $import0 (local.get 0) (local.get 1))",
    }
    facade = echo_module(Description((), tuple(named), imports), Memory(pages=4), bodies)
    return {"victim": wasi_guest(more=OPENING), "hostile": wasi_guest(), "facade": facade}


def directories(root: Path) -> dict[str, Path]:
    """Directories for both modules, by the names under which the component finds them, and one for nobody."""
    found = {"victim/dir_victim": root / "victim", "hostile/dir_hostile": root / "hostile", "other/dir": root / "other"}
    for path in found.values():
        path.mkdir()
        (path / "secret").write_bytes(SECRET)
    own = root / "hostile"
    (own / "secret").unlink()
    (root / "outside").write_bytes(SECRET)
    (own / "own").write_bytes(b"own")
    (own / "sub").mkdir()
    for name, target in {
        "link_file": root / "victim" / "secret",
        "link_dir": "../victim",
        "link_up": "..",
        "link_root": "/",
        "link_chain": "link_dir",
    }.items():
        (own / name).symlink_to(target)
    return found


def untouched(root: Path) -> dict[str, Any]:
    """Everything that the hostile module must not change."""
    places = (*sorted((root / "victim").iterdir()), *sorted((root / "other").iterdir()), root / "outside")
    return {
        "names": sorted(path.name for path in root.iterdir()),
        "files": {str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_nlink) for path in places},
    }


def attacks() -> list[Script]:
    """The scripts of the hostile module, for one instance; the last one closes what it has."""
    scripts = [Script()]
    _descriptors(scripts[0])
    for path in ESCAPES:
        scripts.append(Script())
        scripts[-1].title = f"{REFUSED}: {path}"
        _escape(scripts[-1], path)
    last = Script()
    last.title = f"{HARMLESS}: a name with a backslash"
    for path in ("..\\outside", "sub\\..\\..\\outside", "..\\victim\\secret"):
        last.open(3, path)
    _made_links(last)
    _environment(last)
    _streams(last)
    for path in LEXICAL:
        last.title = f"{HARMLESS}: {path}"
        for flags in (0, CREATE):
            last.open(3, path, flags, write=bool(flags))
            last.read(4)
            last.call("fd_close", 4)
    _renumbering(last)
    return [*scripts, last]


def _descriptors(script: Script) -> None:
    """Every descriptor argument of every function, with numbers that are not the module's own."""
    script.title = REFUSED
    for which in range(len(SWEEPS)):
        for first, last in ((4, 300), (1020, 1030), (2**31 - 3, 2**31 + 3), (2**32 - 40, 2**32 - 1)):
            script.sweep(which, first, last)


def _escape(script: Script, path: str) -> None:
    """Everything that takes a path."""
    for flags in (0, CREATE, DIRECTORY, CREATE | EXCLUSIVE):
        script.open(3, path, flags, write=bool(flags & CREATE))
    script.open(3, path, TRUNCATE, write=True)
    bad = script.path(path)
    script.call("path_filestat_get", 3, 1, *bad, BUFFER)
    script.call("path_filestat_set_times", 3, 1, *bad, 0, 0, 5)
    if path not in ("link_file", "link_dir"):  # as names, not followed, they are the module's own
        new = script.path("taken", PATH_2)
        script.call("path_link", 3, 0, *bad, 3, *new)
        script.call("path_rename", 3, *bad, 3, *new)
        script.call("path_unlink_file", 3, *bad)
        script.call("path_readlink", 3, *bad, BUFFER, 100, FOUND)
    else:
        script.call("path_link", 3, 1, *bad, 3, *script.path("taken", PATH_2))
    script.call("path_remove_directory", 3, *bad)
    script.call("path_create_directory", 3, *bad)
    if path not in ("link_file", "link_dir"):
        own = script.path("own", PATH_2)
        script.call("path_link", 3, 0, *own, 3, *bad)
        script.call("path_rename", 3, *own, 3, *bad)
        script.call("path_symlink", *own, 3, *bad)


def _made_links(script: Script) -> None:
    """Links that the module makes itself: hosts may let it, but nobody follows them."""
    for number, target in enumerate(("../victim/secret", "../victim", "/etc/passwd", "../outside")):
        script.title = f"{HARMLESS}: link to {target}"
        script.call("path_symlink", *script.path(target), 3, *script.path(f"made{number}", PATH_2))
        script.title = f"{REFUSED}: link to {target}"
        for follow in (0, 1):
            script.open(3, f"made{number}", follow=follow)
            script.open(3, f"made{number}/secret", follow=follow)
        script.call("path_filestat_get", 3, 1, *script.path(f"made{number}"), BUFFER)


def _environment(script: Script) -> None:
    script.title = f"{HARMLESS}: environment and names"
    script.call("environ_sizes_get", FOUND, FOUND + 4)
    script.call("environ_get", BUFFER, BUFFER + 0x100)
    script.peek(BUFFER + 0x100, 200)
    script.call("args_sizes_get", FOUND, FOUND + 4)
    script.peek(FOUND, 8)
    script.call("fd_prestat_get", 3, FOUND)
    script.call("fd_prestat_dir_name", 3, BUFFER, 11)
    script.peek(BUFFER, 64)
    script.title = f"{REFUSED}: directories of others"
    for number in (4, 5, 6):
        script.call("fd_prestat_get", number, FOUND)
        script.call("fd_prestat_dir_name", number, BUFFER, 11)


def _streams(script: Script) -> None:
    script.title = f"{HARMLESS}: standard input"
    script.read(0)
    script.title = f"{REFUSED}: files below the standard streams"
    for number in (0, 1, 2):
        script.open(number, "secret")
    script.title = f"{HARMLESS}: polls"
    for number in (4, 5, 6, 1000):
        for kind in (1, 2):
            script.poke(BUFFER, struct.pack("<QB7xI28x", 7, kind, number))
            script.poke(BUFFER + 0x100, b"\xff" * 32)  # stays where the call is refused
            script.call("poll_oneoff", BUFFER, BUFFER + 0x100, 1, FOUND)
            script.peek(BUFFER + 0x108, 2)


def _renumbering(script: Script) -> None:
    """Numbers of nobody become none of one's own, and what is moved is still only one's own."""
    script.title = f"{REFUSED}: numbers of nobody"
    for number in (4, 5, 6, 1000, 2**32 - 1):
        for to in (3, 0, number):
            script.call("fd_renumber", number, to)
    script.title = f"{HARMLESS}: its own numbers"
    script.open(3, "own")
    script.call("fd_renumber", 4, 0)
    script.read(0)
    script.call("fd_close", 0)
    script.call("fd_close", 1)
    script.call("fd_close", 2)
    script.call("fd_close", 3)
    script.title = f"{REFUSED}: closed directory"
    script.open(3, "own")
    script.call("fd_read", 4, PIECES, 1, FOUND)
    script.title = f"{REFUSED}: numbers once more"
    for which in range(len(SWEEPS)):
        script.sweep(which, 0, 40)


def check() -> Script:
    """The script of the victim afterwards: all that it had is still there."""
    script = Script()
    script.read(4)
    script.call("fd_prestat_get", 3, FOUND)
    script.open(3, "secret")
    script.read(5)
    script.write(2, b"")
    return script


def broken(scripts: Sequence[Script], outputs: Sequence[bytes]) -> list[str]:
    """The findings of an attack; empty when nothing was reached."""
    found = []
    answers = [item for script, output in zip(scripts, outputs, strict=True) for item in script.answers(output)]
    for answer in answers:
        content = answer.content
        if isinstance(content, bytes):
            if "polls" in answer.title:
                hit = content == bytes(2)  # the event has no error
            else:
                hit = any(text in content for text in (SECRET, b"victim", HOST_SECRET.encode(), b"root:"))
        elif "sweep" in answer.title:
            hit = content != 0
        else:
            hit = answer.title.startswith(REFUSED) and content == 0
        if hit:
            found.append(f"{answer.title}: {content!r}")
    return found


def whole(answers: Iterable[Answer]) -> bool:
    """True if the victim has what it had."""
    read, first, stat, opened, again, second, written = (answer.content for answer in answers)
    texts = [bytes(text).rstrip(b"\0") for text in (first, second) if isinstance(text, bytes)]
    return (read, stat, opened, again, written) == (0,) * 5 and texts == [SECRET, SECRET]
