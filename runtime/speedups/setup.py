"""The extension; `pyproject.toml` has the rest, and `wheels.py` builds it for other machines."""

from __future__ import annotations

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "marine_speedups._native",
            ["src/module.c", "src/call.c", "src/values.c"],
            depends=["src/speedups.h"],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
