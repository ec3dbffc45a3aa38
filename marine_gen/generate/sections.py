"""Description sections of the Rust SDK, one per item (docs/spec/adapters.md#description-sections).

A section is a JSON object about a record, a function or what is imported from one module. Here its form is
checked; what the names in it mean is found by `generate`. Members that the form does not have are passed over, as in
Marine. How arguments are passed (by value or by reference) is read and forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError, SourceSpan
from marine_gen.generate.model import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Type,
    Vector,
)
from marine_gen.wasm import Binary, custom_sections_with_prefix
from marine_runtime.texts import did_you_mean, shortened
from marine_runtime.types import Prim

PREFIXES = ("__m_generated_section__", "__fce_generated_section__")
"""The prefixes of names of description sections; the second is that of older SDKs."""

_T = TypeVar("_T")
_Item = RecordDeclaration | Signature | ExternModule
_STYLES = ("ByValue", "ByRef", "ByMutRef")
_PRIMS = {
    "Boolean": Prim.BOOLEAN,
    **{f"I{bits}": Prim(f"s{bits}") for bits in (8, 16, 32, 64)},
    **{f"U{bits}": Prim(f"u{bits}") for bits in (8, 16, 32, 64)},
    "F32": Prim.F32,
    "F64": Prim.F64,
    "Utf8Str": Prim.STRING,
    "Utf8String": Prim.STRING,
}
_WHITE_SPACE = " \t\r\n"
_MAX_SHOWN = 40


class _FormError(Exception):
    """A document is not of the form that the SDK writes."""

    def __init__(self, path: str, message: str, help_line: str = "", offset: int = 0) -> None:
        super().__init__(message)
        self.path = path
        self.offset = offset
        self.message = message
        self.help_line = help_line


def read_description(wasm: Binary) -> Description:
    """The description in the module's own sections, which come in file order.

    Raises:
        DiagnosticError: the bytes are not a module (WASM_…), it has no such section (SECTION_MISSING), or sections are
            not of the form of the SDK (SECTION_CONTENT, one finding per section).
    """
    sections = custom_sections_with_prefix(wasm, "__")
    described = [(name, payload) for name, payload in sections if name.startswith(PREFIXES)]
    if not described:
        raise DiagnosticError(
            [
                Diagnostic(
                    Code.SECTION_MISSING,
                    f"the module has no section that starts with `{PREFIXES[0]}`, so it does not describe itself",
                    help="only the Rust SDK writes them, and strippers remove them; describe the module in a file: "
                    "`marine-gen generate-adapters FILE.wasm --interface FILE.idl`",
                )
            ]
        )
    items: list[_Item] = []
    findings: list[Diagnostic] = []
    for name, payload in described:
        try:
            items += [_read_item(document) for document in _parse(payload)]
        except _FormError as error:
            span = SourceSpan(offset=error.offset, section=name)
            findings.append(
                Diagnostic(Code.SECTION_CONTENT, error.message, span=span, within=error.path, help=error.help_line)
            )
    if findings:
        raise DiagnosticError(findings)
    return Description(
        tuple(item for item in items if isinstance(item, RecordDeclaration)),
        tuple(item for item in items if isinstance(item, Signature)),
        tuple(item for item in items if isinstance(item, ExternModule)),
    )


def _read_item(document: Any) -> _Item:
    item = _object(document, "$")
    kind = _string(item, "$", "ast_type")
    if kind == "Record":
        return RecordDeclaration(_string(item, "$", "name"), _fields(_member(item, "$", "fields"), "$.fields"))
    if kind == "Function":
        return _signature(_member(item, "$", "signature"), "$.signature")
    if kind == "ExternMod":
        functions = _list(_member(item, "$", "imports"), "$.imports", _imported)
        return ExternModule(_string(item, "$", "namespace"), functions)
    raise _FormError(
        "$.ast_type",
        f"`{shortened(kind, _MAX_SHOWN)}` is not a kind of item",
        "the kinds are Record, Function and ExternMod",
    )


def _parse(payload: bytes) -> list[Any]:
    """The documents of one section: linkers join sections of one name, so there may be several."""
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
    documents: list[Any] = []
    position = 0
    try:
        text = payload.decode().rstrip(_WHITE_SPACE)
        while position < len(text) or not documents:
            while text[position : position + 1] in tuple(_WHITE_SPACE):
                position += 1
            document, position = decoder.raw_decode(text, position)
            documents.append(document)
    except UnicodeDecodeError as error:
        raise _FormError("", "the description is not UTF-8", offset=error.start) from None
    except json.JSONDecodeError as error:
        message = f"the description is not JSON: {error.msg[0].lower()}{error.msg[1:]}"
        raise _FormError("", message, offset=len(error.doc[: error.pos].encode())) from None
    except RecursionError:
        raise _FormError("", "the description is nested too deeply") from None
    except ValueError as error:  # numbers of thousands of digits
        raise _FormError("", f"the description is not JSON: {error}") from None
    return documents


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise _FormError("", f"the member `{shortened(name, _MAX_SHOWN)}` occurs twice in one object")
        document[name] = value
    return document


def _no_constant(name: str) -> NoReturn:
    raise _FormError("", f"the description is not JSON: {name}")


def _fields(document: Any, path: str) -> tuple[Member, ...] | None:
    if document == "Unit":
        return None
    form, value = _variant(document, path, "the fields of a record", ("Named", "Unnamed", "Unit"))
    if form == "Named":
        return _list(value, f"{path}.Named", _named)
    if form == "Unnamed":
        return _list(value, f"{path}.Unnamed", _unnamed)
    raise _FormError(
        path, f"`{shortened(form, _MAX_SHOWN)}` is not a form of fields", "the forms are Named, Unnamed and Unit"
    )


def _signature(document: Any, path: str) -> Signature:
    signature = _object(document, path)
    params = _list(_member(signature, path, "arguments"), f"{path}.arguments", _named)
    results = _list(_member(signature, path, "output_types"), f"{path}.output_types", _type)
    if len(results) > 1:
        raise _FormError(f"{path}.output_types", f"a function has at most one result, and here are {len(results)}")
    return Signature(_string(signature, path, "name"), params, results[0] if results else None)


def _imported(document: Any, path: str) -> ImportedFunction:
    function = _object(document, path)
    link_name = function.get("link_name")
    if link_name is not None and not isinstance(link_name, str):
        raise _FormError(f"{path}.link_name", f"expected a string or null, got {_kind(link_name)}")
    return ImportedFunction(_signature(_member(function, path, "signature"), f"{path}.signature"), link_name)


def _named(document: Any, path: str) -> Member:
    member = _object(document, path)
    return Member(_string(member, path, "name"), _type(_member(member, path, "ty"), f"{path}.ty"))


def _unnamed(document: Any, path: str) -> Member:
    return Member("", _type(_member(_object(document, path), path, "ty"), f"{path}.ty"))


def _type(document: Any, path: str) -> Type:
    """One type; a loop, because the section decides how deep it goes."""
    depth = 0
    while True:
        kind, value = _variant(document, path, "a type", (*_PRIMS, "Vector", "Record"))
        path = f"{path}.{kind}"
        if kind in _PRIMS:
            _style(value, path)
            ty: Type = _PRIMS[kind]
            break
        if kind not in ("Vector", "Record"):
            help_line = did_you_mean(kind, (*_PRIMS, "Vector", "Record")) or "adapters can't be made for it"
            raise _FormError(path, f"`{shortened(kind, _MAX_SHOWN)}` is not a type of the SDK", help_line)
        inner, style = _pair(value, path)
        _style(style, f"{path}[1]")
        if kind == "Record":
            if not isinstance(inner, str):
                raise _FormError(f"{path}[0]", f"expected the name of a record, got {_kind(inner)}")
            ty = Named(inner)
            break
        document, path, depth = inner, f"{path}[0]", depth + 1
    for _ in range(depth):
        ty = Vector(ty)
    return ty


def _style(value: Any, path: str) -> None:
    if value not in _STYLES:
        raise _FormError(path, f"expected {', '.join(_STYLES[:-1])} or {_STYLES[-1]}, got {_kind(value)}")


def _variant(document: Any, path: str, what: str, variants: Sequence[str]) -> tuple[str, Any]:
    """The only member of an object, as serde writes one of several forms."""
    if not isinstance(document, dict) or len(document) != 1:
        got = f"one with {len(document)} members" if isinstance(document, dict) else _kind(document)
        raise _FormError(path, f"expected {what}, an object with one of {', '.join(variants)}; got {got}")
    ((kind, value),) = document.items()
    return kind, value


def _pair(value: Any, path: str) -> tuple[Any, Any]:
    if not isinstance(value, list) or len(value) != 2:
        got = f"one of {len(value)}" if isinstance(value, list) else _kind(value)
        raise _FormError(path, f"expected an array of two elements, got {got}")
    return value[0], value[1]


def _object(document: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise _FormError(path, f"expected an object, got {_kind(document)}")
    return document


def _member(document: Mapping[str, Any], path: str, name: str) -> Any:
    if name not in document:
        help_line = "the module may come from an SDK that writes descriptions in another form; describe it in a file"
        raise _FormError(path, f"the member `{name}` is missing", help_line)
    return document[name]


def _string(document: Mapping[str, Any], path: str, name: str) -> str:
    value = _member(document, path, name)
    if not isinstance(value, str):
        raise _FormError(f"{path}.{name}", f"expected a string, got {_kind(value)}")
    return value


def _list(document: Any, path: str, read: Callable[[Any, str], _T]) -> tuple[_T, ...]:
    if not isinstance(document, list):
        raise _FormError(path, f"expected an array, got {_kind(document)}")
    return tuple([read(item, f"{path}[{index}]") for index, item in enumerate(document)])


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f'"{shortened(value, _MAX_SHOWN)}"'
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    return shortened(json.dumps(value), _MAX_SHOWN)
