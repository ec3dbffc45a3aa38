"""The interface description language: exports and imports of a module, as a person writes them (docs/idl.md).

`lines` cuts a text into lines of tokens, `transform` reads a description out of them, `explain` words the errors of a
line, `printer` writes a description. Adapters are made from descriptions in `marine_gen.generate`, not here.
"""

from marine_gen.idl.parser import parse_description
from marine_gen.idl.printer import print_description

__all__ = ["parse_description", "print_description"]
