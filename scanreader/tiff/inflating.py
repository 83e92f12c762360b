"""Decompresses bytes up to a size, whatever they would inflate to."""

from __future__ import annotations

import importlib
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_MEMORY = 256 << 20  # bytes that a dictionary of LZMA may take


class TooLargeError(ValueError):
    """Bytes inflate to more than they should."""


def inflate(kind: int, data: bytes, size: int) -> bytes:
    """Decompress bytes that should become no more than `size`.

    Parameters
    ----------
    kind : int
        The value of a TIFF's tag Compression: one of `INFLATE`.

    Raises
    ------
    TooLargeError
        If they become more.
    ValueError
        If they are damaged.
    """
    result = INFLATE[kind](data, size + 1)
    if len(result) > size:
        raise TooLargeError(f"{len(data)} bytes inflate to more than {size}")
    return result


def _inflate_zlib(data: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, size)
    except zlib.error as error:
        raise ValueError(str(error)) from None


def _inflate_lzma(data: bytes, size: int) -> bytes:
    import lzma  # noqa: PLC0415 - rare, and missing in some builds of Python

    try:
        return lzma.LZMADecompressor(memlimit=MOST_MEMORY).decompress(data, size)
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(str(error)) from None


def _inflate_zstd(data: bytes, size: int) -> bytes:
    zstd: Any = importlib.import_module("compression.zstd")  # since Python 3.14, as in tifffile
    try:
        return bytes(zstd.ZstdDecompressor().decompress(data, size))
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from None


def _inflate_packbits(data: bytes, size: int) -> bytes:
    result = bytearray()
    at = 0
    while at < len(data) and len(result) < size:
        count, at = data[at], at + 1
        if count < 128:
            result += data[at : at + count + 1]
            at += count + 1
        elif count > 128:
            result += data[at : at + 1] * (257 - count)
            at += 1
    return bytes(result)


INFLATE: dict[int, Callable[[bytes, int], bytes]] = {
    8: _inflate_zlib,
    32946: _inflate_zlib,
    50013: _inflate_zlib,
    34925: _inflate_lzma,
    34926: _inflate_zstd,
    50000: _inflate_zstd,
    32773: _inflate_packbits,
}


def jpeg_shape(data: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG; None if it does not say."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
