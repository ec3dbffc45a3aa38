"""Media types: what a body is, and what the client accepts (RFC 9110)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from marine_gen.wire.forms import PLAIN, JsonForm
from marine_gen.wire.problems import ProblemError

OCTETS = "application/octet-stream"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class MediaType:
    """One media type, in lower case."""

    name: str
    parameters: Mapping[str, str]

    @property
    def quality(self) -> float:
        """The weight that the client gave it, from 0 to 1."""
        try:
            weight = float(self.parameters.get("q", "1"))
        except ValueError:
            return 0.0
        return min(weight, 1.0) if weight > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The response that a client accepts.

    Attributes:
        form: the form of JSON.
        octets: whether a byte array is to be sent as it is.
        json: whether JSON will do.
    """

    form: JsonForm
    octets: bool
    json: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """The forms of the body of a call and of its response.

    Attributes:
        form: the form of a JSON body; None for one of octets.
        accepted: the form of a JSON response.
        octets: whether the response is a byte array as it is.
        declared: whether the client said what its body is.
    """

    form: JsonForm | None
    accepted: JsonForm
    octets: bool
    declared: bool


@lru_cache(256)
def agree(content_type: bytes | None, accept: bytes, octets_out: bool) -> Agreement:
    """The forms that `Content-Type` and `Accept` ask for, of a function whose result may be sent as octets.

    Raises:
        ProblemError: as `body_form` and `wanted`.
    """
    form = PLAIN if content_type is None else body_form(content_type.decode("latin-1"))
    found = wanted(accept.decode("latin-1"), form or PLAIN)
    octets = found.octets and octets_out
    if not octets and not found.json:
        raise ProblemError("not-acceptable", f"the result is not one byte array, so it can't be {OCTETS}")
    return Agreement(form, found.form, octets, content_type is not None)


def _parse(text: str) -> MediaType:
    name, *rest = text.split(";")
    parameters = {}
    for item in rest:
        key, _, value = item.partition("=")
        parameters[key.strip().lower()] = value.strip().strip('"').lower()
    return MediaType(name.strip().lower(), parameters)


_KNOWN = {"bytes": ("array", "base64"), "int64": ("number", "string")}
"""The values of parameters of JSON."""


def _unknown(media: MediaType) -> str | None:
    """A parameter of JSON with a value that is not known."""
    return next((key for key, known in _KNOWN.items() if media.parameters.get(key, known[0]) not in known), None)


def _form(media: MediaType) -> JsonForm:
    """The form of JSON that parameters ask for."""
    return JsonForm(media.parameters.get("bytes") == "base64", media.parameters.get("int64") == "string")


def body_form(content_type: str) -> JsonForm | None:
    """The form of a JSON body; None for a body of octets.

    Raises:
        ProblemError: it is something else.
    """
    media = _parse(content_type)
    if media.name == OCTETS:
        return None
    if media.name != JSON:
        shown = f"`{media.name}`" if media.name else "a body without Content-Type"
        raise ProblemError("media-type", f"the body must be {JSON} or {OCTETS}, not {shown}")
    charset = media.parameters.get("charset", "utf-8")
    if charset not in ("utf-8", "utf8"):
        raise ProblemError("media-type", f"JSON must be encoded in UTF-8, not `{charset}`")
    key = _unknown(media)
    if key is not None:
        choice = " or ".join(f"`{value}`" for value in _KNOWN[key])
        raise ProblemError("media-type", f"the parameter `{key}` of {JSON} is {choice}, not `{media.parameters[key]}`")
    return _form(media)


def wanted(accept: str, form: JsonForm) -> Wanted:
    """The response that a client accepts; in the form of JSON that it asks for, else that of its body, `form`.

    Raises:
        ProblemError: nothing that it accepts can be made.
    """
    ranges = [item for item in accept.split(",") if item.strip()]
    if not ranges:
        return Wanted(form, False, True)
    qualities = {JSON: 0.0, OCTETS: 0.0}
    precise = dict.fromkeys(qualities, -1)
    chosen, best = form, -1.0
    for item in ranges:
        media = _parse(item)
        if media.name == JSON and _unknown(media):
            continue
        for name in qualities:
            if media.name == name:
                rank = 2
            elif media.name == "*/*" or (media.name.endswith("/*") and name.startswith(media.name[:-1])):
                rank = 1
            else:
                continue
            if rank > precise[name]:
                qualities[name], precise[name] = media.quality, rank
            elif rank == precise[name]:
                qualities[name] = max(qualities[name], media.quality)
        if media.name == JSON and media.quality > best:
            asked = _KNOWN.keys() & media.parameters.keys()
            chosen, best = (_form(media) if asked else form), media.quality
    if not any(qualities.values()):
        text = f"responses are {JSON}, on request with `bytes=base64` or `int64=string`, or, for byte arrays, {OCTETS}"
        raise ProblemError("not-acceptable", text)
    named = precise[OCTETS] == 2 and qualities[OCTETS] >= qualities[JSON]
    octets = qualities[OCTETS] > 0 and (named or not qualities[JSON])
    return Wanted(chosen, octets, qualities[JSON] > 0)
