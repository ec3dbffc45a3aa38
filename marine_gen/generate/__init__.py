"""Generate: from a typed description of a module to its adapters.

`model` holds the description, `records` numbers its records, `adapters` has the instruction sequences, and `generator`
assembles the interface section. `sections` reads the description that a module of the Rust SDK carries; descriptions
as text are read in `marine_gen.idl`.
"""

from marine_gen.generate.generator import SDK_VERSION, VERSION, generate
from marine_gen.generate.model import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Type,
    Vector,
)
from marine_gen.generate.sections import read_description

__all__ = [
    "SDK_VERSION",
    "VERSION",
    "Description",
    "ExternModule",
    "ImportedFunction",
    "Member",
    "Named",
    "RecordDeclaration",
    "Signature",
    "Type",
    "Vector",
    "generate",
    "read_description",
]
