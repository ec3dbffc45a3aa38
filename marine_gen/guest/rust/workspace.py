"""The members of a cargo workspace that are Marine modules, from the JSON document of `cargo metadata`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marine_gen.guest.rust.toolchain import CargoError
from marine_runtime.texts import listed, quoted

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
        specification: its name for cargo's option `-p`.
        name: its name.
        directory: the folder of its `Cargo.toml`.
        sdk_version: the version of the SDK that it is built with.
        modules: the names of its binaries and cdylibs.
    """

    identity: str
    specification: str
    name: str
    directory: Path
    sdk_version: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workspace:
    """The crates to build, and the directories of their sources.

    Attributes:
        crates: the Marine modules, in cargo's order.
        sources: the folders of all packages on this machine; those from a registry are not among them.
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
        specifications = _specifications(packages)
        crates = [
            _crate(package, specifications[package["id"]], versions[package["id"]])
            for package in chosen
            if package["id"] in versions
        ]
        sources = [Path(item["manifest_path"]).parent for item in document["packages"] if item["source"] is None]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CargoError(f"what `cargo metadata` printed can't be read: {type(error).__name__}: {error}") from None
    if not crates:
        raise CargoError(_without_sdk(chosen, manifest.parent))
    if not any(crate.modules for crate in crates):
        names = listed(crate.name for crate in crates)
        subject = f"{names} is a library" if len(crates) == 1 else f"{names} are libraries"
        raise CargoError(
            f"{subject} and can't become a Wasm module; add a `src/main.rs`, "
            'or `crate-type = ["cdylib"]` in the table [lib] of Cargo.toml'
        )
    return Workspace(tuple(crate for crate in crates if crate.modules), tuple(sources))


def _without_sdk(packages: Sequence[Mapping[str, Any]], directory: Path) -> str:
    """The message that none of the packages in a directory is a module, with what to do."""
    what = f"`{directory}` is not a Marine module, as it does not depend on {SDK}"
    if len(packages) > 1:
        what = f"no member of the workspace `{directory}` is a Marine module, as none depends on {SDK}"
    for package in packages:
        for dependency in package.get("dependencies", ()):
            if dependency["name"] == SDK and dependency["optional"]:
                return f"{what}; {quoted(package['name'])} does with one of its features: name it by --features"
    return f"{what}; run `cargo add {SDK}` in the crate's directory"


def _sdks(node: Mapping[str, Any], packages: Mapping[str, Any]) -> Iterator[str]:
    """The SDK among the packages that the code of a crate depends on, under whatever name."""
    for dependency in node["deps"]:
        kinds = [kind["kind"] for kind in dependency["dep_kinds"]]
        if None in kinds and packages[dependency["pkg"]]["name"] == SDK:
            yield dependency["pkg"]


def _specifications(packages: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    """Specifications of packages, by identifier: name and version, which every version of cargo reads.

    A member may have those of a package from a registry; then only its identifier names it.
    """
    short = {identity: f"{package['name']}:{package['version']}" for identity, package in packages.items()}
    counts = Counter(short.values())
    return {identity: text if counts[text] == 1 else identity for identity, text in short.items()}


def _crate(package: Mapping[str, Any], specification: str, sdk_version: str) -> Crate:
    modules = [
        target["name"]
        for target in package["targets"]
        if MODULE_KINDS & set(target["crate_types"]) and not _BESIDE & set(target["kind"])
    ]
    directory = Path(package["manifest_path"]).parent
    return Crate(package["id"], specification, package["name"], directory, sdk_version, tuple(modules))
