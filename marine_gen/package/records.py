"""Records of several modules that are one class: those of one name and one structure, names of fields included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marine_runtime.abi import List, ModulePlan, shape
from marine_runtime.types import IType, Record, RecordType, reachable_records

Place = tuple[str, int]
"""A module's name and the type index of a record there."""

_MAX_ROUNDS = 100  # as many as records are nested in each other, about


@dataclass(frozen=True, slots=True)
class SharedRecord:
    """A record, and where it is declared: module names with type indices, the first one at least."""

    plan: ModulePlan
    index: int
    places: list[Place]

    @property
    def type(self) -> RecordType:
        """The declaration in the first module."""
        return self.plan.records[self.index]


def public_records(plan: ModulePlan) -> list[int]:
    """Type indices of the records that exported signatures mention; others never become public."""
    roots = [param.type for signature in plan.exports.values() for param in signature.params]
    roots += [result for signature in plan.exports.values() for result in signature.results]
    return sorted(reachable_records(roots, plan.records))


def shared_records(plans: Sequence[ModulePlan]) -> list[SharedRecord]:
    """The public records of all modules, each once, in order of modules and type indices."""
    places = {(plan.name, index): plan for plan in plans for index in public_records(plan)}
    found: dict[int, SharedRecord] = {}
    for place, kind in _kinds(places).items():
        if kind in found:
            found[kind].places.append(place)
        else:
            found[kind] = SharedRecord(places[place], place[1], [place])
    return list(found.values())


def _kinds(places: Mapping[Place, ModulePlan]) -> dict[Place, int]:
    """A number for every record; equal ones for records that are equal as deep as they go.

    Records may contain themselves. So records that look alike from outside are taken to be equal at first, and are told
    apart in rounds, by what was found out about the records in their fields, until a round finds nothing. Declarations
    that take too many rounds, which no honest module has, are all taken to be different.
    """
    shapes: dict[object, int] = {}
    inner: dict[Place, list[Place]] = {}
    kinds: dict[Place, int] = {}
    for (module, index), plan in places.items():
        record = plan.records[index]
        elements = [(field.name, *_element(field.type)) for field in record.fields]
        shape = tuple((name, levels, None if isinstance(ty, Record) else ty) for name, levels, ty in elements)
        kinds[module, index] = shapes.setdefault((record.name, shape), len(shapes))
        inner[module, index] = [(module, ty.id) for _, _, ty in elements if isinstance(ty, Record)]
    count = len(shapes)
    for _ in range(_MAX_ROUNDS):
        numbers: dict[tuple[int | None, ...], int] = {}
        refined = {
            place: numbers.setdefault((kind, *map(kinds.get, inner[place])), len(numbers))
            for place, kind in kinds.items()
        }
        if len(numbers) == count:
            return refined
        kinds, count = refined, len(numbers)
    return {place: position for position, place in enumerate(places)}


def _element(ty: IType) -> tuple[int, IType]:
    """The number of arrays around the innermost element, and its type."""
    part, levels = shape(ty), 0
    while isinstance(part, List):
        part, levels = part.element, levels + 1
    return levels, part.type
