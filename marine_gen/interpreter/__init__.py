"""The interpreter: the meaning of adapters, one instruction after the other, as Marine runs them.

This is the page to read to learn the semantics, the oracle of the differential tests, and the baseline of the speed
comparison. It runs verified adapters, so it does not repeat what the IR builder has proved: operand types, stack depth.
"""

from marine_gen.interpreter.engine import InterpreterGlue

__all__ = ["InterpreterGlue"]
