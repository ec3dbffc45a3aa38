"""The text form of interfaces: parse and print (the language is described in `grammar/README.md`).

Indices and types are not checked here: see `marine_gen.ir`.
"""

from marine_gen.text.parser import parse
from marine_gen.text.printer import print_interfaces

__all__ = ["parse", "print_interfaces"]
