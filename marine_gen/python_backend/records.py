"""The record classes of a generated module, and which file of it declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from marine_gen.ir.model import ModuleIR
from marine_runtime.types import Records, reachable_records
from marine_runtime.values import class_names


@dataclass(frozen=True, slots=True)
class DeclaredClasses:
    """The record classes of a module whose Python may be in several files.

    Attributes:
        names: their names by type index.
        declared: whether this is the file that declares them; the others find them among their globals.
    """

    names: Mapping[int, str]
    declared: bool = True

    @classmethod
    def of(cls, module: ModuleIR) -> DeclaredClasses:
        """Those of a module, in the file that declares them."""
        return cls(class_names(_used_records(module)))


def _used_records(module: ModuleIR) -> Records:
    """The records that exported signatures mention; others never become public."""
    roots = [param.type for adapter in module.exports.values() for param in adapter.signature.params]
    roots += [result for adapter in module.exports.values() for result in adapter.signature.results]
    return {index: module.records[index] for index in sorted(reachable_records(roots, module.records))}
