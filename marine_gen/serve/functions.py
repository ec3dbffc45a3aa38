"""Functions of a service as requests see them: bodies to arguments, results to bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marine_gen.serve.settings import ServeLimits
from marine_gen.wire.forms import PLAIN, Convert, FormReader, FormWriter, JsonForm, Write
from marine_gen.wire.problems import ProblemError
from marine_runtime import ArgumentError, Interface
from marine_runtime.types import FunctionType, Records, is_bytes
from marine_runtime.values import Coercers, JsonCodec, Mismatch, parse


class Function:
    """One function.

    Attributes:
        module: name of its module.
        name: its name.
        key: both, for settings and logs.
        octets_in: whether a byte array is its only argument.
        octets_out: whether a byte array is its only result.
    """

    def __init__(self, module: str, name: str, signature: FunctionType, records: Records) -> None:
        self.module, self.name, self.key = module, name, f"{module}.{name}"
        self.signature, self.records = signature, records
        self.octets_in = len(signature.params) == 1 and is_bytes(signature.params[0].type)
        self.octets_out = len(signature.results) == 1 and is_bytes(signature.results[0])
        self._codec = JsonCodec(signature, records, module=module, function=name)
        self._readers: dict[JsonForm, Convert | None] = {}
        self._writers: dict[JsonForm, Callable[[Any], str]] = {PLAIN: self._plain}

    def arguments(self, body: bytes, form: JsonForm, limits: ServeLimits) -> list[Any]:
        """The arguments that a JSON body represents.

        Raises:
            ProblemError: it is not JSON, nests too deeply or too often, or does not fit the signature.
        """
        return self.arguments_of(read_json(body, limits), form)

    def arguments_of(self, document: Any, form: JsonForm) -> list[Any]:
        """The arguments that a parsed document represents.

        Raises:
            ProblemError: it does not fit the signature.
        """
        if form not in self._readers:
            self._readers[form] = FormReader(self.records, form).document(self.signature.params)
        convert = self._readers[form]
        try:
            return self._codec.arguments_from_document(convert(document) if convert else document)
        except Mismatch as mismatch:
            path = mismatch.path()
            raise ProblemError("argument", f"{path}: {mismatch}", {"path": path}) from None
        except ArgumentError as error:
            raise ProblemError("argument", str(error), {"path": error.path}) from None

    def result(self, value: Any, form: JsonForm) -> str:
        """The JSON text of a result in a form.

        Raises:
            ResultError: it can't be written.
        """
        write = self._writers.get(form)
        if write is None:
            write = self._writers[form] = self._writer(form)
        return write(value)

    def _results(self, value: Any) -> Sequence[Any]:
        return [value] if len(self.signature.results) == 1 else list(value or ())

    def _plain(self, value: Any) -> str:
        return self._codec.results(self._results(value))

    def _writer(self, form: JsonForm) -> Callable[[Any], str]:
        types, coercers, writer = self.signature.results, Coercers(self.records), FormWriter(self.records, form)
        parts: list[tuple[Callable[[Any, int], Any], Write]] = [(coercers.of(ty), writer.of(ty)) for ty in types]

        def write(value: Any) -> str:
            try:
                texts = [one(coerce(item, 1)) for (coerce, one), item in zip(parts, self._results(value), strict=True)]
            except (Mismatch, RecursionError, ValueError):
                self._plain(value)  # says what is wrong
                raise
            return texts[0] if len(texts) == 1 else f"[{','.join(texts)}]" if texts else "null"

        return write


def read_json(body: bytes, limits: ServeLimits) -> Any:
    """The document that a body is; that of an empty one is None.

    Raises:
        ProblemError: it is not JSON in UTF-8, or nests too deeply or too often.
    """
    if not body:
        return None
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > limits.arrays:  # each takes much more memory than its two bytes
        raise ProblemError("body-size", f"the body has more than {limits.arrays} arrays and objects")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ProblemError("json", f"the body is not UTF-8: byte {error.start} is {body[error.start]:#04x}") from None
    try:
        document = parse(text)
    except ArgumentError as error:
        raise ProblemError("json", str(error)) from None
    if brackets > limits.depth and _depth(document, limits.depth) > limits.depth:
        raise ProblemError("json", f"the body is nested more than {limits.depth} levels deep")
    return document


def _depth(document: Any, limit: int) -> int:
    """The number of levels that a document nests; at most one more than `limit` are looked at."""
    level, depth = [document], 0
    while level and depth <= limit:
        inner: list[Any] = []
        found = False
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
                found = True
            elif isinstance(item, list):
                inner.extend(item)
                found = True
        depth += found
        level = inner
    return depth


Functions = Mapping[tuple[str, str], Function]
"""The functions of a service, by module and name."""


def find_function(functions: Functions, module: str, name: str) -> Function:
    """A function by its names.

    Raises:
        ProblemError: there is none.
    """
    found = functions.get((module, name))
    if found is None:
        known = {module for module, _ in functions}
        what = f"function `{name}` in module `{module}`" if module in known else f"module `{module}`"
        raise ProblemError("not-found", f"there is no {what}")
    return found


def functions_of(interface: Interface) -> Functions:
    """All functions of a service."""
    return {
        (module, name): Function(module, name, signature, item.records)
        for module, item in interface.modules.items()
        for name, signature in item.functions.items()
    }
