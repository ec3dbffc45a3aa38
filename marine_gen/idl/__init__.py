"""The interface description language: what a module exports and imports, as a person writes it (docs/idl.md).

`lines` cuts a text into lines of tokens, `build` reads a description out of them, `explain` says what is wrong with a
line, `printer` writes a description. Adapters are made from descriptions in `marine_gen.generate`, not here.
"""

from marine_gen.idl.parser import parse_description
from marine_gen.idl.printer import print_description

__all__ = ["parse_description", "print_description"]
