"""The error of a service that can't be a component."""

from __future__ import annotations

from marine_runtime import LoadError


class ComponentError(LoadError):
    """A service, or a part of it, that can't be expressed as a component; the message says why and what to do."""
