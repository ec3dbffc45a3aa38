"""Rebuilds the guest modules of the tests, the example and the benchmark from their C sources, and all adapter texts.

    python tests/guests/rebuild.py [--check] [NAME…]

Needs the C compiler of the `guests` extra. Those in `kit` and of the example are plain C functions, which the guest kit
builds; the others include `marine.h` of this folder and have an ABI written by hand. Builds are reproducible: `--check`
builds elsewhere, compares byte for byte with the committed files, and changes nothing. The `.wat` guests get adapter
texts only; tests assemble them.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from marine_gen.binary.embed import embed
from marine_gen.generate import generate
from marine_gen.guest import CompilerError
from marine_gen.text.printer import print_interfaces
from marine_gen.wasm.metadata import embed_sdk_version
from tests.guests.descriptions import GUESTS, HOSTILE, PLUGINS, ROOT, Guest
from tests.guests.kit_guests import KIT_GUESTS, build_kit_guest, is_of_kit

SDK_VERSION = "0.14.0"
"""The SDK version whose conventions the C header follows."""

FLAGS = (
    *("-target", "wasm32-wasi", "-mexec-model=reactor", "-std=c17", "-O2"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-function"),
    # No names and no paths in the output, and one page of stack instead of sixteen megabytes.
    *("-s", "-Wl,-z,stack-size=65536"),
)

PLUGIN_FLAGS = (
    *("-target", "wasm32-freestanding", "-nostdlib", "-std=c17", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-s", "-Wl,--no-entry"),
)


def compile_source(source: Path, flags: Sequence[str], output: Path) -> None:
    """Compiles one C file; the compiler's own messages go to stderr."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "marine-gen-guests"
    environment = {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)} | os.environ
    command = [sys.executable, "-m", "ziglang", "cc", *flags, "-o", str(output), str(source.relative_to(ROOT))]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def build(guest: Guest, folder: Path) -> dict[Path, bytes]:
    """The files that belong beside the guest's source, made from scratch."""
    if guest in KIT_GUESTS:
        return {guest.module: build_kit_guest(guest)}
    interfaces = generate(guest.description)
    files = {guest.adapters: (print_interfaces(interfaces) + "\n").encode()}
    if is_of_kit(guest):
        files[guest.module] = build_kit_guest(guest)
    elif guest.source.suffix == ".c":
        output = folder / f"{guest.name}.wasm"
        compile_source(guest.source, FLAGS, output)
        files[guest.module] = embed_sdk_version(embed(output.read_bytes(), interfaces), SDK_VERSION)
    return files


def build_plugin(source: Path, folder: Path) -> dict[Path, bytes]:
    """The module that belongs beside the source of a plug-in."""
    output = folder / f"{source.stem}.wasm"
    compile_source(source, PLUGIN_FLAGS, output)
    return {source.with_suffix(".wasm"): output.read_bytes()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 1 when `--check` finds a difference or a source does not compile."""
    guests: dict[str, Guest | Path] = {guest.name: guest for guest in (*GUESTS, *HOSTILE, *KIT_GUESTS)}
    guests |= {source.stem: source for source in PLUGINS}
    parser = argparse.ArgumentParser(description="Rebuild the guest modules and their adapter texts.")
    parser.add_argument("--check", action="store_true", help="compare with the committed files, change nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", help="the guests to build; all when none is given")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in guests]:
        parser.error(f"no guest is called {unknown[0]}; there are {', '.join(guests)}")
    chosen = {name: guests[name] for name in options.names or guests}
    sources = [item if isinstance(item, Path) else item.source for item in chosen.values()]
    if importlib.util.find_spec("ziglang") is None and any(source.suffix == ".c" for source in sources):
        parser.error("the C compiler is missing; install the `guests` extra: pip install '.[guests]'")

    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, item in chosen.items():
            try:
                target = Path(folder)
                files = build_plugin(item, target) if isinstance(item, Path) else build(item, target)
            except (subprocess.CalledProcessError, CompilerError) as error:
                print(f"{name}: does not compile\n{getattr(error, 'output', None) or ''}", file=sys.stderr)
                failed = True
                continue
            for path, content in files.items():
                if path.is_file() and path.read_bytes() == content:
                    continue
                shown = path.relative_to(ROOT)
                if options.check:
                    print(f"{shown} is not what its source gives", file=sys.stderr)
                    failed = True
                else:
                    path.write_bytes(content)
                    print(f"wrote {shown} ({len(content)} bytes)")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
