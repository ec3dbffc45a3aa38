"""Limits of the binary form, and the one limit of this implementation."""

MAX_NAME_BYTES = 255
"""A name has one raw length byte."""

MAX_LEB_BYTES = 9
"""Numbers may be that long; only the push of a negative i64 needs, and gets, one byte more."""

U32_MAX = 2**32 - 1

MAX_TYPE_DEPTH = 128
"""Levels of `array (…)` in one type. The format has no limit; stages that recurse into types need one."""
