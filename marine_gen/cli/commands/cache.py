"""`marine-gen cache`: the content of the cache of compiled services."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from marine_gen.cli.options import examples
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.output import counted, human_size, write_table
from marine_gen.console.report import clean

_LONGEST = 60


@click.command(
    "cache",
    cls=StrictCommand,
    short_help="List or clear the cache of compiled services.",
    epilog=examples("marine-gen cache", "marine-gen cache --clear"),
)
@click.option("--clear", is_flag=True, help="Remove everything that is cached.")
def command(clear: bool) -> None:
    """List the services that were compiled on the fly, or remove them.

    The cache is a directory of the user; the environment variable MARINE_GEN_CACHE names another one. Beyond 1 GiB,
    or the size in MARINE_GEN_CACHE_LIMIT, the least recently used entries are removed.
    """
    from marine_gen.artifact import cache_directory, cache_entries, cached_code, clear_cache
    from marine_runtime import LoadError
    from marine_runtime.artifact import cache_problem, read_limit

    directory = cache_directory()
    if directory is None:
        raise LoadError(cache_problem())
    read_limit()  # a wrong one is told here, as loads only warn of it
    if clear:
        click.echo(f"removed {counted(clear_cache(), 'cached service')}")
        return
    entries = cache_entries()
    sizes = [directory_size(entry) for entry in entries]
    if entries:
        rows = [
            (*_describe(entry), human_size(size), _modified(entry), entry.name[:12])
            for entry, size in zip(entries, sizes, strict=True)
        ]
        write_table(("service", "engine", "size", "made", "key"), rows, numbers=("size",))
        click.echo()
    click.echo(f"{clean(str(directory))}: {counted(len(entries), 'cached service')}, {human_size(sum(sizes))}")
    if code := cached_code():
        size = human_size(directory_size(code[0].parent))
        click.echo(f"machine code of portable builds: {counted(len(code), 'file')}, {size}")


def _describe(entry: Path) -> tuple[str, str]:
    from marine_runtime import LoadError
    from marine_runtime.artifact import read_manifest
    from marine_runtime.texts import shortened

    try:
        manifest = read_manifest(entry)
    except LoadError:
        return "(damaged)", ""
    return shortened(manifest.name, _LONGEST), manifest.engine  # a name may be that of all modules


def _modified(entry: Path) -> str:
    try:
        return datetime.fromtimestamp(entry.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    except OSError:  # someone else cleared it meanwhile
        return ""


def directory_size(directory: Path) -> int:
    """Bytes of all files below `directory`; what vanishes meanwhile counts nothing."""
    total = 0
    for item in directory.rglob("*"):
        try:
            total += item.stat().st_size if item.is_file() else 0
        except OSError:
            continue
    return total
