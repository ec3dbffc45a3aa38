"""The stable codes of all diagnostics. A code is never reused for another meaning."""

from __future__ import annotations

from enum import Enum


class Code(Enum):
    """Name and number of a diagnostic; the first digit is the stage that finds it."""

    # 1xx: the Wasm container
    WASM_HEADER = "MG101"  # not a Wasm binary, or an unsupported version
    WASM_SECTION = "MG102"  # a section is truncated or overruns the file
    WASM_MALFORMED = "MG103"  # the content of a type/import/function/export/memory section is malformed
    SECTION_MISSING = "MG104"  # a required custom section is absent
    SECTION_DUPLICATE = "MG105"  # a custom section that must be unique is repeated
    SECTION_CONTENT = "MG106"  # a custom section (version, manifest, description) has bad content
    WASM_FEATURE = "MG107"  # the module uses a feature of WebAssembly that services don't have

    # 2xx: the binary form of the interface types
    IT_TRUNCATED = "MG201"  # the section ends in the middle of something
    IT_BAD_BYTE = "MG202"  # an unknown section id, type tag, kind or opcode
    IT_BAD_VALUE = "MG203"  # a value is malformed: LEB too long, bad UTF-8, empty record
    IT_VERSION = "MG204"  # version section missing, repeated or not semantic
    IT_LIMIT = "MG205"  # cannot be encoded: a name over 255 bytes, a number out of range

    # 3xx: the text form, and interface descriptions
    TEXT_LEXICAL = "MG301"  # a character or token that the grammar does not know
    TEXT_SYNTAX = "MG302"  # a token in the wrong place
    TEXT_VALUE = "MG303"  # a number out of range, a bad escape, a bad version, an empty record
    TEXT_VERSION = "MG304"  # version directive missing or repeated
    TEXT_NAME = "MG305"  # a description names a type that nothing declares
    TEXT_DUPLICATE = "MG306"  # a description declares a name twice

    # 4xx: structure of one module's interfaces
    INDEX_TYPE = "MG401"  # a type index out of range, or of the wrong kind
    INDEX_ARGUMENT = "MG402"  # `arg.get` beyond the adapter's parameters
    INDEX_CALL = "MG403"  # `call-core` beyond exports and implemented imports
    ADAPTER_MISSING = "MG404"  # an implementation names a type without adapter
    ADAPTER_DUPLICATE = "MG405"  # two adapters, exports or implementations claim one thing
    RECORD_NESTING = "MG406"  # a record contains itself without an array in between, or too many others

    # 5xx: typing of adapters
    STACK_UNDERFLOW = "MG501"  # an instruction needs more operands than there are
    OPERAND_TYPE = "MG502"  # an operand has the wrong type
    RESULT_TYPE = "MG503"  # the values left on the stack are not the declared results
    UNUSED_VALUE = "MG504"  # values are left over below the results
    NO_MEMORY = "MG505"  # a memory instruction in a module that exports no memory
    NO_ALLOCATE = "MG506"  # array/record lowering without a usable `allocate` at call-core 0

    # 6xx: agreement with the Wasm module and with other modules
    EXPORT_MISSING = "MG601"  # an IT export names no Wasm export function
    WASM_SIGNATURE = "MG602"  # an adapter disagrees with the module's Wasm signatures
    IMPORT_UNRESOLVED = "MG603"  # no provider for an import
    IMPORT_SIGNATURE = "MG604"  # importer and exporter signatures differ in structure
    VERSION_OLD = "MG605"  # SDK or IT version below the supported minimum


CODES = {code.value: code for code in Code}
