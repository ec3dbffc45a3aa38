"""The rules that Aqua's compiler has for services, checked before a service is written in Aqua.

They were found with the compiler of `@fluencelabs/aqua-api` 0.14.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from marine_runtime import ModuleInterface
from marine_runtime.texts import identifiers
from marine_runtime.types import Field, Records, record_in

_TYPE = re.compile(r"[A-Z][A-Za-z0-9_]*")
_VALUE = re.compile(r"[a-z][A-Za-z0-9_]*")
_VALUES = "names begin with a lower-case letter, and have ASCII letters, digits and `_`"
_TYPES = "names begin with an upper-case letter, and have ASCII letters, digits and `_`"
_IDS = "it must not be empty, nor contain quotes or control characters"
_AGAIN = "rename it in the module"
_RENAMED = "choose another name with --service"


def problems(interface: ModuleInterface, service: str, service_id: str | None) -> Iterator[str]:
    """Everything that Aqua would refuse, a sentence each, with the correction.

    Args:
        interface: the module.
        service: the name that the service gets.
        service_id: the id that it is bound to, if any.
    """
    if not _TYPE.fullmatch(service):
        yield f"Aqua does not accept the service name `{service}`: {_TYPES}; {_RENAMED}"
    if service_id is not None and (not service_id or '"' in service_id or not service_id.isprintable()):
        yield f"Aqua does not accept the service id {service_id!r}: {_IDS}"
    if not interface.functions:
        yield "Aqua does not accept a service without functions, and the module exports none"
    for name, function in interface.functions.items():
        if not _VALUE.fullmatch(name):
            yield f"Aqua does not accept the function name `{name}`: {_VALUES}; {_AGAIN}"
        if len(function.results) > 1:
            yield f"Aqua does not accept several results, which `{name}` has; return a record"
    yield from _records(interface, service)


def _records(interface: ModuleInterface, service: str) -> Iterator[str]:
    records = interface.records
    exported = interface.exported_records()
    names = [records[index].name for index in exported]
    for index in exported:
        record = records[index]
        if not _TYPE.fullmatch(record.name):
            yield f"Aqua does not accept the record name `{record.name}`: {_TYPES}; {_AGAIN}"
        elif record.name == service:
            yield f"Aqua does not accept a record with the name of the service, `{service}`; {_RENAMED}"
        elif names.count(record.name) > 1:
            yield f"Aqua does not accept two records named `{record.name}`; {_AGAIN}"
        if not record.fields:
            yield f"Aqua does not accept a record without fields, such as `{record.name}`; give it one"
        for item in record.fields:
            if not _VALUE.fullmatch(item.name):
                field = f"the field name `{item.name}` of record `{record.name}`"
                yield f"Aqua does not accept {field}: {_VALUES}; {_AGAIN}"
        if _contains_itself(index, records):
            yield f"Aqua does not accept a record that contains itself, such as `{record.name}`"


def _contains_itself(start: int, records: Records) -> bool:
    pending, seen = [start], set[int]()
    while pending:
        for item in records[pending.pop()].fields:
            inner = record_in(item.type)
            if inner == start:
                return True
            if inner is not None and inner not in seen:
                seen.add(inner)
                pending.append(inner)
    return False


def parameter_names(params: Sequence[Field]) -> list[str]:
    """Names of parameters that Aqua takes; they do not count, so a wrong one is replaced by one that is near."""
    found = []
    for name in identifiers([item.name for item in params]):
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name).lstrip("_0123456789")
        found.append(f"{plain[:1].lower()}{plain[1:]}" or "value")
    return [name if found.count(name) == 1 else f"{name}_{number}" for number, name in enumerate(found, 1)]
