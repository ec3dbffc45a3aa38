"""`marine-gen build`: a service, compiled ahead of time into a directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from marine_gen.cli.options import FILE, EngineType, examples, strict_option
from marine_gen.cli.parsing import StrictCommand
from marine_gen.cli.sources import read_source
from marine_gen.console.output import counted, human_size, write_table
from marine_gen.console.progress import CompileBar
from marine_gen.console.report import clean, warn

if TYPE_CHECKING:
    from marine_gen.artifact import BuildResult


@click.command(
    "build",
    cls=StrictCommand,
    short_help="Compile a service ahead of time.",
    epilog=examples(
        "marine-gen build Config.toml", "marine-gen build donkey.wasm shrek.wasm -o build/swamp --engine closures"
    ),
)
@click.argument("targets", metavar="TARGET...", type=FILE, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="DIR",
    help="Directory to write; by default build/NAME, with the name of the service.",
)
@click.option("--engine", type=EngineType(ahead_of_time=True), help="Engine to compile for.")
@click.option("--force", is_flag=True, help="Write even if nothing changed.")
@click.option("--portable", is_flag=True, help="Leave machine code out; each machine compiles it at the first load.")
@strict_option
def command(
    targets: tuple[Path, ...], output: Path | None, engine: str | None, force: bool, portable: bool, strict: bool
) -> None:
    """Compile a service ahead of time into a directory that `marine_runtime` runs without the compiler.

    TARGET is a service configuration (.toml), or one or more Wasm modules in load order: each module may import from
    those before it.
    """
    from marine_gen.artifact import BUILT_ENGINES, build, reporting

    if output == Path("-"):
        raise click.BadParameter("a build is a directory, which can't go to stdout; name one", param_hint="-o")
    for target in targets:
        if target.is_dir():
            raise click.UsageError(f"`{clean(str(target))}` is a directory; build takes a .toml or .wasm files")
    source = read_source(targets, strict=strict)
    directory = output or _default_directory(source.name)
    chosen = engine or BUILT_ENGINES[0]
    with CompileBar() as bar, reporting(bar) as steps:
        result = build(source, directory, engine=chosen, force=force, native=not portable, strict=strict, steps=steps)
    for sentence in result.warnings:
        warn(clean(sentence))
    if result.fresh:
        click.echo(f"unchanged: {clean(str(directory))}")
    else:
        _show(result)


def _default_directory(name: str) -> Path:
    """`build/NAME`. The name may come from a configuration, and must not lead elsewhere."""
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise click.UsageError(f"the service name `{clean(name)}` is not a directory name: give one with -o DIR")
    return Path("build") / name


def _show(result: BuildResult) -> None:
    manifest, directory = result.manifest, result.directory
    rows, total = [], 0
    files = [(entry.plan.name, item) for entry in manifest.modules for item in entry.files.values()]
    for owner, item in (*files, *(("(package)", item) for item in manifest.package)):
        size = (directory / item.name).stat().st_size
        total += size
        rows.append((owner, item.name, human_size(size)))
    write_table(("module", "file", "size"), rows, numbers=("size",))
    modules = counted(len(manifest.modules), "module")
    click.echo(f"\nwrote {clean(str(directory))}: {modules}, {human_size(total)}, {manifest.engine} engine")
