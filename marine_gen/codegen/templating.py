"""The Jinja2 environments: templates frame generated files, and hold no logic of expressions.

One is for code, where names are mangled or written as literals; one is for documents, where everything is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import jinja2


@cache
def environment(package: str, *, markup: bool = False) -> jinja2.Environment:
    """The templates of `package`. A name that is not given is an error; values are escaped in `markup` only."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,  # the files of a package stay as they are
        autoescape=markup,  # noqa: S701  # in code, names from Wasm files are mangled or written as literals
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


def render_markup(package: str, template: str, context: Mapping[str, object]) -> str:
    """Fill a template of an XML or HTML document, in which every value is escaped."""
    return environment(package, markup=True).get_template(template).render(context)
