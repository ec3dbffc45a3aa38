"""Modules that come and go while a service runs (spec marine-runtime §1.5, §7.2).

A module is linked behind those that are there. Unloading forgets its name and nothing else: modules that import from it
keep calling it, and its memory stays until the service is closed, since a store frees everything at once.
"""

from __future__ import annotations

from dataclasses import replace

from marine_runtime.config.host_check import prepare
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.errors import ArgumentError, LinkError
from marine_runtime.host.python_module import PythonModule
from marine_runtime.linking.linker import LinkableModule, LinkContext, LinkedModule, link_part
from marine_runtime.messages import listed


def add_module(part: LinkableModule | PythonModule, config: ModuleConfig | None, scene: LinkContext) -> LinkedModule:
    """Link one more module; when that fails, the service has the modules and settings of before.

    Raises:
        LinkError: the name is taken, an import has no provider, or signatures differ.
        LoadError, ConfigError: the settings can't be met.
        CallError: an initialiser failed.
    """
    name = part.plan.name
    if name in scene.earlier:
        raise LinkError(f"there is a module named `{name}` already: unload it first")
    if config is not None:
        prepare(ServiceConfig(modules={name: config}), [name])
    before, names = scene.config, scene.names
    _configure(scene, name, config)
    try:
        scene.wasi.admit(name, scene.config)
        scene.names = [*names, name]
        linked = link_part(part, scene)
    except BaseException:
        scene.wasi.forget(name)
        scene.names = names
        scene.config = scene.host.config = before
        raise
    scene.earlier[name] = linked
    return linked


def remove_module(name: str, scene: LinkContext) -> None:
    """Forget a module and its settings.

    Raises:
        ArgumentError: there is no such module.
    """
    if name not in scene.earlier:
        raise ArgumentError(f"there is no module `{name}`; there is: {listed(scene.earlier)}")
    del scene.earlier[name]
    scene.names = [item for item in scene.names if item != name]
    scene.wasi.forget(name)
    _configure(scene, name, None)


def _configure(scene: LinkContext, name: str, config: ModuleConfig | None) -> None:
    """Give one module its settings; the others keep theirs."""
    modules = {module: item for module, item in scene.config.modules.items() if module != name}
    if config is not None:
        modules[name] = config
    scene.config = scene.host.config = replace(scene.config, modules=modules)
