"""The manifest of a built directory: its data, and their JSON form.

A directory holds, per module, the Wasm file, its serialised machine code, the generated glue and the adapter text, and
one `manifest.json` with the plan and a hash of every file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from marine_runtime.abi.plan import FORMAT, ModulePlan
from marine_runtime.config.model import ServiceConfig
from marine_runtime.errors import ConfigError, LoadError
from marine_runtime.lazy.data import dataclass, field
from marine_runtime.lazy.digest import sha256
from marine_runtime.lazy.files import read_file
from marine_runtime.lazy.json_text import parse_json
from marine_runtime.lazy.typing import TYPE_CHECKING, Any
from marine_runtime.wasm.module import Shape

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "manifest.json"

_DIGEST, _END = ',\n "sha256": "', '"\n}\n'
"""The text around the digest of a manifest."""

_SURROGATE = "\\ud"
"""The start of an escape that is not in a manifest of ours, which has all text as it is."""


class WrongFormatError(LoadError):
    """A manifest of another format than this version reads."""

    def __init__(self, found: object) -> None:
        super().__init__(f"it has format {found!r}, this version reads format {FORMAT}: build it again")
        self.found = found


def other_format(directory: Path | str, found: object) -> str:
    """The message about a built directory of format `found`, with the command that builds it again."""
    import shlex

    place = shlex.quote(str(directory))
    return (
        f"`{directory}` was built in format {found!r}, this version reads format {FORMAT}: build it again with "
        f"`marine-gen build SOURCE -o {place}`, where SOURCE is the .toml or .wasm file of the service"
    )


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a module: its name in the directory and its sha256."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModuleEntry:
    """One module in the manifest, with its files by kind.

    `wasm`, its machine `code`, adapter `text`; `charged`, which is compiled instead of `wasm` when tables of the
    module grow; `python` and `types` for closures. A build for the fused engine also has `fused_python`, the glue as
    `glue_text`, `glue_wasm` and `glue_code`, and the stub likewise, where there is anything to fuse. A portable build
    has no machine code, and no compiled Python (`python_bytecode`, `fused_python_bytecode`). `shapes` has the imports
    and exports of the modules whose machine code is there, by its kind.
    `unfused` are the adapters that the fused engine could not take, with the reason each. One that is not `intact` was
    changed since it was written, so the files may not be those of the plan.
    """

    plan: ModulePlan
    files: Mapping[str, FileEntry]
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    unfused: tuple[str, ...] = ()
    intact: bool = True


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of `manifest.json`.

    Attributes:
        key: digest of everything that determines the directory's content; equal keys mean nothing to rebuild.
        options: settings of the service, the JSON form of its configuration.
        package: the files that make the directory a typed Python package.
    """

    name: str
    generator: str
    engine: str
    wasmtime: str
    key: str
    modules: tuple[ModuleEntry, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    package: tuple[FileEntry, ...] = ()

    @property
    def config(self) -> ServiceConfig:
        """The settings of the service.

        Raises:
            LoadError: the options are not settings.
        """
        try:
            return ServiceConfig.from_json(self.options)
        except ConfigError as error:
            raise LoadError(
                f"the options in {MANIFEST} of service `{self.name}` can't be used: {error}; build again"
            ) from None

    def all_files(self) -> Iterator[FileEntry]:
        """Every file that the build wrote, except the manifest."""
        yield from self.package
        for entry in self.modules:
            yield from entry.files.values()

    def text(self) -> str:
        """The content of the file. Its last member is a digest of the text before it; see `is_intact`."""
        import json

        content = json.dumps(self.to_json(), indent=1, ensure_ascii=False).removesuffix("\n}")
        return f"{content}{_DIGEST}{_digest(content)}{_END}"

    def to_json(self) -> dict[str, Any]:
        """The manifest as a JSON document."""
        return {
            "format": FORMAT,
            "name": self.name,
            "generator": self.generator,
            "engine": self.engine,
            "wasmtime": self.wasmtime,
            "key": self.key,
            "options": dict(self.options),
            "package": [[item.name, item.sha256] for item in self.package],
            "modules": [
                {
                    "plan": entry.plan.to_json(),
                    "files": {kind: [item.name, item.sha256] for kind, item in entry.files.items()},
                    "shapes": {kind: shape.to_json() for kind, shape in entry.shapes.items()},
                    "unfused": list(entry.unfused),
                }
                for entry in self.modules
            ],
        }

    @classmethod
    def from_json(cls, document: Any, *, intact: bool = False) -> Manifest:
        """The inverse of `to_json`; rows of a document that is `intact` are looked at when they are asked for.

        Raises:
            LoadError: the document is not a manifest of this format.
        """
        if not isinstance(document, dict) or "format" not in document:
            raise LoadError("it is not a manifest of a built service")
        if document["format"] != FORMAT:
            raise WrongFormatError(document["format"])
        try:
            return cls(
                name=_text(document["name"]),
                generator=_text(document["generator"]),
                engine=_text(document["engine"]),
                wasmtime=_text(document["wasmtime"]),
                key=_text(document["key"]),
                options=dict(document["options"]),
                package=tuple(_file(*item) for item in document.get("package", ())),
                modules=tuple(
                    ModuleEntry(
                        ModulePlan.from_json(entry["plan"], intact=intact),
                        {kind: _file(*item) for kind, item in entry["files"].items()},
                        {kind: Shape.from_json(item) for kind, item in entry["shapes"].items()} if intact else {},
                        tuple(map(_text, entry.get("unfused", ()))),
                        intact,
                    )
                    for entry in document["modules"]
                ),
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise LoadError(f"its content is not as expected ({type(error).__name__}: {error})") from None


def is_intact(text: str) -> bool:
    """Return whether the text of a manifest is as it was written, by its digest."""
    content, _, rest = text.rpartition(_DIGEST)
    return rest == f"{_digest(content)}{_END}"


def _digest(content: str) -> str:
    digest: str = sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    return digest


def _text(value: Any) -> str:
    """Text that can be written, so without the lone surrogates that JSON admits."""
    text = str(value)
    text.encode()
    return text


def _file(name: Any, sha256: Any) -> FileEntry:
    if not isinstance(name, str) or not isinstance(sha256, str):
        raise TypeError("a file entry is a name and a hash")
    _text(name)
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\x00" in name:
        raise ValueError(f"not a plain file name: {name!r}")
    return FileEntry(name, sha256)


def read_manifest(directory: str | Path) -> Manifest:
    """The manifest of a built directory.

    Raises:
        LoadError: it is missing or malformed.
    """
    return parse_manifest(directory, manifest_text(directory))


def manifest_text(directory: str | Path) -> str:
    """The text of the manifest of a built directory.

    Raises:
        LoadError: it is missing or can't be read.
    """
    path = os.path.join(directory, MANIFEST)
    if os.path.isfile(directory):
        raise LoadError(
            f"`{directory}` is a file, not a built directory: build it with `marine-gen build`, or load it with "
            "`marine_gen.load`"
        )
    try:
        return read_file(path).decode().replace("\r\n", "\n")
    except FileNotFoundError:
        raise LoadError(f"`{directory}` has no {MANIFEST}: it was not written by `marine-gen build`") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"`{path}` can't be read: {error}; build again") from None


def parse_manifest(directory: str | Path, text: str) -> Manifest:
    """The manifest of a built directory, from its text.

    Raises:
        LoadError: it is malformed.
    """
    path = os.path.join(directory, MANIFEST)
    # Calls of the fast layer are not checked, so signatures that somebody edited are read from the modules again.
    intact = is_intact(text) and _SURROGATE not in text
    try:
        return Manifest.from_json(parse_json(text), intact=intact)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"`{path}` is not JSON: {error}; build again") from None
    except WrongFormatError as error:
        raise LoadError(other_format(directory, error.found)) from None
    except LoadError as error:
        raise LoadError(f"`{path}` can't be used: {error}; build again") from None
