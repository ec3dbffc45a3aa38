"""The caller's side of a pool: arguments become internal values, internal results become public ones.

Every instance of a service has record classes of its own, and they can't be pickled. So only internal values travel,
and all results of a pool are of the classes made here, whichever instance they come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marine_runtime.adapters.entry import publisher
from marine_runtime.lazy.typing import Any
from marine_runtime.service.handles import UNDECLARED, Declared, unknown
from marine_runtime.service.interface import Interface
from marine_runtime.types import FunctionType, Records, reachable_records
from marine_runtime.values.arguments import arrange
from marine_runtime.values.bind import Binder
from marine_runtime.values.coerce import Coercers
from marine_runtime.values.records import ToPublic, by_name, make_record_classes


class ServiceMarshaller:
    """Marshalling for all functions of a service, in the caller's process.

    Attributes:
        records: record classes by module and record name.
    """

    def __init__(self, interface: Interface, declared: Declared = UNDECLARED) -> None:
        self.interface = interface
        self._classes: dict[str, Mapping[int, type]] = {}
        for name, item in interface.modules.items():
            found = declared.records(name)
            self._classes[name] = make_record_classes(item.records, name) if found is None else found
        self.records: Mapping[str, Mapping[str, type]] = {
            name: by_name(interface.modules[name].records, classes) for name, classes in self._classes.items()
        }
        self._functions: dict[tuple[str, str], FunctionMarshaller] = {}

    def function(self, module: str, function: str) -> FunctionMarshaller:
        """One function.

        Raises:
            ArgumentError: there is none of this name; LeftOutError: its adapter is invalid.
        """
        found = self._functions.get((module, function)) if isinstance(function, str) else None
        if found is None:
            if not isinstance(module, str) or module not in self.interface.modules:
                raise unknown(f"module `{module}`", self.interface.modules)
            item = self.interface.modules[module]
            if isinstance(function, str) and function in item.left_out:
                raise item.left_out[function].error(module)
            if not isinstance(function, str) or function not in item.functions:
                raise unknown(f"function `{function}` in module `{module}`", item.functions)
            signature = item.functions[function]
            found = FunctionMarshaller(module, function, signature, item.records, self._classes[module])
            self._functions[module, function] = found
        return found


class FunctionMarshaller:
    """Marshalling for one function: arguments in, results out."""

    def __init__(
        self, module: str, name: str, signature: FunctionType, records: Records, classes: Mapping[int, type]
    ) -> None:
        self._module, self._name, self._params = module, name, signature.params
        self._bind = Binder(signature, records, function=name)
        self.publish: ToPublic | None = publisher(signature, records, classes)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Internal arguments, of a call with positions and keywords.

        Raises:
            ArgumentError: a value does not fit its parameter.
            TypeError: the number or the names are wrong.
        """
        return self._bind(args, kwargs)

    def arguments(self, args: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """Internal arguments.

        Raises:
            ArgumentError: they do not fit the signature.
        """
        return self._bind(arrange(self._module, self._name, self._params, args), {})


class Flattener:
    """The instance's side: public results back to internal ones; the inverse of `FunctionMarshaller.publish`."""

    def __init__(self, signature: FunctionType, records: Records) -> None:
        coercers = Coercers(records)
        # Only records differ; every other value is passed on without a look at it.
        self._parts = [
            coercers.of(result) if reachable_records([result], records) else None for result in signature.results
        ]
        self.needed = any(self._parts)

    def __call__(self, result: Any) -> Any:
        """Raises Mismatch or RecursionError for a value that is nested too deeply."""
        if not self.needed:
            return result
        if len(self._parts) == 1:
            assert self._parts[0]
            return self._parts[0](result, 1)
        return tuple(part(item, 1) if part else item for part, item in zip(self._parts, result, strict=True))
