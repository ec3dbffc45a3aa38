"""Generate: from a typed description of a module to its adapters.

`model` holds the description, `records` numbers its records, `adapters` has the instruction sequences, and `generator`
assembles the interface section. Reading descriptions from a module's own sections is not done here.
"""

from marine_gen.generate.generator import VERSION, generate
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

__all__ = [
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
]
