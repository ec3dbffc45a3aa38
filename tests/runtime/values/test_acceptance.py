"""Every cell of the table of docs/values.md, and arguments that are odd in another way."""

import enum
import mmap
import os
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marine_runtime.errors import ArgumentError
from marine_runtime.types import Array, Field, IType, Prim, Record, RecordType
from marine_runtime.values.coerce import coerce
from tests.support.acceptance import COLUMNS, RECORDS, ROWS, Person, Place, table
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "values.md"


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", ROWS, ids=[row.title for row in ROWS])
def test_cell(row: Any, column: str) -> None:
    for value in row.values:
        if column not in row.accepted:
            with pytest.raises(ArgumentError) as caught:
                coerce(value, COLUMNS[column], RECORDS)
            assert str(caught.value).isprintable()
            continue
        given = coerce(value, COLUMNS[column], RECORDS)
        assert given == row.accepted[column]
        assert type(given) is type(row.accepted[column])
        if type(given) is list:
            assert set(map(type, given)) == set(map(type, row.accepted[column]))


def test_the_page_has_the_table() -> None:
    shown = re.search(r"<!-- acceptance -->\n\n(.*?)\n\n<!-- end of acceptance -->", PAGE.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    if os.environ.get("MARINE_GEN_BLESS"):
        PAGE.write_text(PAGE.read_text("utf-8").replace(shown[1], table()), "utf-8")
    else:
        assert shown[1] == table()


class Raising:
    def __index__(self) -> int:
        raise OSError("no index")

    def __float__(self) -> float:
        raise OSError("no float")


ODD = namedtuple("ODD", "class_ odd_name")
RELEASED = memoryview(b"ab")
RELEASED.release()


@pytest.mark.parametrize(
    ("value", "ty", "message"),
    [
        (Raising(), Prim.U8, f"expected u8, got {__name__}.Raising that can't be read (OSError: no index)"),
        (Raising(), Prim.F64, f"expected f64, got {__name__}.Raising that can't be read (OSError: no float)"),
        ([1, Raising()], Array(Prim.U8), f"$[1]: expected u8, got {__name__}.Raising that can't be read (OSError"),
        (np.uint16(256), Prim.U8, "expected u8, got 256 (out of range 0..255)"),
        (np.bool_(True), Prim.U8, "expected u8, got numpy.bool"),
        (np.bool_(True), Prim.F64, "expected f64, got numpy.bool"),
        (np.array([1]), Prim.U8, "expected u8, got numpy.ndarray"),
        (np.array([1.0]), Prim.F32, "expected f32, got numpy.ndarray"),
        (np.array(True), Prim.F64, "expected f64, got numpy.ndarray"),
        (np.array(True), Prim.U8, "expected u8, got numpy.ndarray"),
        (np.array("1.5"), Prim.F64, "expected f64, got numpy.ndarray"),
        (np.array(1j), Prim.F64, "expected f64, got numpy.ndarray"),
        (np.timedelta64(1, "s"), Prim.F64, "expected f64, got numpy.timedelta64"),
        (np.timedelta64(1, "s"), Prim.U8, "expected u8, got numpy.timedelta64"),
        (np.datetime64("2020-01-01"), Array(Prim.U8), "expected []u8, got numpy.datetime64"),
        (np.datetime64("2020-01-01"), Array(Prim.U32), "expected []u32, got numpy.datetime64"),
        (np.array(np.datetime64("2020-01-01")), Prim.F64, "expected f64, got numpy.ndarray"),
        (np.int8(1), Prim.BOOLEAN, "expected bool, got numpy.int8"),
        (np.array(1), Array(Prim.U8), "expected []u8, got numpy.ndarray without dimensions"),
        (np.array(1, np.uint8), Array(Prim.U8), "expected []u8, got numpy.ndarray without dimensions"),
        (np.array([1, 256]), Array(Prim.U8), "$[1]: expected u8, got 256 (out of range 0..255)"),
        (np.array([-1], np.int8), Array(Prim.U8), "$[0]: expected u8, got -1 (out of range 0..255)"),
        (np.array([0.5]), Array(Prim.U32), "$[0]: expected u32, got float"),
        (np.array([None]), Array(Prim.U32), "expected []u32, got numpy.ndarray that can't be read"),
        (RELEASED, Array(Prim.U8), "expected []u8, got memoryview that can't be read (ValueError: operation forbidden"),
        (RELEASED, Array(Prim.U32), "expected []u32, got memoryview that can't be read (ValueError: operation forb"),
        (RELEASED, Prim.STRING, "expected string, got memoryview"),
        (Place("Ann", 7), Record(0), "Person has no field `height`"),
        (enum.Enum("E", "A").A, Prim.U8, f"expected u8, got {__name__}.E"),  # type: ignore[attr-defined]
        (
            np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (2**33,), (0,)),
            Array(Prim.U8),
            "expected []u8, got 8",
        ),
        (
            np.lib.stride_tricks.as_strided(np.zeros(1), (2**30,), (0,)),
            Array(Prim.F64),
            "expected []f64, got 1073741824 ",
        ),
        (range(2**40), Array(Prim.U8), "expected []u8, got 1099511627776 elements (at most 4294967295)"),
        (range(2**70), Array(Prim.U8), "expected []u8, got range that can't be read (OverflowError"),
        (bytes(2**32), Array(Prim.U8), "expected []u8, got 4294967296 elements (at most 4294967295)"),
    ],
)
def test_refusals_name_the_real_type(value: Any, ty: IType, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        coerce(value, ty, RECORDS)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("value", "ty", "expected"),
    [
        (np.array(["a", "é"]), Array(Prim.STRING), ["a", "é"]),
        (np.array(["a"], object), Array(Prim.STRING), ["a"]),
        (np.array([1, 2**70], object)[:1], Array(Prim.U8), b"\1"),
        (np.array([("Ann", 7)], [("name", "U3"), ("age", "u4")]), Array(Record(0)), [("Ann", 7)]),
    ],
)
def test_refusals_of_arrays_whose_items_no_buffer_tells(value: Any, ty: IType, expected: Any) -> None:
    """Following the advice helps."""
    with pytest.raises(ArgumentError, match=r"; pass a list of its items, as `tolist\(\)` returns it"):
        coerce(value, ty, RECORDS)
    assert coerce(value.tolist(), ty, RECORDS) == expected


def test_sizes_are_checked_before_anything_is_copied(tmp_path: Path) -> None:
    """A mapped file of 5 GiB, of which nothing is stored or read."""
    path = tmp_path / "sparse"
    with path.open("w+b") as file:
        file.truncate(5 * 2**30)
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            pytest.raises(ArgumentError, match=r"expected \[\]u8, got 5368709120 elements \(at most 4294967295\)"),
        ):
            coerce(mapped, Array(Prim.U8), RECORDS)


def test_named_tuples_go_by_the_names_of_fields() -> None:
    records = {0: RecordType("Odd", (Field("odd name", Prim.U8), Field("class", Prim.U8)))}

    assert coerce(ODD(1, 2), Record(0), records) == (2, 1)
    assert coerce([Person(7, "Ann")], Array(Record(0)), RECORDS) == [("Ann", 7)]


def test_numpy_is_not_imported() -> None:
    code = (
        "import sys; from marine_runtime.values.coerce import coerce; from marine_runtime.types import Prim\n"
        "try: coerce(object(), Prim.BOOLEAN, {})\nexcept Exception: pass\nassert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
