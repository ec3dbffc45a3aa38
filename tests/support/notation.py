"""Bytes written for people: hex pairs, text in quotes, and comments after `#`."""

from __future__ import annotations

import re

_TOKEN = re.compile(r'#[^\n]*|"([^"\n]*)"|([0-9a-f]{2})\b|\s+')


def read_bytes(text: str) -> bytes:
    """`00 61 "sm" # comment` as bytes."""
    data = bytearray()
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None, f"neither hex nor quoted: {text[position : position + 20]!r}"
        position = match.end()
        if match[1] is not None:
            data += match[1].encode()
        elif match[2] is not None:
            data.append(int(match[2], 16))
    return bytes(data)


def name(text: str) -> bytes:
    """A name of the interface section: one length byte and UTF-8."""
    encoded = text.encode()
    return bytes([len(encoded)]) + encoded
