"""The command line, `marine-gen`: a file per command in `commands`, and what they share.

`app` is the group: it imports a command when it is named, and turns every failure into a message and an exit code.
`report` words errors, `output` writes results, `inputs` and `options` read what the user named. Whatever is heavy is
imported inside functions, so that help and completion answer at once.
"""

from marine_gen.cli.app import cli, main

__all__ = ["cli", "main"]
