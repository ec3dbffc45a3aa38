"""Functions of a service that is elsewhere: arguments to requests, responses to results."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

import httpx

from marine_gen.client.failures import RemoteError, error_of
from marine_gen.wire.forms import FormReader, FormWriter, JsonForm
from marine_runtime import ArgumentError, CallParameters, ModuleInterface, ResultError
from marine_runtime.artifact import check_mapping, check_seconds
from marine_runtime.pool import FunctionMarshaller
from marine_runtime.types import is_bytes
from marine_runtime.values import Mismatch, coercion

FORM = JsonForm(base64=True)
OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class CallRequest:
    """The request of a call."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class RemoteFunction:
    """One function.

    Attributes:
        module: name of its module.
        name: its name.
    """

    def __init__(
        self,
        module: str,
        name: str,
        item: ModuleInterface,
        marshaller: FunctionMarshaller,
        run: Callable[[RemoteFunction, list[Any]], Any],
    ) -> None:
        self.module, self.name = module, name
        self._marshaller, self._run = marshaller, run
        signature = item.functions[name]
        writer, reader = FormWriter(item.records, FORM), FormReader(item.records, FORM, results=True)
        self._writers = [writer.of(param.type) for param in signature.params]
        self._readers = [
            (reader.of(ty), coercion(ty, item.records, f"the result of `{name}`")) for ty in signature.results
        ]
        self._octets_in = len(signature.params) == 1 and is_bytes(signature.params[0].type)
        self._octets_out = len(signature.results) == 1 and is_bytes(signature.results[0])
        self._path = f"{quote(module, safe='')}/{quote(name, safe='')}"
        self._headers = {
            "Content-Type": OCTETS if self._octets_in else FORM.media_type,
            "Accept": OCTETS if self._octets_out else FORM.media_type,
        }
        self.__name__ = self.__qualname__ = name
        self.__doc__ = item.signature(name)
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(text, inspect.Parameter.POSITIONAL_OR_KEYWORD) for text in marshaller._bind.names]
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it and wait for the result.

        Raises:
            As a function of a local service; RemoteError: the server did not run it.
        """
        return self._run(self, self.bind(args, kwargs))

    def __repr__(self) -> str:
        return f"<remote function {self.module}.{self.name}>"

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Internal arguments.

        Raises:
            ArgumentError: they do not fit the signature.
        """
        return self._marshaller.bind(args, kwargs)

    def arguments(self, args: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """The same for arguments as `Service.call` takes them.

        Raises:
            ArgumentError: they do not fit the signature.
        """
        return self._marshaller.arguments(args)

    def text(self, args: Sequence[Any]) -> str:
        """Internal arguments as JSON."""
        return f"[{','.join(write(value) for write, value in zip(self._writers, args, strict=True))}]"

    def request(
        self, args: Sequence[Any], timeout: float | None = None, parameters: CallParameters | None = None
    ) -> CallRequest:
        """The request of a call with internal arguments."""
        body = args[0] if self._octets_in else self.text(args).encode()
        return CallRequest(self._path, {**self._headers, **option_headers(timeout, parameters)}, body)

    def result(self, status: int, content_type: str, body: bytes) -> Any:
        """The public result out of a response.

        Raises:
            The error of the call.
        """
        kind = content_type.partition(";")[0].strip().lower()
        if status == 200 and kind == OCTETS and self._octets_out:
            return body
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise RemoteError(f"the answer is not JSON (status {status})", status=status) from None
        if status != 200:
            raise error_of(document, status)
        return self.public(document)

    def public(self, document: Any) -> Any:
        """The public result that a JSON document represents.

        Raises:
            ResultError: it is not of the declared type.
        """
        values = [document] if len(self._readers) == 1 else document or []
        try:
            internal = [
                check(read(value) if read else value)
                for (read, check), value in zip(self._readers, values, strict=True)
            ]
        except (ArgumentError, Mismatch, ValueError, TypeError) as error:
            raise ResultError(f"the server's result does not fit: {error}") from None
        if not self._readers:
            return None
        value = internal[0] if len(internal) == 1 else tuple(internal)
        publish = self._marshaller.publish
        return publish(value) if publish else value


def check_client(url: Any, token: Any, timeout: Any, client: Any) -> None:
    """Refuse arguments that no client can be made of.

    Raises:
        ArgumentError: as `check_server`; or the time limit is not a positive number, or `client` no mapping.
    """
    check_server(url, token)
    time_limit(timeout, None)
    check_mapping(client or {}, "`client`")


def check_server(url: Any, token: Any) -> None:
    """Refuse the address of a server that no request can go to, and a token that no header field can carry.

    Raises:
        ArgumentError: `url` is not a URL of HTTP, or `token` is neither None nor printable ASCII without spaces.
    """
    try:
        parts = httpx.URL(url)
        host = parts.host
        parts.raw_host.decode().encode("idna")  # what the system does later
    except UnicodeError:
        raise ArgumentError(
            f"{url!r:.80} is not the URL of a server: no name server can have its host (IDNA)"
        ) from None
    except (httpx.InvalidURL, TypeError) as error:
        raise ArgumentError(f"{url!r:.80} is not the URL of a server: {error}") from None
    port = 1 if parts.port is None else parts.port
    if parts.scheme not in ("http", "https") or not host or not 0 < port < 1 << 16 or parts.query or parts.fragment:
        raise ArgumentError(f"{url!r:.80} is not the URL of a server; write one such as `http://127.0.0.1:8080`")
    if token is not None and not (isinstance(token, str) and _TOKEN.fullmatch(token)):
        raise ArgumentError("a token must be printable ASCII text without spaces")


_TOKEN = re.compile(r"[!-~]+")


def time_limit(given: float | None, default: float | None) -> float | None:
    """The seconds that a call may take: those that were `given` for it, or else the `default`.

    Raises:
        ArgumentError: it is not a positive number.
    """
    return default if given is None else check_seconds(given, "a time limit")


def option_headers(timeout: float | None, parameters: CallParameters | None) -> dict[str, str]:
    """The header fields for the options of a call.

    Raises:
        ArgumentError: the call parameters are something else.
    """
    headers = {} if timeout is None else {"X-Marine-Timeout": f"{timeout:g}"}
    if parameters is not None:
        if not isinstance(parameters, CallParameters):
            raise ArgumentError(f"call_parameters must be CallParameters, not {type(parameters).__name__}")
        document = asdict(parameters)
        document["particle"]["signature"] = list(parameters.particle.signature)
        headers["X-Marine-Call-Parameters"] = json.dumps(document)
    return headers
