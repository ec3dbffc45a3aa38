"""`marine-gen check`: everything that is wrong with files, without running them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from marine_gen.cli.options import FILE, examples, host_file_option
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.host_file import read_host_functions
from marine_gen.console.output import counted, write_json
from marine_gen.console.report import clean, report_diagnostics, report_error, say, warn

if TYPE_CHECKING:
    from marine_gen.inspect.check import Checked, Report


@click.command(
    "check",
    cls=StrictCommand,
    short_help="Report errors in adapters, modules and services.",
    epilog=examples("marine-gen check greeting.it", "marine-gen check donkey.wasm shrek.wasm"),
)
@click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)
@click.option(
    "--verbose", is_flag=True, help="List functions and imports too, and in services what the fused engine leaves out."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for all files.")
@host_file_option
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...], verbose: bool, as_json: bool, host_file: Path | None) -> None:
    """Report errors in adapters, modules and services, without running them.

    FILE is an adapter text (.it), an interface description (.idl), a Wasm module, a service configuration (.toml), or
    a directory that `build` wrote. Several Wasm modules are also checked against each other, in the given order. A
    text is checked against the signatures that its module should have. Mounted programs must exist, unless
    the host file, which is run, defines functions of their names.
    """
    from marine_gen.inspect.check import examine

    reports = examine(files, read_host_functions(host_file))
    failed = [report for report in reports if not report.ok]
    if as_json:
        write_json([report.to_json() for report in reports])
    else:
        for report in reports:
            _show(report, verbose)
        if failed:
            count = sum(len(report.findings) for report in failed)
            say(f"\n{counted(count, 'error')} in {len(failed)} of {counted(len(reports), 'file')}")
    if failed:
        ctx.exit(1)


def _show(report: Report, verbose: bool) -> None:
    from marine_gen.diagnostics import Diagnostic

    for position, finding in enumerate(report.findings):
        if position:
            say()
        if isinstance(finding, Diagnostic):
            report_diagnostics([finding])
        else:
            report_error(finding)
    if not report.ok:
        return
    where = clean(str(report.path))
    if len(report.modules) == 1:
        click.echo(f"ok: {where}: {_summary(report.modules[0])}")
    else:
        click.echo(f"ok: {where}: {counted(len(report.modules), 'module')}")
    for sentence in report.closures():
        warn(clean(f"{where}: {sentence}"))
    unfused = report.unfused() if verbose else {}
    for module in report.modules:
        indent = "  "
        if len(report.modules) > 1:
            click.echo(f"  {_summary(module)}")
            indent = "    "
        if not verbose:
            continue
        kept = unfused.get(module.name, [])
        parts = (
            ("func", module.functions),
            ("needs", module.imports),
            ("host", module.host_imports),
            ("unfused", kept),
        )
        for word, lines in parts:
            for line in lines:
                click.echo(clean(f"{indent}{word} {line}"))


def _summary(module: Checked) -> str:
    imports = len(module.imports) + len(module.host_imports)
    return clean(f"module {module.name}, {counted(len(module.functions), 'function')}, {counted(imports, 'import')}")
