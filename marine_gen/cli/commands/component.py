"""`marine-gen component`: a service as one WebAssembly component."""

from __future__ import annotations

from pathlib import Path

import click

from marine_gen.cli.options import FILE, examples, host_file_option
from marine_gen.cli.parsing import StrictCommand
from marine_gen.cli.sources import read_source
from marine_gen.console.inputs import files_of
from marine_gen.console.output import human_size
from marine_gen.console.report import clean, warn


@click.command(
    "component",
    cls=StrictCommand,
    short_help="Turn a service into one WebAssembly component.",
    epilog=examples(
        "marine-gen component greeting.wasm -o greeting.component.wasm",
        "marine-gen component Config.toml -o swamp.component.wasm --wit swamp.wit --package acme:swamp@1.0.0",
    ),
)
@click.argument("targets", metavar="TARGET...", type=FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=FILE, metavar="OUT", required=True, help="Component to write.")
@click.option(
    "--wit", type=FILE, metavar="FILE", help="WIT file to write, with the imports and exports of the component."
)
@click.option("--package", metavar="NS:NAME[@VERSION]", help="Package of its interface; marine:SERVICE by default.")
@click.option(
    "--logger",
    type=click.Choice(["stderr", "import", "none"]),
    default="stderr",
    show_default=True,
    help="Destination of the modules' log messages.",
)
@host_file_option
@click.option(
    "--call-parameters",
    type=click.Choice(["import", "empty"]),
    default="import",
    show_default=True,
    help="Source of the modules' call parameters.",
)
@click.option(
    "--stub-import",
    "stubs",
    metavar="NS.NAME",
    multiple=True,
    help="Import to replace by a trap. May be repeated.",
)
@click.option("--fault-import", is_flag=True, help="Import a function that reports a failure before the trap.")
@click.option("--strict", is_flag=True, help="Fail on what a component can't contain, instead of leaving it out.")
def command(
    targets: tuple[Path, ...],
    output: Path,
    wit: Path | None,
    package: str | None,
    logger: str,
    host_file: Path | None,
    call_parameters: str,
    stubs: tuple[str, ...],
    fault_import: bool,
    strict: bool,
) -> None:
    """Turn a whole service into one WebAssembly component, which exports the functions of its last module.

    TARGET is a service configuration (.toml), a built directory, or one or more Wasm modules in load order: each module
    may import from those before it.
    """
    from marine_gen.artifact import check_outputs, component, read_built, reporting, write_component
    from marine_gen.component_backend import component_options
    from marine_gen.console.host_file import read_host_functions
    from marine_gen.console.progress import CompileBar

    for path, option in ((output, "-o"), (wit, "--wit")):
        if path == Path("-"):
            raise click.BadParameter("it can't go to stdout; name a file", param_hint=option)
    if package == "":
        raise click.BadParameter("it is empty; write NAMESPACE:NAME, or leave it out", param_hint="--package")
    check_outputs(output, wit, [file for target in targets for file in files_of(target)])
    built = len(targets) == 1 and targets[0].is_dir()
    source = read_built(targets[0]) if built else read_source(targets, strict=strict)
    options = component_options(
        package=package or "",
        logger=logger,
        call_parameters=call_parameters,
        stub_imports=stubs,
        fault_import=fault_import,
        strict=strict,
    )
    host_functions = read_host_functions(host_file)
    with CompileBar() as bar, reporting(bar) as steps:
        made = component(source, options, host_functions, steps)
    for sentence in made.warnings:
        warn(clean(sentence))
    write_component(made, output, wit)
    click.echo(f"wrote {clean(str(output))}: {human_size(len(made.wasm))}, exports {clean(made.exports)}")
