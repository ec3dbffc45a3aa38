"""Inspection of modules: everything that is wrong with them, and the code that runs them."""
