"""`marine-gen serve`: a service behind HTTP."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marine_gen.cli.limits import Limits, limit_options
from marine_gen.cli.numbers import Count, Seconds
from marine_gen.cli.options import FILE, default_engine, engine_option, examples, host_file_option, strict_option
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.inputs import check_exists, read_text
from marine_gen.console.progress import CompileBar
from marine_gen.console.report import say

if TYPE_CHECKING:
    from marine_gen.serve.settings import Access

TOKEN = "MARINE_GEN_TOKEN"  # noqa: S105  # the name of a variable

_MOST = 10**12
_LONGEST = 10**9


@click.command(
    "serve",
    cls=StrictCommand,
    short_help="Serve a service over HTTP.",
    epilog=examples(
        "marine-gen serve greeting.wasm",
        "marine-gen serve Config.toml --port 9000 --workers 4 --memory-limit '64 MiB'",
        "marine-gen serve build/service --host 0.0.0.0 --token-file /run/secrets/token --log-format json",
    ),
)
@click.argument("target", type=FILE)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=Count(0, 65535), default=8080, show_default=True, help="Port; 0 for a free one.")
@click.option("--workers", type=Count(1, 256), default=1, show_default=True, help="Server processes.")
@click.option("--threads", type=Count(1, 256), default=2, show_default=True, help="Copies in each process.")
@click.option("--queue", type=Count(1, _MOST), default=256, show_default=True, help="Calls that may wait for a copy.")
@click.option("--ray", metavar="ADDRESS", help="Run the copies on a Ray cluster: `auto`, or HOST:PORT.")
@click.option(
    "--inline", multiple=True, metavar="MODULE.FUNCTION", help="Function to run on the event loop; `auto` measures."
)
@click.option(
    "--max-body", type=Count(1, _MOST), default=8 << 20, show_default=True, help="Largest request body, in bytes."
)
@click.option(
    "--max-connections", type=Count(1, _MOST), default=1000, show_default=True, help="Open connections of each process."
)
@click.option("--max-instances", type=Count(0, _MOST), default=16, show_default=True, help="Instances of each process.")
@click.option(
    "--instance-time",
    type=Seconds(1, _LONGEST),
    default=600,
    show_default=True,
    help="Idle seconds before an instance ends.",
)
@click.option(
    "--drain", type=Seconds(1, _LONGEST), default=30, show_default=True, help="Seconds for calls to end at shutdown."
)
@click.option("--token-file", type=FILE, metavar="FILE", help=f"File with the bearer token; or the variable {TOKEN}.")
@click.option("--no-auth", is_flag=True, help="Let other machines call the service without a token.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Host name that requests may use.")
@click.option("--allow-call-parameters", is_flag=True, help="Let clients set call parameters.")
@click.option("--no-page", is_flag=True, help="Serve no web page.")
@click.option("--reload", is_flag=True, help="Load the service again when its files change.")
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Format of all logs."
)
@click.option("--access-log/--no-access-log", default=True, show_default=True, help="Log every request.")
@engine_option
@limit_options
@host_file_option
@strict_option
def command(
    target: Path,
    host: str,
    port: int,
    workers: int,
    threads: int,
    queue: int,
    ray: str | None,
    inline: tuple[str, ...],
    max_body: int,
    max_connections: int,
    max_instances: int,
    instance_time: float,
    drain: float,
    token_file: Path | None,
    no_auth: bool,
    allow_host: tuple[str, ...],
    allow_call_parameters: bool,
    no_page: bool,
    reload: bool,
    log_format: str,
    access_log: bool,
    engine: str | None,
    timeout: float | None,
    fuel: int | None,
    memory_limit: float | None,
    host_file: Path | None,
    strict: bool,
) -> None:
    """Serve a service over HTTP: calls as JSON, a page to try them, OpenAPI, metrics.

    TARGET is a service configuration (.toml), a Wasm module, or a directory that `build` wrote. A call is
    `POST /MODULE/FUNCTION`; `--timeout` is 30 seconds by default. SIGTERM lets running calls end.
    """
    from marine_gen.artifact.tiers import optimised
    from marine_runtime import ConfigError

    click.get_current_context().with_resource(optimised())
    try:
        from marine_gen.serve.server import Address, check_exposure, run
    except ModuleNotFoundError as error:
        raise ConfigError(f"`{error.name}` is not installed: run `pip install 'marine-gen[serve]'`") from None
    from marine_gen.serve.settings import ServeLimits, Settings

    if ray is not None:
        from marine_gen.serve.cluster import check_address

        check_address(ray)
    if "auto" in inline and len(inline) > 1:
        raise click.UsageError("--inline auto chooses the functions itself; leave the other --inline out")
    if not host:
        raise click.UsageError("--host is empty; write 127.0.0.1, or 0.0.0.0 for all addresses of this machine")
    if host.startswith("[") and host.endswith("]"):  # as in URLs
        host = host[1:-1]
    for file in filter(None, (target, host_file)):
        check_exists(file)
    options = Limits(timeout, fuel, memory_limit).options(target)
    del options["timeout"]  # that of calls; loading has its own
    defaults = ServeLimits()
    settings = Settings(
        target=target,
        options={**options, "engine": engine or default_engine(), "strict": strict},
        host_file=host_file,
        limits=ServeLimits(
            body=max_body,
            timeout=timeout or defaults.timeout,
            connections=max_connections,
            threads=threads,
            queue=queue,
            instances=max_instances,
            instance_time=instance_time,
            drain=drain,
        ),
        access=_access(token_file, allow_host),
        inline="auto" if "auto" in inline else frozenset(inline),
        call_parameters=allow_call_parameters,
        page=not no_page,
        access_log=access_log,
        json_log=log_format == "json",
        ray=ray,
        reload=reload,
    )
    address = Address(host, port)
    check_exposure(address, settings, no_auth=no_auth)
    bar = click.get_current_context().with_resource(CompileBar(quiet=settings.json_log))

    def announce(url: str) -> None:
        bar.close()
        say(f"serving {target.name} at {url}")

    code = run(settings, address, workers=workers, announce=announce, progress=bar)
    if code:
        click.get_current_context().exit(code)


def _access(token_file: Path | None, hosts: tuple[str, ...]) -> Access:
    """Rules for clients, with the token out of a file or of the environment."""
    from marine_gen.serve.settings import Access
    from marine_runtime import ConfigError

    rules = Access(None, frozenset(hosts))
    token = os.environ.get(TOKEN) or None if token_file is None else read_text(token_file).strip()
    try:
        return replace(rules, token=token)
    except ConfigError as error:
        source = f"the environment variable {TOKEN}" if token_file is None else f"`{token_file}`"
        raise ConfigError(f"{error}; it comes from {source}") from None
