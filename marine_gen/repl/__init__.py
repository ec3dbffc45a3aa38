"""The interactive loop: a service, and commands that look at it, call it and change it.

`session` is the state, `command` a command, `commands` all of them, `registry` finds them, `dispatch` runs one line,
`run` the loop. Lines come from `terminal` (a person) or `pipe` (a program); neither is imported before it is needed.
"""

from marine_gen.repl.run import run_repl
from marine_gen.repl.session import LONGEST_TIMEOUT, TIMEOUT, ReplOptions

__all__ = ["LONGEST_TIMEOUT", "TIMEOUT", "ReplOptions", "run_repl"]
