"""Loading and unloading modules of a running service (docs/spec/linking.md#loading-and-unloading).

A module is linked after the loaded ones. Unloading forgets its name and nothing else: modules that import from it
keep calling it, and its memory stays until the service is closed, since a store frees everything at once.
"""

from __future__ import annotations

from marine_runtime.config.arguments import check_module_config
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.errors import ArgumentError, LinkError
from marine_runtime.host.host_check import prepare
from marine_runtime.host.python_module import PythonModule
from marine_runtime.lazy.typing import Any
from marine_runtime.linking.context import LinkableModule, LinkContext
from marine_runtime.linking.linker import link_module
from marine_runtime.texts.messages import listed
from marine_runtime.values.scalars import kind


def check_module(module: Any) -> None:
    """Refuse a value that can't be linked; raises ArgumentError."""
    if not isinstance(module, (LinkableModule, PythonModule)):
        raise ArgumentError(
            f"a module to link must be a LinkableModule or a PythonModule, not {kind(module)}; `open_workbench` of "
            "marine_gen loads Wasm files"
        )


def add_module(module: LinkableModule | PythonModule, config: ModuleConfig | None, context: LinkContext) -> None:
    """Link one more module; when that fails, the modules and settings of the service are unchanged.

    Raises:
        LinkError: the name is taken, an import has no provider, or signatures differ.
        LoadError, ConfigError: the settings can't be met.
        CallError: an initialiser failed.
    """
    name = module.plan.name
    if name in context.linked:
        raise LinkError(f"a module named `{name}` is already loaded: unload it first")
    check_module_config(config)
    if config is not None:
        prepare(ServiceConfig(modules={name: config}), [name])
    with context.adding(name, config):
        link_module(module, context)


def remove_module(name: str, context: LinkContext) -> None:
    """Forget a module and its settings.

    Raises:
        ArgumentError: there is no such module.
    """
    if not isinstance(name, str) or name not in context.linked:
        raise ArgumentError(f"there is no module `{name}`; available: {listed(context.linked)}")
    context.remove(name)
