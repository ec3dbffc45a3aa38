"""Builds by cargo. Its messages for people go to stderr as they are, in the colours that it chooses itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from marine_gen.guest.rust.toolchain import CargoError, CargoFailedError, Toolchain, run_for_output
from marine_gen.guest.rust.workspace import MODULE_KINDS, Crate, Workspace, parse_metadata
from marine_runtime import ArgumentError
from marine_runtime.texts import listed, os_reason, quoted

_OURS = ("--target", "--message-format", "--manifest-path")
_SELECTING = ("--package", "--workspace", "--all", "--exclude")
_RESOLVING = ("--offline", "--locked", "--frozen", "--all-features", "--no-default-features")
_RESOLVING_BY_VALUE = ("--features", "-F", "--config", "-Z")
_VALUE_ATTACHED = re.compile(r"(--features|--config)=|-[FZ].")
"""Arguments that count for the metadata too."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A Wasm module as cargo wrote it, without adapters.

    Attributes:
        crate: the crate that it was built from.
        file: its path.
    """

    crate: Crate
    file: Path


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse arguments that would contradict the command.

    Raises:
        ArgumentError: an argument sets what the command itself sets.
    """
    for argument in arguments:
        name = argument.partition("=")[0]
        if name in _OURS:
            instead = "; name the crate's directory instead" if name == "--manifest-path" else ""
            raise ArgumentError(f"`{name}` can't be passed to cargo, as marine-gen sets it{instead}")


def builds_std(arguments: Sequence[str]) -> bool:
    """Test for an argument that makes cargo build the standard library: `-Zbuild-std`, `-Z build-std=…`."""
    return any(argument.removeprefix("-Z").startswith("build-std") for argument in arguments)


def read_workspace(
    toolchain: Toolchain, directory: Path, *, features: Sequence[str] = (), arguments: Sequence[str] = ()
) -> Workspace:
    """The Marine modules of the crate or workspace in `directory`.

    Raises:
        CargoError: there is none, or cargo can't be run.
        CargoFailedError: cargo failed.
    """
    command = [toolchain.cargo, "metadata", "--format-version", "1", "--filter-platform", toolchain.target]
    command += [*_features(features), *_resolving(arguments)]
    return parse_metadata(
        run_for_output(command, directory, toolchain.environment()), directory.resolve() / "Cargo.toml"
    )


def build_crates(
    toolchain: Toolchain,
    workspace: Workspace,
    directory: Path,
    *,
    release: bool = False,
    features: Sequence[str] = (),
    arguments: Sequence[str] = (),
) -> tuple[Artifact, ...]:
    """The modules of `workspace`, built or found up to date by cargo.

    Args:
        toolchain: cargo, and the target.
        workspace: the modules to build, unless `arguments` select packages.
        directory: the working directory of cargo.
        release: build with optimisations.
        features: features to enable.
        arguments: further ones for cargo.

    Raises:
        CargoError: cargo can't be run, built no module, or built two of one name.
        CargoFailedError: the build failed.
    """
    command = [toolchain.cargo, "build", "--target", toolchain.target, "--message-format", "json-render-diagnostics"]
    if not any(map(_selects, arguments)):
        command += [word for crate in workspace.crates for word in ("-p", crate.specification)]
    command += [*(["--release"] * release), *_features(features), *arguments]
    crates = {crate.identity: crate for crate in workspace.crates}
    found: list[Artifact] = []
    finished = False
    for message in _messages(toolchain, command, directory):
        finished |= message.get("reason") == "build-finished"
        if message.get("reason") == "compiler-artifact":
            try:
                found += _artifacts(message, crates, toolchain.target)
            except (KeyError, TypeError, AttributeError) as error:
                raise CargoError(f"what `cargo build` printed can't be read: {error!r}") from None
    if finished and not found:
        names = listed(crate.name for crate in workspace.crates)
        raise CargoError(f"cargo built no Marine module, as its arguments select no binary or cdylib of {names}")
    _check_names(found)
    return tuple(found)


def _check_names(artifacts: Sequence[Artifact]) -> None:
    by_name: dict[str, Artifact] = {}
    for artifact in artifacts:
        other = by_name.setdefault(artifact.file.name, artifact)
        if other is artifact:
            continue
        first, second, file = (quoted(name) for name in (other.crate.name, artifact.crate.name, artifact.file.name))
        makers = f"two targets of the crate {first}" if first == second else f"the crates {first} and {second}"
        raise CargoError(f"{makers} both make {file}; rename one of the two targets")


def _resolving(arguments: Sequence[str]) -> Iterator[str]:
    """Those of the arguments for `cargo build` that decide what crates depend on."""
    words = iter(arguments)
    for word in words:
        if word in _RESOLVING_BY_VALUE:
            yield from (word, *islice(words, 1))
        elif word in _RESOLVING or _VALUE_ATTACHED.match(word):
            yield word


def _selects(argument: str) -> bool:
    """Test for an argument that selects packages."""
    if argument.startswith("--"):
        return argument.partition("=")[0] in _SELECTING
    return argument.startswith("-p")


def _artifacts(message: Mapping[str, Any], crates: Mapping[str, Crate], target: str) -> Iterator[Artifact]:
    """The modules in the files of one message; files of tests and of other crates are none.

    A crate that is built only because another one depends on it has its files one level deeper, in `PROFILE/deps`.
    """
    crate = crates.get(message["package_id"])
    if crate is None or message["profile"]["test"] or not MODULE_KINDS & set(message["target"]["crate_types"]):
        return
    for file in message["filenames"]:
        path = Path(file)
        if path.suffix == ".wasm" and (path.parent.name == "examples" or path.parent.parent.name == target):
            yield Artifact(crate, path)


def _features(features: Sequence[str]) -> list[str]:
    return ["--features", ",".join(features)] if features else []


def _messages(toolchain: Toolchain, command: Sequence[str], directory: Path) -> Iterator[Mapping[str, Any]]:
    """Run a build, and yield its messages for programs; other lines on its stdout go to stderr."""
    try:
        process = subprocess.Popen(  # noqa: S603  # cargo, as the user's environment has it
            command,
            cwd=directory,
            env=toolchain.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
    except OSError as error:
        raise CargoError(f"`{command[0]}` can't be run: {os_reason(error)}") from None
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                try:
                    message = json.loads(line)
                except (ValueError, RecursionError):
                    message = None
                if isinstance(message, dict):
                    yield message
                else:
                    sys.stderr.write(line.decode(errors="replace"))
        except BaseException:  # Ctrl-C, which a terminal sends to cargo too, but others may not
            process.terminate()
            raise
    if process.returncode:
        raise CargoFailedError("cargo build", process.returncode)
