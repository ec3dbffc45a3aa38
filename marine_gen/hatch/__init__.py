"""A build hook for hatchling: services are compiled when a project's wheel is built.

`options` reads the hook's table in `pyproject.toml`, `plugin` does the work. Hatchling finds `plugin` by an entry point
and is imported there only, so it is not a dependency of this project.
"""
