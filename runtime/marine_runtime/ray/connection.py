"""The connection of this program to a cluster."""

from __future__ import annotations

import logging

import ray

from marine_runtime.errors import ConfigError


def connect(address: str) -> None:
    """Connect to the cluster at `address`, unless this program is connected already. Logs stay on their nodes.

    Raises:
        ConfigError: there is no cluster.
    """
    if ray.is_initialized():
        return
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConfigError(f"there is no Ray cluster at `{address}`: {text}") from None
