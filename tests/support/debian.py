"""Packages of Debian, unpacked into a folder: nothing is installed, so it needs no rights."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


class UnavailableError(Exception):
    """A thing that tests need is not to be had on this machine; the message says what is missing."""


def unpack_packages(
    packages: Sequence[str],
    root: Path,
    scratch: Path,
    *,
    release: str,
    architecture: str | None = None,
    left_out: re.Pattern[str] | None = None,
) -> None:
    """Download packages with all that they depend on, as if nothing was installed, and unpack them below `root`.

    Args:
        packages: their names.
        root: the folder that they are unpacked into.
        scratch: an empty folder for what is downloaded.
        release: Debian's name of the release.
        architecture: Debian's name of the processor, instead of this machine's.
        left_out: packages that are not wanted, by the beginning of their names.

    Raises:
        UnavailableError: this machine has no packages of Debian, or none of these.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise UnavailableError(f"there is no `{program}`, which downloads or unpacks Debian's packages")
    place = mirror()
    for folder in ("lists/partial", "archives/partial"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "status").touch()
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (scratch / "sources.list").write_text(f"deb [signed-by={keyring}] {place} {release} main\n")
    settings = {
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::status": scratch / "status",
        "Dir::State::lists": scratch / "lists",
        "Dir::Cache": scratch,
        "Dir::Cache::archives": scratch / "archives",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
    }
    if architecture is not None:
        settings |= {"APT::Architecture": architecture, "APT::Architectures::": architecture}
    apt = ["apt-get", "-qq", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]
    run([*apt, "update"], scratch)
    planned = run([*apt, "--simulate", "install", *packages], scratch)
    names = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
    wanted = [name for name in names if left_out is None or not left_out.match(name)]
    run([*apt, "download", *wanted], scratch)
    for package in sorted(scratch.glob("*.deb")):  # the folder is the current one of `apt-get download`
        run(["dpkg-deb", "--extract", str(package), str(root)], scratch)
        package.unlink()


def mirror() -> str:
    """The place that this machine has its own Debian packages from.

    Raises:
        UnavailableError: it has none.
    """
    targets = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], Path.cwd())
    for place in targets.splitlines():
        if place.rstrip("/").endswith("/debian"):
            return place
    raise UnavailableError("this machine has no packages of Debian")


def run(command: Sequence[str], folder: Path) -> str:
    """Run a program that has to succeed; gives what it printed.

    Raises:
        UnavailableError: it failed.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise UnavailableError(f"`{command[0]}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
