"""Marshalled code: the same at every build, on every Python."""

from __future__ import annotations

import marshal
import subprocess
import sys

import pytest

from marine_runtime.adapters.marshalled import dump

SOURCE = """
def cut(data, name="dump"):
    def inner(data):
        return data[-3:], data[1:7:2], "dump", ("shared", 1.5)
    return data[2:6], inner(data), data[:], name
"""


def test_code_with_slices() -> None:
    names: dict[str, object] = {}
    exec(marshal.loads(dump(compile(SOURCE, "cut.py", "exec", dont_inherit=True))), names)
    cut = names["cut"]
    assert callable(cut)
    assert cut(b"01234567") == (b"2345", (b"567", b"135", "dump", ("shared", 1.5)), b"01234567", "dump")


def test_what_else_is_in_the_process_changes_nothing() -> None:
    """As it does with the references of later versions of the format."""
    program = (
        "import sys; from marine_runtime.adapters.marshalled import dump\n"
        "kept = [sys.intern('shared'), sys.intern('inner'), 1.5]\n"
        "print(dump(compile(sys.argv[1], 'cut.py', 'exec', dont_inherit=True)).hex())"
    )
    done = subprocess.run([sys.executable, "-c", program, SOURCE], capture_output=True, text=True, check=True)
    assert done.stdout == dump(compile(SOURCE, "cut.py", "exec", dont_inherit=True)).hex() + "\n"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="slices can't be marshalled there")
def test_slices_anywhere() -> None:
    value = (slice(1, None), (slice(None, -1), b"x"), slice(2**70, 3, -1))
    assert marshal.loads(dump(value)) == value


def test_what_can_not_be_marshalled() -> None:
    with pytest.raises(ValueError, match="unmarshallable"):
        dump((object(),))
