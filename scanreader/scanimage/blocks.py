"""The header that ScanImage wrote into a file, found wherever the release put it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from scanreader.errors import ScanReaderError
from scanreader.scanimage.header import BLOCK_START, MAGIC, Block, decode
from scanreader.tiff.descriptions import read_tag
from scanreader.tiff.ifd import ARTIST, DESCRIPTION, SOFTWARE, read_text
from scanreader.tiff.index import index_file
from scanreader.tiff.reopening import reopen

if TYPE_CHECKING:
    import os

    from scanreader.tiff.runs import FileIndex

KNOWN_BLOCKS = (3, 4)
_HEAD = BLOCK_START + 16
SPACE = 100  # bytes, in which JSON that was appended begins
CHANGING = ("state.internal.", "state.motor.")  # settings of 3.x that hold the time and place of each file


def read_block(index: FileIndex) -> Block | None:
    """Find the header of a file; None if ScanImage did not write it.

    It stands in a block at byte 16 (since late 2015); where that is missing, in the Software and Artist tags;
    in older releases in the ImageDescription of every page, with ROIs behind the last page.
    """
    return _from_start(index) or _from_tags(index) or _from_description(index)


def may_be_scanimage(start: bytes) -> bool:
    """Whether ScanImage seems to have written a file that begins with some bytes, though it cannot be opened."""
    magic = struct.pack("<I", MAGIC)
    return start[BLOCK_START : BLOCK_START + 4] == magic or any(word in start for word in (b"scanimage.SI", b"state."))


def is_scanimage(path: str | os.PathLike[str]) -> bool:
    """Whether ScanImage wrote a file."""
    try:
        return read_block(index_file(path)) is not None
    except ScanReaderError:
        return False


def _from_start(index: FileIndex) -> Block | None:
    with reopen(index) as file:
        start = file.read(0, _HEAD)
        if len(start) < _HEAD or start[2:4] != b"\x2b\x00":
            return None
        magic, version, header_size, roi_size = struct.unpack("<4I", start[BLOCK_START:])
        if magic != MAGIC or _HEAD + header_size + roi_size > file.size:
            return None
        header, rois = read_text(file, _HEAD, header_size), read_text(file, _HEAD + header_size, roi_size)
    return _block_of(header, rois, version)


def _from_tags(index: FileIndex) -> Block | None:
    return _block_of(read_tag(index, 0, SOFTWARE), read_tag(index, 0, ARTIST), None)


def _block_of(header: bytes, rois: bytes, version: int | None) -> Block | None:
    text = decode(header)
    if not text.startswith("SI.") and not (text.lstrip().startswith("{") and "VERSION_MAJOR" in text):
        return None
    return Block(text, decode(rois), version)


def _from_description(index: FileIndex) -> Block | None:
    text = decode(read_tag(index, 0, DESCRIPTION))
    if not text.startswith("state.") and "scanimage.SI" not in text:
        return None
    return Block(text, _appended_rois(index), None)


def _appended_rois(index: FileIndex) -> str:
    """ROIs behind the last page: their length stands in the file's last 4 bytes (5.1 and 2015.0 to 2015.3).

    The first of these releases wrote bytes that only MATLAB can read.
    """
    with reopen(index) as file:
        length = struct.unpack("<I", file.read(file.size - 4, 4))[0]
        if not 2 <= length <= file.size - 4:
            return ""
        if file.read(file.size - 4 - length, min(length, SPACE)).lstrip()[:1] != b"{":
            return ""
        return decode(read_text(file, file.size - 4 - length, length))


def recording_digest(block: Block) -> bytes:
    """Return a digest of what is equal in the headers of all files of one recording.

    The block since 2015.4 is; older releases write the settings into each description, behind the frame's own
    lines. The settings of 3.x hold the time at which each file was begun.
    """
    text = block.text + block.rois
    if block.text.startswith("state.") or "scanimage.SI" in block.text:
        lines = block.text.replace("\r", "\n").split("\n")
        kept_lines = (
            line for line in lines if line.startswith(("scanimage.", "state.")) and not line.startswith(CHANGING)
        )
        text = "\n".join(kept_lines)
    return _digest(text)


def block_digest(block: Block) -> bytes:
    """Return a digest of a header as it stands: it tells whether it is still the same."""
    return _digest(f"{block.text}\0{block.rois}")


def _digest(text: str) -> bytes:
    from hashlib import sha256  # noqa: PLC0415 - it brings OpenSSL, which takes 3 ms

    return sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
