"""Emission of generated code: templates, writers, literals, names."""
