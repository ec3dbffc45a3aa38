"""The text form of interfaces: parse and print (the language is described in `grammar/README.md`).

Nothing here checks what an index points at, or types: see `marine_gen.ir`.
"""

from marine_gen.text.parser import parse
from marine_gen.text.printer import print_interfaces

__all__ = ["parse", "print_interfaces"]
