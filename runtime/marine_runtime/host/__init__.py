"""Imports that the host provides: Python functions, Python modules, and the built-in ones."""
