"""A whole service as one WebAssembly component: its modules, their fused glue, and functions with WIT types.

`names` turns names into those of components, `interface` and `wit` describe what a component offers, `canonical` is the
layout of values outside, `staging` the memory that both layouts share, `bridge` the code between them, `types` and
`binary` the format, `frame` the instances, `host` and `logger` provide what guests import, `make` puts everything
together.
"""

from marine_gen.component_backend.errors import ComponentError
from marine_gen.component_backend.fault import site_texts
from marine_gen.component_backend.interface import exportable
from marine_gen.component_backend.make import make_component
from marine_gen.component_backend.model import (
    CallParametersSource,
    Component,
    ComponentGlue,
    ComponentModule,
    ComponentOptions,
    Logger,
    ProvidedImport,
    Provider,
)
from marine_gen.component_backend.options import component_options

__all__ = [
    "CallParametersSource",
    "Component",
    "ComponentError",
    "ComponentGlue",
    "ComponentModule",
    "ComponentOptions",
    "Logger",
    "ProvidedImport",
    "Provider",
    "component_options",
    "exportable",
    "make_component",
    "site_texts",
]
