"""Namespaces under which modules import functions of the host (docs/spec/host.md#namespaces)."""

from __future__ import annotations

HOST_NAMESPACES = ("host", "__marine_host_api_v1", "__marine_host_api_v2", "__marine_host_api_v3")
"""The host API versions 0 to 3. Functions without a namespace of their own appear in all four."""

WASI_PREFIX = "wasi_"
"""The beginning of the namespaces of WASI, whose names and functions `wasi` knows."""

RESERVED_PREFIX = "__marine_host_api_v"
"""No module has a name that begins like this: such a namespace is one of the host, or of a host that does not exist."""
