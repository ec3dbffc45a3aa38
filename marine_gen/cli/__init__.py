"""The command line, `marine-gen`: a file per command in `commands`, and their shared options.

`app` is the group: it imports a command when it is named, and turns every failure into a message and an exit code.
`options` and `limits` are parameters of several commands. Messages, results and inputs are in `marine_gen.console`,
which the interactive loop uses too. Heavy modules are imported inside functions, so that help and completion answer at
once.
"""

from marine_gen.cli.app import cli, main

__all__ = ["cli", "main"]
