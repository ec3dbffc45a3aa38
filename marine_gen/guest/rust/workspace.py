"""The members of a cargo workspace that are Marine modules, from the JSON document of `cargo metadata`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marine_gen.guest.rust.toolchain import CargoError

SDK = "marine-rs-sdk"
"""The package that makes a crate a Marine module when it depends on it."""

MODULE_KINDS = frozenset({"bin", "cdylib"})
"""The crate types that become Wasm modules."""


_BESIDE = frozenset({"example", "test", "bench", "custom-build"})
"""Targets of a crate that `cargo build` does not build as its result."""


@dataclass(frozen=True, slots=True)
class Crate:
    """A member of a workspace that is a Marine module.

    Attributes:
        identity: cargo's identifier of the package, in messages about it.
        name: its name.
        version: its version.
        directory: the folder of its `Cargo.toml`.
        sdk_version: the version of the SDK that it is built with.
        modules: the names of its binaries and cdylibs.
    """

    identity: str
    name: str
    version: str
    directory: Path
    sdk_version: str
    modules: tuple[str, ...]

    @property
    def specification(self) -> str:
        """What cargo's option `-p` takes for it; every version of cargo reads this form."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Workspace:
    """What is built.

    Attributes:
        crates: the modules, in the order of cargo.
        sources: the folders of all packages that are here and not from a registry.
    """

    crates: tuple[Crate, ...]
    sources: tuple[Path, ...]


def parse_metadata(text: str, manifest: Path) -> Workspace:
    """The modules that the metadata of `manifest` describe.

    The manifest at the root of a workspace stands for all its members, any other one for its own crate.

    Raises:
        CargoError: no crate is a Marine module, or the text is not what cargo prints.
    """
    try:
        document = json.loads(text)
        packages = {package["id"]: package for package in document["packages"]}
        chosen = [packages[identity] for identity in document["workspace_members"]]
        is_root = Path(document["workspace_root"]) == manifest.parent
        if not is_root:
            chosen = [package for package in chosen if Path(package["manifest_path"]) == manifest]
        versions = {
            node["id"]: packages[sdk]["version"]
            for node in document["resolve"]["nodes"]
            for sdk in _sdks(node, packages)
        }
        crates = [_crate(package, versions[package["id"]]) for package in chosen if package["id"] in versions]
        sources = [Path(item["manifest_path"]).parent for item in document["packages"] if item["source"] is None]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CargoError(f"what `cargo metadata` printed can't be read: {type(error).__name__}: {error}") from None
    what = f"no member of the workspace `{manifest.parent}`" if is_root and len(chosen) > 1 else f"`{manifest.parent}`"
    if not crates:
        verb = "is" if is_root and len(chosen) > 1 else "is not"
        raise CargoError(
            f"{what} {verb} a Marine module, as it does not depend on {SDK}; "
            f"run `cargo add {SDK}` in the crate's folder"
        )
    if not any(crate.modules for crate in crates):
        names = ", ".join(f"`{crate.name}`" for crate in crates)
        raise CargoError(
            f"{names} can't become a Wasm module, as it is a library; give it a `src/main.rs`, "
            'or `crate-type = ["cdylib"]` in the table [lib] of its Cargo.toml'
        )
    return Workspace(tuple(crate for crate in crates if crate.modules), tuple(sources))


def _sdks(node: Mapping[str, Any], packages: Mapping[str, Any]) -> Iterator[str]:
    """The SDK among the packages that the code of a crate depends on, under whatever name."""
    for dependency in node["deps"]:
        kinds = [kind["kind"] for kind in dependency["dep_kinds"]]
        if None in kinds and packages[dependency["pkg"]]["name"] == SDK:
            yield dependency["pkg"]


def _crate(package: Mapping[str, Any], sdk_version: str) -> Crate:
    modules = [
        target["name"]
        for target in package["targets"]
        if MODULE_KINDS & set(target["crate_types"]) and not _BESIDE & set(target["kind"])
    ]
    directory = Path(package["manifest_path"]).parent
    return Crate(package["id"], package["name"], package["version"], directory, sdk_version, tuple(modules))
