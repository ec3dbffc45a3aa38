"""Figures about a running service: memory, refused growths and, when asked for, calls and time per function.

The text form is Marine's (docs/spec/calls.md#statistics), followed by a line about fuel, if there is any, and a line
per called function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from marine_runtime.lazy.data import dataclass, field
from marine_runtime.lazy.typing import Any
from marine_runtime.texts.messages import counted, printable

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


@dataclass(slots=True)
class FunctionStatistics:
    """Counters of one function, as called from Python.

    Attributes:
        calls: all calls, those that failed included.
        failures: calls that raised.
        seconds: their time together.
        fuel: units of fuel that they used; 0 when the service has no fuel.
    """

    calls: int = 0
    failures: int = 0
    seconds: float = 0.0
    fuel: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures about a service at one moment.

    Attributes:
        memory: size in bytes of every module's memory; modules without one have 0.
        rejects: growths that the memory limit refused so far; None where that can't be counted.
        used: bytes that memories and tables have taken from the limit; None where that can't be counted.
        limit: the memory limit in bytes, or None.
        functions: by (module, function), for functions that were called; empty unless asked for at loading.
        fuel_used: units of fuel that loading and all calls used so far; None when the service has no fuel.
        fuel_left: units that the last of them left unused, which are lost; None when there is no fuel.
    """

    memory: Mapping[str, int]
    rejects: int | None
    used: int | None
    limit: int | None
    functions: Mapping[tuple[str, str], FunctionStatistics] = field(default_factory=dict)
    fuel_used: int | None = None
    fuel_left: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON document, with functions in a list."""
        from dataclasses import asdict

        return {
            "memory": dict(self.memory),
            "rejects": self.rejects,
            "used": self.used,
            "limit": self.limit,
            "fuel_used": self.fuel_used,
            "fuel_left": self.fuel_left,
            "functions": [
                {"module": module, "function": function, **asdict(item)}
                for (module, function), item in self.functions.items()
            ],
        }

    def __str__(self) -> str:
        lines = [f"{printable(name)} - {human_size(size)}" for name, size in self.memory.items()]
        rejects = "value is not recorded by current wasm backend" if self.rejects is None else self.rejects
        lines.append(f"Allocation rejects - {rejects}")
        fuelled = self.fuel_used is not None
        if fuelled:
            lines.append(f"Fuel - {self.fuel_used} used, {self.fuel_left} left by the last call")
        lines += [
            f"{printable(f'{module}.{function}')} - {counted(item.calls, 'call')}, {item.failures} failed, "
            f"{item.seconds:.6f} s" + (f", {item.fuel} fuel" if fuelled else "")
            for (module, function), item in self.functions.items()
        ]
        return "".join(f"{line}\n" for line in lines)


def human_size(size: int) -> str:
    """`size` as Marine prints it: the unit is chosen by powers of 1024, the number is in powers of 1000."""
    if size < 1000:
        return f"{size} B"
    exponent = max(1, math.floor(math.log(size) / 6.931471806))
    return f"{size / 1000**exponent:.1f} {_UNITS[exponent]}"
