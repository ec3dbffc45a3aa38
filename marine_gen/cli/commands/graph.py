"""`marine-gen graph`: a service as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marine_gen.cli.options import FILE, default_engine, engine_option, examples
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.inputs import write_file
from marine_gen.console.output import write_text
from marine_gen.console.report import clean, warn

if TYPE_CHECKING:
    from marine_gen.ir import AdapterIR

_FORMATS = (".svg", ".html", ".htm")


@click.command(
    "graph",
    cls=StrictCommand,
    short_help="Draw the modules of a service and their calls.",
    epilog=examples(
        "marine-gen graph Config.toml -o service.svg",
        "marine-gen graph Config.toml -o service.html --measure",
    ),
)
@click.argument("target", metavar="SERVICE", type=FILE)
@click.option(
    "-o", "--output", type=FILE, metavar="FILE", help="File to write, .svg or .html; without it, SVG goes to stdout."
)
@click.option("--measure", "measured", is_flag=True, help="Time every crossing, between modules that do nothing.")
@engine_option
def command(target: Path, output: Path | None, measured: bool, engine: str | None) -> None:
    """Draw a service: modules with their exports and imports, what the host provides, and every call between them with
    the steps of its adapters.

    SERVICE is a service configuration (.toml), a Wasm module, or a directory that `build` wrote. An SVG file is a
    picture; an HTML file also shows, for each function, the code that runs when it is called. Both are
    self-contained. The service is never run, not even to measure.
    """
    if output == Path("-"):
        raise click.BadParameter("leave it out to write SVG to stdout; HTML needs a file", param_hint="-o")
    if output is not None and output.suffix.lower() not in _FORMATS:
        raise click.BadParameter(f"the file must end in .svg or .html, not in {output.suffix!r}", param_hint="-o")
    from marine_gen.artifact import BACKENDS, compile_service, read_target
    from marine_gen.artifact.target import read_built
    from marine_gen.graph import Costs, build_graph, measure, render_html, render_svg
    from marine_gen.inspect.views import Subject, Written, views
    from marine_runtime import ServiceConfig

    source = read_built(target) if target.is_dir() else read_target(target)
    compiled = compile_service(source, strict=False)
    for item in compiled:
        for left_out in item.plan.left_out:
            warn(clean(left_out.sentence(item.plan.name)))
    chosen = engine or default_engine()
    form = BACKENDS[chosen].form
    page = output is not None and output.suffix.lower() != ".svg"
    service = [item.fusible for item in compiled]
    written = Written()

    def excerpts(position: int, adapter: AdapterIR) -> Sequence[tuple[str, str]]:
        return [(view.title, _lines(view.text)) for view in views(Subject(service, position, adapter), form, written)]

    costs = measure(compiled, chosen) if measured else Costs({}, "")
    graph = build_graph(
        source.name,
        compiled,
        ServiceConfig.from_json(source.options),
        chosen,
        excerpts=excerpts if page else None,
        folder=(target if target.is_dir() else target.parent).resolve(),
        costs=costs.texts,
        measured=costs.how,
    )
    text = render_html(graph) if page else render_svg(graph)
    if output is None:
        write_text(text)
    else:
        write_file(output, text.encode())


def _lines(text: str) -> str:
    return "\n".join(map(clean, text.split("\n")))
