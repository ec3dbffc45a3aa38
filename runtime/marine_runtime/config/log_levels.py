"""Log levels of guests, from the host's environment variable `WASM_LOG` (docs/spec/host.md#log-levels-of-guests).

Directives are separated by commas: `LEVEL` for all modules, `name` or `name=LEVEL` for one. The level of a module
becomes `WASM_LOG` in its own environment, where the guest's logger looks for it. Nothing here reads the process's
environment or filters messages; what reaches the host is filtered by Python's `logging`.
"""

from __future__ import annotations

from collections.abc import Mapping

from marine_runtime.config.model import LOG_VARIABLE as VARIABLE
from marine_runtime.lazy.data import dataclass, field
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.config.model import ServiceConfig

_LEVELS = {name: name.upper() for name in ("error", "warn", "info", "debug", "trace")} | {"off": "off"}


@dataclass(frozen=True, slots=True)
class Directives:
    """The content of `WASM_LOG`.

    Attributes:
        default: level of the modules that are not named, as guests read it; None when there is none.
        modules: level by module name; the last directive for a name counts.
        problems: the ignored directives, with reasons.
    """

    default: str | None = None
    modules: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def parse_directives(text: str) -> Directives:
    """Read the value of `WASM_LOG`. A number is a module's name, not a level; what is not understood is ignored."""
    default: str | None = None
    modules: dict[str, str] = {}
    problems: list[str] = []
    for directive in text.split(","):
        name, *levels = directive.split("=")
        level = levels[0].strip().lower() if levels else ""
        if not directive.strip():
            continue
        if not levels and (general := name.strip().lower()) in _LEVELS:
            if default is None:
                default = _LEVELS[general]
            else:
                problems.append(f"a second level for all modules, {directive.strip()!r}")
        elif len(levels) > 1:
            problems.append(f"{directive!r}: more than one `=`")
        elif level and level not in _LEVELS:
            problems.append(f"{directive!r}: {level!r} is not a level ({', '.join(_LEVELS)})")
        else:
            modules[name] = _LEVELS[level or "trace"]
    return Directives(default, modules, tuple(problems))


def report_problems(text: str) -> None:
    """Log what is ignored in the value of `WASM_LOG`."""
    if problems := parse_directives(text).problems:
        import logging

        for problem in problems:
            logging.getLogger("marine_runtime").warning("ignored in the environment variable %s: %s", VARIABLE, problem)


def effective_envs(config: ServiceConfig, name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The WASI environment of module `name`: the configured one, with `WASM_LOG` as the host's `environ` says.

    A directive that names the module overrides what its configuration says. The level for all modules is for those
    whose configuration says nothing.
    """
    envs = dict(config.module(name).envs)
    if VARIABLE not in environ:
        return envs
    directives = parse_directives(environ.get(VARIABLE, ""))
    if name in directives.modules:
        envs[VARIABLE] = directives.modules[name]
    elif directives.default is not None:
        envs.setdefault(VARIABLE, directives.default)
    return envs
