"""Pools whose workers are actors of a Ray cluster; needs the extra `marine-gen[ray]`.

    import ray
    from marine_runtime.ray import RayServicePool

    ray.init("auto")
    with RayServicePool("build/curl_service", workers=8) as pool:
        pool.call("facade", "get_n_save", [url, name])

`pool` is the public class, `options` its arguments, `worker` the third kind of worker beside threads and processes of
`marine_runtime.pool`: a thread here that sends messages to an `actor`. `artifact` takes a built directory to the nodes.
`sticky` has services whose state is kept under an id. Ray is imported with the first name of this package.
"""

from importlib.util import find_spec

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marine_runtime.ray.connection import connect
    from marine_runtime.ray.options import RayPoolOptions
    from marine_runtime.ray.pool import RayServicePool
    from marine_runtime.ray.sticky import RayService
    from marine_runtime.ray.worker import ActorInfo

__all__ = ["TRIED", "ActorInfo", "RayPoolOptions", "RayService", "RayServicePool", "connect"]

TRIED = ("2.60.0",)
"""Versions of Ray that the tests have run with."""

_export, __dir__ = exports(
    __name__,
    {
        "marine_runtime.ray.connection": ("connect",),
        "marine_runtime.ray.options": ("RayPoolOptions",),
        "marine_runtime.ray.pool": ("RayServicePool",),
        "marine_runtime.ray.sticky": ("RayService",),
        "marine_runtime.ray.worker": ("ActorInfo",),
    },
)


def __getattr__(name: str) -> Any:
    if name in __all__ and find_spec("ray") is None:
        raise ModuleNotFoundError("Ray is not installed: run `pip install 'marine-gen[ray]'`", name="ray")
    return _export(name)
