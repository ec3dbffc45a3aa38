"""Names of components: words of lower-case letters and digits, joined by hyphens.

A name of Marine is split into words where its case changes and at everything that is neither a letter nor a digit. A
word that starts with a digit joins the word before it: `field_0` is `field0`, since Wasmtime 36 refuses `field-0`.
Names that have no component name, and two names of one scope with the same component name, are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from marine_gen.component_backend.errors import ComponentError
from marine_runtime.texts import quoted

_LOWER_UPPER = re.compile(r"([a-z0-9])([A-Z])")
_ACRONYM = re.compile(r"([A-Z]+)([A-Z][a-z])")
_OTHERS = re.compile(r"[^0-9A-Za-z]+")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
_PACKAGE = re.compile(rf"({_NAME.pattern}):({_NAME.pattern})(@(?P<version>[^@]*))?")
_VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)
"""A semantic version (semver.org, 2.0.0)."""
_MAX_NUMBER = 2**64 - 1
_WORLD = "root:component"
"""The package of the world of every component, in the WIT that tools print of it."""


def kebab(name: str, what: str) -> str:
    """The component name for `name`; `what` says in an error what it names.

    Raises:
        ComponentError: the name is not ASCII, has no letters, or starts with a digit.
    """
    spaced = _ACRONYM.sub(r"\1 \2", _LOWER_UPPER.sub(r"\1 \2", name))
    text = ""
    for word in _OTHERS.sub(" ", spaced).lower().split():
        text += word if word[0].isdigit() or not text else f"-{word}"
    if not name.isascii() or not _NAME.fullmatch(text):
        place = "a service configuration" if what == "module" else "the module"
        raise ComponentError(
            f"the {what} {quoted(name)} has no name in a component: such names start with a letter from a to z, and "
            f"have no letters but those, so rename it in {place}"
        )
    return text


class Scope:
    """The names of one scope; `what` is in it, as errors call it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._taken: dict[str, str] = {}

    def __contains__(self, text: str) -> bool:
        return text in self._taken

    def take(self, text: str, owner: str) -> str:
        """Enter the component name `text` of `owner`.

        Raises:
            ComponentError: it is taken.
        """
        if text in self._taken:
            raise ComponentError(
                f"{self._what} {quoted(self._taken[text])} and {quoted(owner)} would both be named `{text}` in a "
                "component: rename one of them in the module"
            )
        self._taken[text] = owner
        return text


def unique(names: Iterable[str], what: str) -> list[str]:
    """The component names of a scope, in order; `what` is one thing that has such a name.

    Raises:
        ComponentError: a name has none, or two names have the same.
    """
    scope = Scope(f"the {what}s")
    return [scope.take(kebab(name, what), name) for name in names]


def check_package(text: str) -> str:
    """`text`, which is a package name such as `marine:greeting` or `acme:tools@1.2.0`.

    Raises:
        ComponentError: it is not.
    """
    found = _PACKAGE.fullmatch(text)
    version = found["version"] if found else None
    if found is None or (version is not None and not _is_version(version)):
        raise ComponentError(
            f"{quoted(text)} is not the name of a package: write NAMESPACE:NAME or NAMESPACE:NAME@VERSION, such as "
            "`acme:tools@1.0.0`, in lower-case letters, digits and hyphens"
        )
    if text == _WORLD:
        raise ComponentError(f"the package {quoted(text)} is that of the component's own world: choose another name")
    return text


def _is_version(text: str) -> bool:
    """True for a semantic version whose numbers fit 64 bits, as tools want them."""
    found = _VERSION.fullmatch(text)
    return found is not None and all(len(part) <= 20 and int(part) <= _MAX_NUMBER for part in found.groups()[:3])
