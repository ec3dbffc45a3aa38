"""The public interface of a service, and its listing (docs/spec/linking.md#listing)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from marine_runtime.abi.plan import LeftOut, ModulePlan
from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.data import dataclass, field
from marine_runtime.texts.messages import listed
from marine_runtime.types import FunctionType, Records, describe, reachable_records


@dataclass(frozen=True, slots=True)
class ModuleInterface:
    """The exports of one module: signatures by function name, and the records that they mention by type index.

    Attributes:
        left_out: functions that can't be called, as their adapters are invalid.
    """

    functions: Mapping[str, FunctionType]
    records: Records
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: ModulePlan) -> ModuleInterface:
        """The interface of a module with this plan."""
        return cls(plan.exports, plan.records, plan.unusable_exports)

    def signature(self, function: str) -> str:
        """One function as a listing shows it: `greeting(name: string) -> string`.

        Raises:
            ArgumentError: there is no such function.
        """
        if not isinstance(function, str) or function not in self.functions:
            raise ArgumentError(f"there is no function `{function}`; available: {listed(self.functions)}")
        ty = self.functions[function]
        params = ", ".join(f"{param.name}: {describe(param.type, self.records)}" for param in ty.params)
        results = ", ".join(describe(result, self.records) for result in ty.results)
        return f"{function}({params})" + (f" -> {results}" if results else "")

    def exported_records(self) -> list[int]:
        """Type indices of the records reachable from exported signatures, in order of appearance."""
        roots = [param.type for ty in self.functions.values() for param in ty.params]
        roots += [result for ty in self.functions.values() for result in ty.results]
        return reachable_records(roots, self.records)


@dataclass(frozen=True, slots=True)
class Interface:
    """The exports of a service, by module name in load order. `str()` gives the listing."""

    modules: Mapping[str, ModuleInterface]

    @classmethod
    def of(cls, plans: Iterable[ModulePlan]) -> Interface:
        """The interface of modules with these plans."""
        return cls({plan.name: ModuleInterface.of(plan) for plan in plans})

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines())

    def lines(self) -> list[str]:
        """The lines of `str`. Names are not escaped, so a line may contain a line break."""
        blocks: dict[tuple[str, ...], None] = {}
        for module in self.modules.values():
            for index in sorted(module.exported_records(), key=lambda index: module.records[index].name):
                record = module.records[index]
                fields = (f"  {item.name}: {describe(item.type, module.records)}" for item in record.fields)
                blocks[(f"data {record.name}:", *fields)] = None
        lines = ["exported data types (combined from all modules):"]
        lines += [line for block in blocks for line in block] or ["<no exported data types>"]
        lines += ["", "exported functions:"]
        for name in sorted(self.modules):
            module = self.modules[name]
            lines.append(f"{name}:")
            lines += [f"  func {module.signature(function)}" for function in module.functions]
            if not module.functions:
                lines.append("<no exported functions>")
        return lines
