"""Inputs that a fuzzer found, and a short run of mutations: nothing comes but our own errors."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))
from exercise import exercise, seeds

FOUND = sorted((Path(__file__).parents[1] / "fuzz" / "found").glob("*.tif"))
NUMBERS = (0, 1, 2, 8, 255, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1)
WORDS = (b"Inf", b"NaN", b"-1", b"0", b"1e30", b"[", b"{", b"'", b"true", b"[]", b"[1 2 3]", b"null", b'"', b"9" * 20)


def other_byte(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] = draw.randrange(256)


def other_number(data: bytearray, draw: random.Random) -> None:
    code = draw.choice("BHIQ")
    size = struct.calcsize(code)
    at = draw.randrange(max(1, len(data) - size))
    if at + size <= len(data):
        struct.pack_into(f"<{code}", data, at, draw.choice((*NUMBERS, len(data), at)) % (1 << 8 * size))


def other_value(data: bytearray, draw: random.Random) -> None:
    at = data.find(draw.choice((b"= ", b": ")), draw.randrange(len(data)))
    end = data.find(b"\n", at)
    if 0 <= at < end:
        word = draw.choice(WORDS)
        data[at + 2 : end] = word.ljust(end - at - 2)[: max(len(word), end - at - 2)]


def cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def less(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    del data[at : at + draw.choice((1, 8, 100, 1000))]


def moved(data: bytearray, draw: random.Random) -> None:
    at, to, size = draw.randrange(len(data)), draw.randrange(len(data)), draw.choice((4, 8, 20, 100))
    data[to : to + size] = data[at : at + size]


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    other_byte,
    other_number,
    other_value,
    cut,
    less,
    moved,
)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_a_fuzzer_found(tmp_path: Path, path: Path) -> None:
    copy = tmp_path / "fuzzed_00001.tif"
    copy.write_bytes(path.read_bytes())
    exercise(copy)


@pytest.mark.parametrize("many", [300, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")
def test_mutated_recordings(tmp_path: Path, many: int) -> None:
    draw = random.Random(many)
    kinds = [data for _, data in seeds()]
    path = tmp_path / "fuzzed_00001.tif"
    for number in range(many):
        data = bytearray(draw.choice(kinds))
        for _ in range(draw.choice((1, 1, 2, 4))):
            draw.choice(MUTATIONS)(data, draw) if data else None
        path.write_bytes(data)
        try:
            exercise(path)
        except Exception as error:
            keep = tmp_path / f"failed_{number}.tif"
            keep.write_bytes(data)
            raise AssertionError(f"input {number}, kept as {keep}") from error
