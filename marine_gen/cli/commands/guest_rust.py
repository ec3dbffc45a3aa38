"""`marine-gen guest build-rust`: modules from crates of the Marine SDK, as `marine build` makes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marine_gen.cli.options import FILE, FOLDER, examples
from marine_gen.cli.parsing import PassingCommand
from marine_gen.console.inputs import check_folder, make_folder, read_bytes, write_file
from marine_gen.console.output import counted
from marine_gen.console.report import clean, warn

if TYPE_CHECKING:
    from marine_gen.diagnostics import Diagnostic
    from marine_gen.guest.rust import Artifact, Workspace
    from marine_gen.interfaces import Interfaces

_MANIFEST = "Cargo.toml"


class _CargoCommand(PassingCommand):
    passed = "CARGO_ARGS"
    receiver = "cargo"


@click.command(
    "build-rust",
    cls=_CargoCommand,
    short_help="Build crates of the Marine SDK.",
    epilog=examples(
        "marine-gen guest build-rust greeter --release",
        "marine-gen guest build-rust -o artifacts --features logger --interface -- --locked -p greeter",
    ),
)
@click.argument("crate", metavar="[CRATE_OR_WORKSPACE]", type=FILE, required=False)
@click.option("--release", is_flag=True, help="Build with optimisations.")
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    metavar="DIR",
    help="Directory to write to; by default `artifacts` in the crate or workspace.",
)
@click.option("--features", multiple=True, metavar="FEATURES", help="Features to enable, comma-separated.")
@click.option("--interface", "listing", is_flag=True, help="Print the typed interface of each module.")
@click.pass_context
def build_rust(
    ctx: click.Context, crate: Path | None, release: bool, output: Path | None, features: tuple[str, ...], listing: bool
) -> None:
    """Build the crates of a workspace that use the Marine SDK, and embed their adapters and the SDK's version.

    Every binary and cdylib becomes DIR/NAME.wasm; files that would not change are not touched. The directory
    of a crate stands for that crate, the root of a workspace for all its members; by default it is the nearest
    directory upwards with a Cargo.toml. Arguments after -- go to cargo, which runs there.
    """
    from marine_gen.diagnostics import DiagnosticError
    from marine_gen.guest.rust import CargoError, CargoFailedError

    directory = _nearest_crate() if crate is None else _crate_folder(crate)
    folder = directory / "artifacts" if output is None else output
    check_folder(folder)  # before a build that may take minutes
    try:
        workspace, artifacts = _run_cargo(directory, release, features, _CargoCommand.passed_arguments(ctx))
    except CargoFailedError as error:
        ctx.exit(error.code)  # cargo has said why
    findings: list[Diagnostic] = []
    modules = 0
    for artifact in artifacts:
        try:
            modules += _write_module(artifact, workspace, folder, listing=listing)
        except DiagnosticError as error:
            findings += error.diagnostics
    if findings:
        raise DiagnosticError(findings)
    if artifacts and not modules:
        raise CargoError("no module was made; mark the functions that a crate exports with `#[marine]`")


def _nearest_crate() -> Path:
    here = Path.cwd()
    steps = (Path(*[os.pardir] * count) for count in range(len(here.parents) + 1))
    return next((step for step in steps if (step / _MANIFEST).is_file()), None) or _crate_folder(Path())


def _crate_folder(crate: Path) -> Path:
    from marine_runtime import LoadError

    directory = crate.parent if crate.name == _MANIFEST else crate
    if not (directory / _MANIFEST).is_file():
        raise LoadError(
            f"`{directory}` is not a crate, as it has no {_MANIFEST}; name the directory of a crate or workspace, "
            "or start one with `marine-gen guest new --rust NAME`"
        )
    return directory


def _run_cargo(
    directory: Path, release: bool, features: Sequence[str], arguments: Sequence[str]
) -> tuple[Workspace, tuple[Artifact, ...]]:
    from marine_gen.guest.rust import (
        CargoFailedError,
        build_crates,
        builds_std,
        check_arguments,
        find_toolchain,
        missing_linker,
        read_workspace,
    )
    from marine_runtime import ArgumentError

    try:
        check_arguments(arguments)
    except ArgumentError as error:
        raise click.UsageError(str(error)) from None
    toolchain = find_toolchain(directory, builds_std=builds_std(arguments))
    workspace = read_workspace(toolchain, directory, features=features, arguments=arguments)
    try:
        built = build_crates(toolchain, workspace, directory, release=release, features=features, arguments=arguments)
    except CargoFailedError:
        if advice := missing_linker(toolchain, directory):
            warn(f"`rust-lld`, which links modules, is not installed; run `{advice}` unless another linker is chosen")
        raise
    return workspace, built


def _write_module(artifact: Artifact, workspace: Workspace, folder: Path, *, listing: bool) -> bool:
    """Embed adapters into a module of cargo, and print what was done; false when it is not a Marine module.

    Raises:
        DiagnosticError: the description of the module is wrong.
    """
    from marine_gen.artifact import embed_adapters
    from marine_gen.diagnostics import Code, DiagnosticError
    from marine_gen.generate import generate, read_description
    from marine_gen.guest.rust import locate_items

    wasm = read_bytes(artifact.file)
    target = folder / artifact.file.name
    try:
        interfaces = generate(read_description(wasm))
        module = embed_adapters(target.stem, wasm, interfaces, artifact.crate.sdk_version)
    except DiagnosticError as error:
        if error.diagnostics[0].code is Code.SECTION_MISSING:
            warn(
                f"`{clean(target.name)}` of crate `{clean(artifact.crate.name)}` is left out, as it uses no `#[marine]`"
            )
            return False
        raise locate_items(error, artifact.crate, workspace, artifact.file) from None
    if target.is_file() and read_bytes(target) == module:
        click.echo(f"up to date {clean(str(target))}")
    else:
        make_folder(folder)
        write_file(target, module)
        functions = len(interfaces.implementations) - len(interfaces.imports) // 2
        parts = f"{len(module):,} bytes, {counted(functions, 'function')}, SDK {artifact.crate.sdk_version}"
        click.echo(f"built {clean(str(target))}: {parts}")
    if listing:
        _list(target.stem, interfaces)
    return True


def _list(name: str, interfaces: Interfaces) -> None:
    from marine_gen.reflect.description import module_interface
    from marine_runtime import Interface

    for line in Interface({name: module_interface(interfaces)}).lines():
        click.echo(f"  {clean(line)}" if line else "")
