"""Checks that a file is still the one that was indexed."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from scanreader.errors import ChangedFileError, PathnameError
from scanreader.files.opening import open_file
from scanreader.files.urls import is_url

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile
    from scanreader.tiff.forms import Form
    from scanreader.tiff.runs import FileIndex, Run

HEAD = 16 << 10  # bytes that tell files with compressed pages apart: header or first pixels
STAMPED = 4096  # bytes of the first page that tell recordings apart: its description, with the time, and its pixels


def reopen(index: FileIndex) -> OpenFile:
    """Open a file again, and check that it is the one that was indexed.

    Raises
    ------
    ChangedFileError
        If it is not, or cannot be opened any more.
    """
    try:
        file = open_file(index.path, refresh=False)
    except PathnameError as error:
        raise ChangedFileError(f"after the recording was opened, {error}") from error
    # ScanImage appends pages, and marks the last one when it closes the file: earlier bytes do not change.
    same = (file.size, file.mtime_ns) == (index.size, index.mtime_ns)
    grown = not same and index.ending and file.size >= index.size and file.identity[1] == index.inode
    if same and not file.has_version and not index.runs:
        same = file_stamp(file) == index.stamp
    if (grown or (same and not file.has_version)) and index.runs:
        same = page_stamp(file, index.runs[0], index.form, index.stamp[0]) == index.stamp
    if not same:
        with file:
            raise ChangedFileError(
                f"{index.path!r} changed after it was opened: {_describe_change(index, file)}; open the recording again"
            )
    return file


def _describe_change(index: FileIndex, file: OpenFile) -> str:
    if file.size != index.size:
        return f"it had {index.size} bytes and has {file.size} now"
    if is_url(index.path):
        return "the server reports another version of it"
    return f"it was written to again, {(file.mtime_ns - index.mtime_ns) / 1e9:+.3f} s from the time before"


def file_stamp(file: OpenFile) -> tuple[int, int]:
    """Length and checksum of the start of a file."""
    data = file.read(0, HEAD)
    return len(data), zlib.crc32(data)


def page_stamp(file: OpenFile, run: Run, form: Form, length: int) -> tuple[int, int]:
    """Length and checksum of the first page: of the bytes after its IFD, with the time, and of its first pixels."""
    t = run.template
    ifd_size = max(0, t.start + t.next_at + t.flavour.offset_size)
    data = file.read(run.ifd + ifd_size, min(STAMPED, max(0, length - ifd_size)))
    pixels = file.read(run.ifd + t.pixels, min(form.nbytes, STAMPED))
    return length, zlib.crc32(pixels, zlib.crc32(data))
