"""Services to draw, and the graphs of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marine_gen.artifact import Source, compile_service
from marine_gen.generate import Description, ExternModule, ImportedFunction, Signature
from marine_gen.graph import Graph, build_graph
from marine_runtime import ModuleConfig, MountedBinary, ServiceConfig
from marine_runtime.types import Prim
from tests.support import hostile_names
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import guest, guests
from tests.support.host_calls import calling

ECHO = function("echo", Prim.STRING)
NUMBER = function("number", Prim.U32)
HOSTILE_MODULE = "</svg><script>alert(1)</script>\"'&\u202e\x1b[31m\0"


def echoing(functions: tuple[Signature, ...], **imports: tuple[Signature, ...]) -> bytes:
    """A module with `functions`, which it gets from other modules where it imports them."""
    wanted = tuple(ExternModule(name, tuple(map(ImportedFunction, items))) for name, items in imports.items())
    return echo_module(Description((), functions, wanted), Memory())


def hostile_service() -> dict[str, bytes]:
    """Two modules whose every name means something to some format."""
    inner = hostile_names.description(hostile_names.SOME, "")
    outer = hostile_names.description(hostile_names.SOME, HOSTILE_MODULE)
    return {HOSTILE_MODULE: echo_module(inner, Memory()), "outer\n" * 300: echo_module(outer, Memory())}


SERVICES: Mapping[str, Any] = {
    "shrek": (guests("donkey", "shrek"), ServiceConfig()),
    "records": (guests("records_passing_effector", "records_passing_pure"), ServiceConfig()),
    # `top` imports across a column, so that there is a lane.
    "diamond": (
        {
            "base": echoing((ECHO, NUMBER)),
            "left": echoing((ECHO,), base=(ECHO,)),
            "right": echoing((NUMBER,), base=(NUMBER,)),
            "top": echoing((ECHO, NUMBER), left=(ECHO,), right=(NUMBER,)),
            "roof": echo_module(
                Description(
                    (), (function("a", Prim.STRING), NUMBER), (ExternModule("base", (ImportedFunction(NUMBER),)),)
                ),
                Memory(),
            ),
            "peak": echoing((ECHO, NUMBER), top=(ECHO,), base=(NUMBER,)),
        },
        ServiceConfig(),
    ),
    "host": (
        {"m": calling(ECHO, (), "host", "program"), "n": calling(ECHO, (), "custom", "ask"), "logger": guest("logger")},
        ServiceConfig(
            modules={
                "m": ModuleConfig(
                    mounted_binaries={"program": MountedBinary("/bin/program")}, mapped_dirs={"a": "/a", "b": "/b"}
                ),
                "n": ModuleConfig(mapped_dirs={"/sites": "/a"}),
            }
        ),
    ),
}
"""Modules in load order and settings, by name."""


def graph_of(name: str, engine: str, **options: Any) -> Graph:
    """The graph of one of `SERVICES`."""
    modules, config = SERVICES[name]
    return build_graph(name, compile_service(Source(name, modules)), config, engine, **options)
