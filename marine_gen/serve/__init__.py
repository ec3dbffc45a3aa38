"""Services behind HTTP: `app` is an ASGI application, `marine-gen serve` runs it.

    import marine_gen.serve

    application = marine_gen.serve.app("Config.toml")

`application` says which request goes where: calls to `calls`, everything else to `operations`. Calls run in a `backend`
of `copies`, on threads or `inline`; `instances` are copies of clients. `guards` refuses what must not come in,
`settings` has all limits, `server` and `protocol` are about processes and connections, `peers` joins the processes of
one server.

Needs the extra `serve`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marine_gen.serve.settings import Access, Inline, ServeLimits, Settings

if TYPE_CHECKING:
    from marine_gen.serve.application import Application

__all__ = ["Access", "ServeLimits", "Settings", "app"]


def app(
    target: Any,
    *,
    options: Mapping[str, Any] | None = None,
    host_file: str | Path | None = None,
    limits: ServeLimits | None = None,
    access: Access | None = None,
    inline: Inline = frozenset(),
    call_parameters: bool = False,
    page: bool = True,
    access_log: bool = False,
    reload: bool = False,
) -> Application:
    """An ASGI application that serves a target of `marine_gen.load`.

    Args:
        target: the target, as `marine_gen.load` takes it.
        options: further arguments of `marine_gen.load`, such as `engine`, `config` or `host_functions`.
        host_file: a Python file with host functions.
        limits: see `ServeLimits`.
        access: see `Access`; without it there is no token, and requests have to be addressed to this machine.
        inline: functions that run on the event loop, as `module.function`, or `auto`.
        call_parameters: whether clients may give call parameters.
        page: whether to offer the page.
        access_log: whether to log every request.
        reload: whether to watch the files of the target.

    Raises:
        ConfigError, ArgumentError: a setting is wrong. What loading raises is raised when the application starts.
    """
    from marine_gen.serve.application import Application
    from marine_runtime.artifact import check_path

    settings = Settings(
        target=target,
        options=options if options is not None else {},
        host_file=None if host_file is None else check_path(host_file, "`host_file`"),
        limits=limits if limits is not None else ServeLimits(),
        access=access if access is not None else Access(),
        inline=inline,
        call_parameters=call_parameters,
        page=page,
        access_log=access_log,
        reload=reload,
    )
    return Application(settings)
