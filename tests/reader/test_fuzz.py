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

FOUND_FILES = sorted((Path(__file__).parents[1] / "fuzz" / "found").glob("*.tif"))
NUMBERS = (0, 1, 2, 8, 255, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1)
WORDS = (b"Inf", b"NaN", b"-1", b"0", b"1e30", b"[", b"{", b"'", b"true", b"[]", b"[1 2 3]", b"null", b'"', b"9" * 20)


def other_byte(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] = draw.randrange(256)


def other_number(data: bytearray, draw: random.Random) -> None:
    code = draw.choice("BHIQ")
    size = struct.calcsize(code)
    offset = draw.randrange(max(1, len(data) - size))
    if offset + size <= len(data):
        struct.pack_into(f"<{code}", data, offset, draw.choice((*NUMBERS, len(data), offset)) % (1 << 8 * size))


def other_value(data: bytearray, draw: random.Random) -> None:
    offset = data.find(draw.choice((b"= ", b": ")), draw.randrange(len(data)))
    end = data.find(b"\n", offset)
    if 0 <= offset < end:
        word = draw.choice(WORDS)
        data[offset + 2 : end] = word.ljust(end - offset - 2)[: max(len(word), end - offset - 2)]


def cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def remove_bytes(data: bytearray, draw: random.Random) -> None:
    offset = draw.randrange(len(data))
    del data[offset : offset + draw.choice((1, 8, 100, 1000))]


def move_bytes(data: bytearray, draw: random.Random) -> None:
    start, target, size = draw.randrange(len(data)), draw.randrange(len(data)), draw.choice((4, 8, 20, 100))
    data[target : target + size] = data[start : start + size]


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    other_byte,
    other_number,
    other_value,
    cut,
    remove_bytes,
    move_bytes,
)


@pytest.mark.parametrize("path", FOUND_FILES, ids=lambda path: path.stem)
def test_what_a_fuzzer_found(tmp_path: Path, path: Path) -> None:
    copy = tmp_path / "fuzzed_00001.tif"
    copy.write_bytes(path.read_bytes())
    exercise(copy)


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")
def test_mutated_recordings(tmp_path: Path, count: int) -> None:
    draw = random.Random(count)
    kinds = [data for _, data in seeds()]
    path = tmp_path / "fuzzed_00001.tif"
    for number in range(count):
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
