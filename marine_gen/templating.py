"""The Jinja2 environment of the backends: templates frame generated files, and hold no logic of expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import jinja2


@cache
def environment(package: str) -> jinja2.Environment:
    """The templates of `package`. A name that is not given is an error; nothing is escaped: the output is code."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # names from Wasm files are mangled or written as literals
    )


def render(
    package: str,
    template: str,
    context: Mapping[str, object],
    filters: Mapping[str, Callable[[str], str]] | None = None,
) -> str:
    """Fill a template of `package`; `filters` are added to the environment's own."""
    chosen = environment(package)
    chosen.filters.update(filters or {})
    return chosen.get_template(template).render(context)
