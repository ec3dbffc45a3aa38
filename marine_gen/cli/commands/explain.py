"""`marine-gen explain`: the steps of an adapter, and the code that it was compiled to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marine_gen.cli.options import FILE, default_engine, engine_option, examples
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.inputs import read_inputs
from marine_gen.console.output import write_table
from marine_gen.console.report import clean, warn

if TYPE_CHECKING:
    from marine_gen.inspect.views import Subject
    from marine_gen.ir import AdapterIR, ModuleIR


@click.command(
    "explain",
    cls=StrictCommand,
    short_help="Show the code that an adapter is compiled to.",
    epilog=examples(
        "marine-gen explain greeting.wasm",
        "marine-gen explain greeting.wasm greeting",
        "marine-gen explain shrek.wasm import donkey.greeting",
    ),
)
@click.argument("target", type=FILE)
@click.argument("words", metavar="[ADAPTER]", nargs=-1)
@engine_option
def command(target: Path, words: tuple[str, ...], engine: str | None) -> None:
    """Show the instructions of an adapter, its intermediate representation and all code that runs in its place.

    That is the code of the default engine, or of the one that `--engine` names, with every helper that it calls, in
    Python and in Wasm. `Paths` lists the paths that calls take through it.

    TARGET is an adapter text (.it), an interface description (.idl), a Wasm module, a service configuration (.toml), or
    a directory that `build` wrote.
    ADAPTER is FUNCTION or MODULE.FUNCTION for an exported function, `import NAMESPACE.NAME` for an imported one;
    without it the adapters are listed.
    """
    from marine_gen.artifact import BACKENDS
    from marine_gen.artifact.fuse import fusions
    from marine_gen.inspect.check import compile_input
    from marine_gen.inspect.show import show, title_of
    from marine_gen.inspect.views import Subject, views
    from marine_runtime import LoadError

    service = [compile_input(item, strict=False) for item in read_inputs(target)]
    everything = [
        Subject(service, position, adapter) for position, part in enumerate(service) for adapter in part.ir.adapters
    ]
    if not words:
        _list(everything)
        for part in service:
            for sentence in _left_out(part.ir).values():
                warn(clean(sentence))
        for part, item in zip(service, fusions(service), strict=True):
            for sentence in item.sentences:
                warn(clean(f"module `{part.ir.name}`: {sentence}"))
        return
    wanted = " ".join(words)
    for part in service:
        for name, sentence in _left_out(part.ir).items():
            if wanted in (name, f"{part.ir.name}.{name}"):
                raise LoadError(sentence)
    for number, subject in enumerate(_find(everything, wanted, target)):
        if number:
            click.echo()
        show(title_of(subject), list(views(subject, BACKENDS[engine or default_engine()].form)))


def _left_out(module: ModuleIR) -> dict[str, str]:
    """The outcomes of invalid adapters, by the names that they would have."""
    from marine_gen.artifact.compile import left_out_of

    items = left_out_of(module)
    return {
        f"import {item.namespace}.{item.name}" if item.namespace else item.name: item.sentence(module.name)
        for item in items
    }


def _list(subjects: Sequence[Subject]) -> None:
    if not subjects:
        click.echo("there are no adapters")
        return
    rows = [(subject.module.name, _name(subject.adapter), str(subject.adapter.signature)) for subject in subjects]
    write_table(("module", "adapter", "signature"), rows)


def _find(subjects: Sequence[Subject], wanted: str, target: Path) -> Sequence[Subject]:
    """The adapters of that name; there are several when modules share function names."""
    from marine_runtime import ArgumentError

    found = [
        subject
        for subject in subjects
        if wanted in (_name(subject.adapter), f"{subject.module.name}.{_name(subject.adapter)}")
    ]
    if not found:
        several = len({subject.module.name for subject in subjects}) > 1
        names = [
            f"{item.module.name}.{item.adapter.function}"
            if several and item.adapter.side.value == "export"
            else _name(item.adapter)
            for item in subjects
        ]
        listed = ", ".join(f"`{name}`" for name in dict.fromkeys(names)) or "none"
        raise ArgumentError(f"`{target}` has no adapter `{wanted}`; available: {listed}")
    return found


def _name(adapter: AdapterIR) -> str:
    """As the command line names it."""
    return adapter.function if adapter.side.value == "export" else f"import {adapter.function}"
