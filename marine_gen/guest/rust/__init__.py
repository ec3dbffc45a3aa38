"""Modules from Rust: what `marine build` does, and a project to start from.

`toolchain` finds cargo, rustc and the target, `workspace` reads cargo's metadata, `cargo` runs builds, `items` finds
the Rust item behind a section of a module, and `scaffold` writes a new project. Adapters come from `generate`.
"""

from marine_gen.guest.rust.cargo import Artifact, build_crates, builds_std, check_arguments, read_workspace
from marine_gen.guest.rust.items import locate_items
from marine_gen.guest.rust.scaffold import new_rust_guest
from marine_gen.guest.rust.toolchain import CargoError, CargoFailedError, Toolchain, find_toolchain, missing_linker
from marine_gen.guest.rust.workspace import SDK, Crate, Workspace

__all__ = [
    "SDK",
    "Artifact",
    "CargoError",
    "CargoFailedError",
    "Crate",
    "Toolchain",
    "Workspace",
    "build_crates",
    "builds_std",
    "check_arguments",
    "find_toolchain",
    "locate_items",
    "missing_linker",
    "new_rust_guest",
    "read_workspace",
]
