"""From C sources and a description to a Wasm module that carries its adapters and its SDK version.

The compiler is clang as the package `ziglang` ships it, from the extra `guests`; any other command that takes clang's
options can stand for it. The output is deterministic: stripped, without names of files or directories. What the
compiler says is passed on as it is.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from marine_gen.binary import embed
from marine_gen.diagnostics import DiagnosticError
from marine_gen.generate import SDK_VERSION, Description, generate
from marine_gen.guest.glue import glue_files, write_glue
from marine_gen.wasm import embed_sdk_version
from marine_runtime import MarineError

COMPILER = (sys.executable, "-m", "ziglang", "cc")

FLAGS = (
    *("-target", "wasm32-wasi", "-mexec-model=reactor", "-std=gnu17", "-O2", "-Wall", "-Wextra"),
    # No names in the output, and a stack of 128 KiB instead of sixteen megabytes.
    *("-s", "-Wl,-z,stack-size=131072"),
)
"""The options that every module is compiled with, before the author's own."""

_UNWRITTEN = re.compile(r"undefined symbol: marine_function_(\w+)")
"""The linker's message about an exported function that the author did not write (`MARINE_FUNCTION` in `marine.h`)."""


class CompilerError(MarineError):
    """The C compiler is missing, can't be run, or refused a source.

    Attributes:
        output: its messages.
    """

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


def build_guest(
    sources: Sequence[Path],
    description: Description,
    name: str,
    *,
    generator: str,
    compiler: str | None = None,
    options: Sequence[str] = (),
    colour: bool = False,
) -> tuple[bytes, str]:
    """The module, and the output of the compiler.

    Args:
        sources: the author's C files.
        description: the exports and imports of the module.
        name: the module's name, from which that of the header comes.
        generator: name and version, for the head of the glue.
        compiler: a command line instead of `COMPILER`.
        options: further options for it, behind `FLAGS`.
        colour: whether its messages have colours.

    Raises:
        DiagnosticError: the description is wrong.
        CompilerError: there is no compiler, or it failed.
    """
    interfaces = generate(description)
    glue = write_glue(description, name, generator=generator)
    command = _command(compiler)
    with tempfile.TemporaryDirectory(prefix="marine-guest-") as folder:
        for file, content in glue_files(glue).items():
            Path(folder, file).write_bytes(content)
        output = Path(folder, "module.wasm")
        own = [f"-I{folder}", f"-ffile-prefix-map={folder}{os.sep}=", *(["-fdiagnostics-color=always"] * colour)]
        command += [*FLAGS, *own, *options, "-o", str(output)]
        command += [*map(_as_file, sources), str(Path(folder, glue.source_name))]
        messages = _run(command)
        try:
            wasm = output.read_bytes()
        except OSError:
            raise CompilerError("the C compiler wrote no module", messages) from None
    try:
        return embed_sdk_version(embed(wasm, interfaces), SDK_VERSION), messages
    except DiagnosticError as error:
        raise CompilerError("the C compiler did not write a Wasm module", messages) from error


def _command(compiler: str | None) -> list[str]:
    if compiler is None:
        if importlib.util.find_spec("ziglang") is None:
            raise CompilerError(
                "the C compiler is missing: run `pip install 'marine-gen[guests]'`, or name a clang with `--cc`"
            )
        return list(COMPILER)
    try:
        words = shlex.split(compiler)
    except ValueError as error:
        raise CompilerError(f"the command of the C compiler can't be read: {error}") from None
    if not words:
        raise CompilerError("the command of the C compiler is empty")
    return words


def _as_file(source: Path) -> str:
    """The path so that no name of a file is taken for an option."""
    return os.path.join(os.curdir, source) if str(source).startswith(("-", "@")) else str(source)


def _run(command: Sequence[str]) -> str:
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "marine-gen-guests")
    environment = {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache} | os.environ
    try:
        done = subprocess.run(  # noqa: S603  # the command is ours or the author's
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CompilerError(f"the C compiler `{command[0]}` can't be run: {reason}") from None
    if done.returncode:
        place = environment["ZIG_GLOBAL_CACHE_DIR"]
        if "global cache directory" in done.stdout and not os.path.isdir(place):
            raise CompilerError(
                f"the C compiler can't keep its cache in `{place}`: "
                "set XDG_CACHE_HOME to a directory that you can write to",
                done.stdout,
            )
        missing = dict.fromkeys(_UNWRITTEN.findall(done.stdout))
        names = ", ".join(f"`{name}`" for name in missing)
        unwritten = f"; no source that includes the glue defines {names}, which the interface exports"
        message = f"the C compiler failed with exit code {done.returncode}{unwritten if missing else ''}"
        raise CompilerError(message, done.stdout)
    return done.stdout
