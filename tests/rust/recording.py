"""The recorded metadata of `workspace`: the part that is read, without paths of this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WORKSPACE = Path(__file__).parent / "workspace"
RECORDING = Path(__file__).parent / "metadata.json"

_ROOT = "@ROOT@"
_PACKAGE = ("name", "version", "id", "source", "manifest_path", "targets")
_TARGET = ("kind", "crate_types", "name")


def recorded(root: Path) -> dict[str, Any]:
    """The recording, as if the workspace was in `root`."""
    document: dict[str, Any] = json.loads(RECORDING.read_text().replace(_ROOT, json.dumps(str(root))[1:-1]))
    return document


def pruned(document: Mapping[str, Any], root: Path) -> str:
    """The text of a recording: packages of the workspace and the SDK, members that are read."""
    kept = {
        package["id"]: {key: package[key] for key in _PACKAGE}
        for package in document["packages"]
        if package["source"] is None or package["name"] == "marine-rs-sdk"
    }
    for package in kept.values():
        if package["source"] is not None:
            package["manifest_path"] = "elsewhere"
        package["targets"] = [{key: target[key] for key in _TARGET} for target in package["targets"]]
    nodes = [
        {"id": node["id"], "deps": [item for item in node["deps"] if item["pkg"] in kept]}
        for node in document["resolve"]["nodes"]
        if node["id"] in kept
    ]
    result = {
        "packages": list(kept.values()),
        "workspace_members": document["workspace_members"],
        "workspace_root": document["workspace_root"],
        "resolve": {"nodes": nodes, "root": document["resolve"]["root"]},
    }
    text = json.dumps(result, indent=1)
    for package in kept.values():
        if package["source"] is not None:  # the address of the registry is nothing that is read
            text = text.replace(package["source"], "registry")
    return text.replace(str(root), _ROOT) + "\n"
