"""The binary form of interfaces: decode, encode, and the `interface-types` section of a module.

Indices and types are not checked here: see `marine_gen.ir`.
"""

from marine_gen.binary.decode import decode
from marine_gen.binary.embed import SECTION, embed, extract
from marine_gen.binary.encode import encode

__all__ = ["SECTION", "decode", "embed", "encode", "extract"]
