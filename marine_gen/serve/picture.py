"""The graph of a service as SVG, whatever it was loaded from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from marine_gen.artifact import ENGINES, compile_service, read_target
from marine_gen.artifact.target import read_built
from marine_gen.graph import build_graph, render_svg
from marine_runtime import ServiceConfig


def draw(target: Any) -> str:
    """The picture of a target of `marine_gen.load`.

    Raises:
        As `marine_gen.load`.
    """
    built = isinstance(target, (str, Path)) and Path(target).is_dir()
    source = read_built(Path(target)) if built else read_target(target)
    config = ServiceConfig.from_json(source.options)
    return render_svg(build_graph(source.name, compile_service(source), config, ENGINES[0]))
