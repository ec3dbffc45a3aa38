"""Inspection of modules: `check` finds every error in an input, `views` the code that runs an adapter, `show` prints
it.
"""
