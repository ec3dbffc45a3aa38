"""A small stand-in for cargo and rustc: a script that answers from a JSON file, and notes what it was asked.

The file, whose name is in the environment variable STAND_IN, has:

* `metadata`: what `cargo metadata` prints, a document or a text, `resolving`, what goes to stderr with it, and
  `metadata_code`, its exit code;
* `modules`: for each package and target that is built, the crate type and the Wasm file;
* `output`: what `cargo build` prints before its messages, and `errors`: what goes to stderr;
* `finished`: whether it prints the last message of a build, and `seconds`, how long it works;
* `code`: its exit code, negative for a signal;
* `targets`, `installed`, `sysroot`: what rustc knows and has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rust.recording import recorded

PROGRAM = """#!{python} -IS
import json, os, sys
path = os.environ["STAND_IN"]
with open(path) as file:
    answers = json.load(file)
arguments = sys.argv[1:]
name = os.path.basename(sys.argv[0])

def note(*words):
    with open(os.path.splitext(path)[0] + ".log", "a") as log:
        print(*words, file=log)

note(name, *arguments)
if name == "cargo" and "RUSTC" in os.environ:
    note("RUSTC", os.environ["RUSTC"])
if name == "rustc":
    if "target-list" in arguments:
        print(*answers["targets"], sep="\\n")
    elif "sysroot" in arguments:
        print(answers["sysroot"])
    else:
        print(os.path.join(os.path.dirname(path), "std", arguments[-1]))
elif arguments[0] == "metadata":
    document = answers["metadata"]
    print(document if isinstance(document, str) else json.dumps(document))
    sys.stderr.write(answers["resolving"])
    sys.exit(answers["metadata_code"])
else:
    print(answers["output"], end="")
    sys.stderr.write(answers["errors"])
    if answers["seconds"]:
        import time
        note("waiting", os.getpid())
        time.sleep(answers["seconds"])
    code = answers["code"]
    if code < 0:
        os.kill(os.getpid(), -code)
    for package, target, kind, file in answers["modules"] if not code else ():
        folder = os.path.join(os.path.dirname(path), "target", arguments[arguments.index("--target") + 1], "debug")
        made = os.path.join(folder, "lib" + target + ".rlib" if kind == "rlib" else target + ".wasm")
        os.makedirs(os.path.dirname(made), exist_ok=True)
        with open(file, "rb") as source, open(made, "wb") as copy:
            copy.write(source.read())
        described = {{"kind": [kind], "crate_types": [kind], "name": target}}
        message = {{"reason": "compiler-artifact", "package_id": package, "target": described,
                   "profile": {{"test": False}}, "filenames": [made], "fresh": False}}
        print(json.dumps(message))
    if answers["finished"]:
        print(json.dumps({{"reason": "build-finished", "success": not code}}))
    sys.exit(code)
"""


@dataclass
class StandIn:
    """The stand-in in a folder, and what it answers; `save` puts changes into effect."""

    folder: Path
    metadata: Any = None
    modules: Sequence[tuple[str, str, str, str]] = ()
    output: str = ""
    errors: str = ""
    finished: bool = True
    seconds: float = 0
    code: int = 0
    resolving: str = ""
    metadata_code: int = 0
    targets: Sequence[str] = ("wasm32-unknown-unknown", "wasm32-wasip1", "wasm32-wasip2")
    installed: Sequence[str] = ("wasm32-wasip1",)
    sysroot: str = "/opt/rust"
    programs: Sequence[str] = field(default=("cargo", "rustc"))

    def save(self, **changes: Any) -> None:
        """Write the programs and their answers."""
        for name, value in changes.items():
            setattr(self, name, value)
        answers: Mapping[str, Any] = {
            key: value for key, value in vars(self).items() if key not in ("folder", "programs")
        }
        self.answers.write_text(json.dumps(answers))
        for target in self.installed:
            library = self.folder / "std" / target / "libstd-0123.rlib"
            library.parent.mkdir(parents=True, exist_ok=True)
            library.touch()
        self.search_path.mkdir(exist_ok=True)
        for path in self.search_path.iterdir():
            path.unlink()
        for name in self.programs:
            program = self.search_path / name
            program.write_text(PROGRAM.format(python=sys.executable))
            program.chmod(0o755)

    def build_workspace(self, root: Path, module: Path) -> None:
        """Build every crate of the workspace in `root` to the same module."""
        metadata = recorded(root)
        identities = {package["name"]: package["id"] for package in metadata["packages"]}
        kinds = {"shapes": "rlib", "storage": "cdylib", "facade": "bin", "tool": "bin"}
        built = [(identities[name], name, kind, str(module)) for name, kind in kinds.items()]
        self.save(metadata=metadata, modules=[("registry#other@1.0.0", "other", "rlib", str(module)), *built])

    @property
    def search_path(self) -> Path:
        """The folder of the programs."""
        return self.folder / "bin"

    @property
    def answers(self) -> Path:
        """The file that the programs answer from."""
        return self.folder / "answers.json"

    def asked(self, program: str = "cargo build") -> list[str]:
        """The arguments of the calls of a program, of a cargo command."""
        log = self.answers.with_suffix(".log")
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.removeprefix(program).strip() for line in lines if line.startswith(program)]
