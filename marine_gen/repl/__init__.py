"""The interactive loop: a service, and commands that look at it, call it and change it (spec marine-runtime §9).

`session` has the service and runs command lines, `commands` are the commands, `registry` finds them. Where lines come
from is the business of `terminal` (a person) and `pipe` (a program); neither is imported before it is needed.
"""

from marine_gen.repl.session import LONGEST_TIMEOUT, TIMEOUT, ReplOptions, run_repl

__all__ = ["LONGEST_TIMEOUT", "TIMEOUT", "ReplOptions", "run_repl"]
