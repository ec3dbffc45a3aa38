"""The connection of this program to a cluster."""

from __future__ import annotations

import logging

import ray
from ray.exceptions import RayError

from marine_runtime.errors import ArgumentError, ConfigError
from marine_runtime.pool.errors import PoolError


class DisconnectedError(PoolError, RayError):
    """This program is not connected to a cluster any more."""

    def __init__(self) -> None:
        super().__init__("Ray was shut down")


def connect(address: str) -> None:
    """Connect to the cluster at `address`, unless this program is connected already. Logs stay on their nodes.

    Raises:
        ArgumentError: `address` is not a string.
        ConfigError: there is no cluster, or one of another version of Ray or Python.
    """
    if not isinstance(address, str) or not address:
        raise ArgumentError(
            f"the address of a cluster must be a string, such as `auto` or `HOST:PORT`, not {address!r:.80}"
        )
    if ray.is_initialized():
        return
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        if str(error).startswith("Version mismatch"):
            told = " ".join(str(error).split())
            raise ConfigError(f"the Ray cluster at `{address}` can't be used from here: {told}") from None
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConfigError(f"there is no Ray cluster at `{address}`: {text}") from None


def current_job() -> str | None:
    """The id of this program in the cluster, another one after each `ray.init`; None when it is not connected."""
    return str(ray.get_runtime_context().get_job_id()) if ray.is_initialized() else None
