"""Reflection: the typed interface of a module, as a description and as its Wasm exports."""
