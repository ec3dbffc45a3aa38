"""Calls of the host by import adapters: what crosses, for either backend.

The host reads strings, byte arrays and arrays of numbers where they are, and everything else out of packed values. Its
last argument is where in staging a result goes that is not a core value; it gives the number of its bytes.
"""

from __future__ import annotations

from marine_runtime.abi import is_flat, packing, raw_codes
from marine_runtime.types import FunctionType, Records

_ADDRESS = "I"


def host_call_codes(signature: FunctionType, records: Records) -> tuple[str, str]:
    """The codes of parameters and results of a function as the glue imports it."""
    params = "".join(_ADDRESS if packing(param.type, records) else raw_codes(param.type) for param in signature.params)
    results = "".join(raw_codes(ty) if is_flat(ty) else _ADDRESS for ty in signature.results)
    return params + _ADDRESS, results
