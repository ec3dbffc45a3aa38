"""`marine-gen guest`: modules from C and from Rust.

`new` starts one, `build` compiles C, `header` writes the glue for C. `build-rust` is in `guest_rust`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marine_gen.cli.commands.guest_rust import build_rust
from marine_gen.cli.options import FILE, FOLDER, examples
from marine_gen.cli.parsing import PassingCommand, StrictCommand
from marine_gen.console.inputs import make_folder, read_bytes, read_description, write_file
from marine_gen.console.report import clean, wants_colour

if TYPE_CHECKING:
    pass

_FOLDER = click.option(
    "-o",
    "--output",
    type=FOLDER,
    metavar="DIR",
    default=Path(),
    help="Directory to write to, created if missing; the current one by default.",
)


class _CompilerCommand(PassingCommand):
    passed = "CFLAGS"
    receiver = "the compiler"


@click.group(
    "guest",
    short_help="Make modules from C and Rust.",
    epilog=examples(
        *("marine-gen guest new greeter", "marine-gen guest build greeter.c"),
        *("marine-gen guest new --rust greeter", "marine-gen guest build-rust greeter"),
    ),
)
def command() -> None:
    """Make Wasm modules: from C functions and a description of their interface, or from crates of the Marine SDK."""


command.add_command(build_rust)


@command.command(
    "build",
    cls=_CompilerCommand,
    short_help="Compile C sources to a module.",
    epilog=examples(
        "marine-gen guest build greeter.c",
        "marine-gen guest build main.c more.c --interface greeter.idl -o greeter.wasm -- -O3 -DLIMIT=10",
    ),
)
@click.argument("sources", metavar="SOURCE.c...", type=FILE, nargs=-1, required=True)
@click.option("--interface", type=FILE, metavar="FILE.idl", help="Interface of the module; SOURCE.idl by default.")
@click.option(
    "-o", "--output", type=FILE, metavar="OUT.wasm", help="Module to write, `-` for stdout; SOURCE.wasm by default."
)
@click.option("--cc", metavar="COMMAND", help="A clang for wasm32-wasi; by default that of the extra `guests`.")
@click.pass_context
def build(
    ctx: click.Context, sources: tuple[Path, ...], interface: Path | None, output: Path | None, cc: str | None
) -> None:
    """Compile C sources with the glue of their interface, and embed the adapters.

    The sources include NAME_glue.h, NAME being that of the interface. Options after -- go to the compiler.
    """
    from marine_gen.artifact import GENERATOR, refuse_overwriting
    from marine_gen.diagnostics import DiagnosticError
    from marine_gen.guest import CompilerError, build_guest

    for source in sources:
        if source.suffix.lower() == ".idl":
            raise click.UsageError(f"`{clean(str(source))}` is not a C source; name an interface with --interface")
        read_bytes(source)  # one message for a file that is not there, and before the compiler starts
    chosen = interface or sources[0].with_suffix(".idl")
    target = output or sources[0].with_suffix(".wasm")
    refuse_overwriting(target, [*sources, chosen])
    description = read_description(chosen)
    try:
        wasm, messages = build_guest(
            sources,
            description,
            chosen.stem,
            generator=GENERATOR,
            compiler=cc,
            options=_CompilerCommand.passed_arguments(ctx),
            colour=wants_colour(sys.stderr),
        )
    except CompilerError as error:
        click.echo(error.output, err=True, nl=False)
        raise
    except DiagnosticError as error:
        raise error.with_source(str(chosen)) from None
    click.echo(messages, err=True, nl=False)
    write_file(target, wasm)
    # With the module itself on stdout, nothing else may go there.
    click.echo(f"built {clean(str(target))}: {len(wasm):,} bytes", err=str(target) == "-")


@command.command(
    "header",
    cls=StrictCommand,
    short_help="Write the glue of an interface.",
    epilog=examples("marine-gen guest header f.idl"),
)
@click.argument("interface", metavar="FILE.idl", type=FILE)
@_FOLDER
def header(interface: Path, output: Path) -> None:
    """Write the glue of an interface and marine.h, for an editor, another compiler, or to look at.

    `guest build` generates its own copy.
    """
    from marine_gen.artifact import GENERATOR
    from marine_gen.diagnostics import DiagnosticError
    from marine_gen.guest import glue_files, write_glue

    try:
        glue = write_glue(read_description(interface), interface.stem, generator=GENERATOR)
    except DiagnosticError as error:
        raise error.with_source(str(interface)) from None
    make_folder(output)
    for name, content in glue_files(glue).items():
        write_file(output / name, content)
        click.echo(f"wrote {clean(str(output / name))}")


@command.command(
    "new",
    cls=StrictCommand,
    short_help="Start a module.",
    epilog=examples("marine-gen guest new greeter", "marine-gen guest new --rust greeter"),
)
@click.argument("name", metavar="NAME")
@click.option("--rust", is_flag=True, help="Write a crate in the directory NAME, with a configuration and tests.")
@_FOLDER
def new(name: str, rust: bool, output: Path) -> None:
    """Write an interface NAME.idl and a source NAME.c that build as they are. Nothing is overwritten.

    With --rust, write a directory NAME with a crate of the Marine SDK instead.
    """
    from marine_gen.guest import new_guest
    from marine_gen.guest.rust import new_rust_guest
    from marine_runtime import LoadError

    files = new_rust_guest(name) if rust else new_guest(name)
    for file in files:
        if (output / file).exists():
            raise LoadError(
                f"`{output / file}` already exists and is not overwritten: "
                "choose another name, or another directory with -o"
            )
    for file, text in files.items():
        make_folder((output / file).parent)
        write_file(output / file, text.encode())
        click.echo(f"wrote {clean(str(output / file))}")
