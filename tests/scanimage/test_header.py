"""Settings as ScanImage spells them come out as Python's values, in linear time."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanreader import HeaderError, read_scan
from scanreader.scanimage.header import Header
from scanreader.scanimage.jsonlab import listed, parse_json
from scanreader.scanimage.literals import integers, numbers, parse_literal
from scanreader.simulate import Cell, Column, Recording, literal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-668", -668),
        ("6.31018e-05", 6.31018e-05),
        ("1e+06", 1e6),
        ("6.312276526735244e-05", 6.312276526735244e-05),
        ("Inf", math.inf),
        ("-Inf", -math.inf),
        ("true", True),
        ("false", False),
        ("[true false]", [True, False]),
        ("[0 20 40]", [0, 20, 40]),
        ("[1;2]", [1, 2]),
        ("[-9 -9;9 -9;9 9;-9 9]", [[-9, -9], [9, -9], [9, 9], [-9, 9]]),
        ("[]", []),
        ("{}", []),
        ("''", ""),
        ("zeros(0,2)", []),
        ("zeros(1,0)", []),
        ("[2 1 2]&[1 2 3 4]", [[[1, 3]], [[2, 4]]]),
        ("'it''s'", "it's"),
        ("'$text'", "text"),
        ("{'a' 'b'}", ["a", "b"]),
        ("{'a';'b'}", ["a", "b"]),
        ("{[-1 1] [-1 1]}", [[-1, 1], [-1, 1]]),
        ("{16 16}", [16, 16]),
        ("{[]}", [[]]),
        ("{'a ; [b' 'c''d'}", ["a ; [b", "c'd"]),
        ("@a.b.c", "@a.b.c"),
        ("'@a.b.c'", "@a.b.c"),
        ("scanimage.types.BeamAdjustTypes.Exponential", "scanimage.types.BeamAdjustTypes.Exponential"),
        ("<unencodeable value>", "<unencodeable value>"),
        ("[2022  8  8 16 39 49.190]", [2022, 8, 8, 16, 39, 49.19]),
        ("", ""),
        ("[1 2", "[1 2"),
        ("1]", "1]"),
        ("[1 2}", "[1 2}"),
    ],
)
def test_literals(text: str, value: Any) -> None:
    parsed_value = parse_literal(text)
    assert parsed_value == value
    assert type(parsed_value) is type(value)


def test_nan() -> None:
    assert math.isnan(parse_literal("NaN"))
    assert math.isnan(parse_literal("[1 NaN]")[1])


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    parse_literal(text)
    with contextlib.suppress(HeaderError):  # what begins as JSON must be JSON
        dict(Header(text))


scalars = st.one_of(
    st.integers(-(10**9), 10**9), st.booleans(), st.floats(allow_nan=False), st.text("abc' ;[{=", max_size=5)
)


@given(
    st.one_of(
        scalars,
        st.lists(scalars, min_size=2).map(Cell),
        st.lists(st.integers(-9, 9), min_size=2),
        st.lists(st.floats(allow_nan=False), min_size=2).map(Column),
    )
)
def test_what_is_written_is_read(value: Any) -> None:
    parsed_value = parse_literal(literal(value, 17))
    assert parsed_value == (value.removeprefix("$") if isinstance(value, str) else value)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{" * 50_000 + "}" * 50_000, "[1 " * 99_999, "'" * 99_999, "9" * 99_999]
)
def test_hostile_literals_take_no_time(text: str) -> None:
    parse_literal(text)


def test_a_header_of_20_megabytes_opens_quickly(tmp_path: Path) -> None:
    """Some labs append megabytes of their own lines; tifffile's parser takes minutes for them."""
    lines = {f"hLab.property{i:06d}": "x" * 40 for i in range(250_000)}
    (path,) = Recording(frames_per_slice=2, settings=lines).write(tmp_path)
    assert path.stat().st_size > 15_000_000
    start = time.process_time()
    scan = read_scan(path)
    assert scan.metadata["SI.hLab.property123456"] == "x" * 40
    assert len(scan.metadata) > 250_000
    assert time.process_time() - start < 10  # a quadratic parser takes minutes; measured: under a second


def test_settings_are_found_with_and_without_their_prefix(tmp_path: Path) -> None:
    Recording().write(tmp_path)
    scan = read_scan(tmp_path)
    assert scan.metadata["hRoiManager.scanZoomFactor"] == 1.5
    assert scan.metadata["SI.hRoiManager.scanZoomFactor"] == 1.5
    assert "hRoiManager.scanZoomFactor" in scan.metadata
    assert "hRoiManager.nothing" not in scan.metadata
    assert all(name.startswith("SI.") for name in scan.metadata)
    with pytest.raises(KeyError):
        _ = scan.metadata["nothing"]
    assert "settings" in repr(scan.metadata)


def test_the_first_of_two_lines_counts() -> None:
    assert Header("SI.a = 1\nSI.b = 2\nSI.a = 3\n")["a"] == 1


def test_values_may_hold_equals_signs() -> None:
    assert Header("SI.a = 'b = c'\n")["a"] == "b = c"


@pytest.mark.parametrize("ends", ["\r", "\n", "\r\n"])
def test_legacy_lines_end_in_any_way(ends: str) -> None:
    header = Header(ends.join(["state.acq.frameRate=3.9", "state.acq.x='a=b'", ""]))
    assert header["acq.frameRate"] == 3.9
    assert header["acq.x"] == "a=b"


def test_json() -> None:
    header = Header('{"SI": {"a": {"b": "_NaN_", "c": [[1],[2]], "d": null}, "e": "-_Inf_", "f": [[1,2],[3,4]]}}')
    assert math.isnan(header["SI.a.b"])
    assert header["a.c"] == [1, 2]
    assert header["a.d"] == []
    assert header["e"] == -math.inf
    assert header["f"] == [[1, 2], [3, 4]]


@pytest.mark.parametrize("text", ["{", "[1,", '{"a": ' * 200_000, '{"a":' * 150 + "1" + "}" * 150])
def test_broken_json_is_a_header_error(text: str) -> None:
    with pytest.raises(HeaderError):
        parse_json(text)


def test_json_arrays_of_every_spelling() -> None:
    empty_array = '{"_ArrayType_": "double", "_ArraySize_": [1,0], "_ArrayData_": null}'
    assert parse_json(empty_array) == []
    assert parse_json(empty_array.replace('"_', '"x_')) == []
    assert listed(None) == []
    assert listed(3) == [3]
    assert listed([[0], [80]]) == [0, 80]
    assert listed({"a": 1}) == [{"a": 1}]


def test_one_number_or_many() -> None:
    assert integers(2) == [2]
    assert integers([1, 4]) == [1, 4]
    assert numbers([[1, 2], [3, 4]]) == [1, 2, 3, 4]
    assert math.isnan(numbers("x")[0])
    with pytest.raises(HeaderError):
        integers(1.5)
    with pytest.raises(HeaderError):
        integers("x")


def test_bytes_of_any_encoding_open(tmp_path: Path) -> None:
    (path,) = Recording(settings={"hUser.name": "Zoë"}).write(tmp_path)
    assert read_scan(path).metadata["hUser.name"] == "Zoë"
    data = path.read_bytes()
    path.write_bytes(data.replace("Zoë".encode(), b"Zo\xeb "))
    assert read_scan(path).metadata["hUser.name"].startswith("Zo")


def test_the_scanner_of_2015_stands_under_its_own_name() -> None:
    text = "SI.hLinScan.name = 'Lin'\nSI.hLinScan.x = 1\nSI.hResScan.name = 'Res'\nSI.hResScan.x = 2\nSI.imagingSystem = 'Res'\n"
    assert Header(text)["hScan2D.x"] == 2
    assert "hScan2D.y" not in Header(text)
