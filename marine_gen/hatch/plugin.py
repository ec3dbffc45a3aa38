"""The build hook: builds services into the source tree, adds them to the wheel, and checks that hatchling packed them.

The source tree is the one place that serves wheels, editable installations and type checkers alike. A source
distribution gets nothing: it holds what services are built from, and its wheel is built again.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl
from packaging.tags import sys_tags

from marine_gen.artifact import build, read_target
from marine_gen.hatch.options import HookOptions, ServiceOptions, read_options
from marine_runtime import MarineError
from marine_runtime.artifact import MANIFEST, Manifest


class MarineGenHook(BuildHookInterface[BuilderConfig]):
    """Builds the services of the table `[tool.hatch.build.hooks.marine-gen]`. See `BuildHookInterface`."""

    PLUGIN_NAME = "marine-gen"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is not up to date, and add it to what is packed."""
        if self.target_name == "sdist":
            return
        options = self._options()
        for service in options.services:
            manifest = self._build(service, options)
            names = [MANIFEST, *(item.name for item in manifest.all_files())]
            build_data["artifacts"] += [f"/{service.package}/{name}" for name in names]
        if options.native and version == "standard":
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Check that a wheel has every service: hatchling packs what the target's settings select."""
        if self.target_name != "wheel" or version != "standard":
            return
        with zipfile.ZipFile(artifact_path) as wheel:
            packed = set(wheel.namelist())
        for service in self._options().services:
            place = self.build_config.get_distribution_path(f"{service.package}/{MANIFEST}")
            if place.replace("\\", "/") not in packed:
                Path(artifact_path).unlink()
                self._fail(
                    f"`{service.package}` is not in the wheel: it must be inside a package that "
                    "[tool.hatch.build.targets.wheel] selects"
                )

    def _options(self) -> HookOptions:
        try:
            return read_options(self.config)
        except MarineError as error:
            self._fail(f"[tool.hatch.build.hooks.{self.PLUGIN_NAME}]: {error}")
            raise

    def _build(self, service: ServiceOptions, options: HookOptions) -> Manifest:
        root = Path(self.root)
        try:
            source = read_target(root / service.config)
            output, engine = root / service.package, service.engine
            result = build(source, output, engine=engine, native=options.native, strict=options.strict)
            machine = _of_this_machine(result.manifest)
        except MarineError as error:
            self._fail(f"`{service.package}`: {error}")
            raise
        self.app.display_info(f"marine-gen: {'unchanged' if result.fresh else 'built'} {service.package}")
        for sentence in result.warnings:
            self.app.display_warning(f"marine-gen: `{service.package}`: {sentence}")
        if machine:
            self.app.display_warning(
                f"marine-gen: `{service.package}` refers to {machine} by the paths of this machine; "
                "on other machines, pass other settings to `load(config=…)`"
            )
        return result.manifest

    def _fail(self, message: str) -> None:
        self.app.abort(f"marine-gen: {message}")


def _of_this_machine(manifest: Manifest) -> str:
    """The settings of a build that are paths."""
    modules = manifest.config.modules.values()
    found = {
        "mapped directories": any(module.mapped_dirs for module in modules),
        "mounted binaries": any(module.mounted_binaries for module in modules),
    }
    return " and ".join(what for what, there in found.items() if there)


def _platform() -> str:
    """The platform tag of wheels with machine code of this machine.

    The tags of Linux distributions promise something about shared libraries; there are none.
    """
    return next(
        tag.platform for tag in sys_tags() if "manylinux" not in tag.platform and "musllinux" not in tag.platform
    )


@hookimpl
def hatch_register_build_hook() -> type[MarineGenHook]:
    """The hook that hatchling calls in plugins."""
    return MarineGenHook
