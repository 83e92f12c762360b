"""Whether a file is still the one that was indexed."""

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

HEAD = 16 << 10  # bytes that tell files apart whose pages are packed: of the header or the first pixels
STAMPED = 4096  # bytes of the first page that tell recordings apart: its description, with the clock, and its pixels


def reopen(index: FileIndex) -> OpenFile:
    """Open a file again and see that it is the one that was indexed."""
    try:
        file = open_file(index.path, anew=False)
    except PathnameError as error:
        raise ChangedFileError(f"after the recording was opened, {error}") from error
    # ScanImage appends pages, and marks the last when it closes the file: what was there stays as it was.
    same = (file.size, file.mtime_ns) == (index.size, index.mtime_ns)
    grown = not same and index.ending and file.size >= index.size and file.identity[1] == index.inode
    if same and not file.has_version and not index.runs:
        same = file_stamp(file) == index.stamp
    if (grown or (same and not file.has_version)) and index.runs:
        same = page_stamp(file, index.runs[0], index.form, index.stamp[0]) == index.stamp
    if not same:
        with file:
            raise ChangedFileError(
                f"{index.path!r} changed after it was opened: {_changed(index, file)}; open the recording again"
            )
    return file


def _changed(index: FileIndex, file: OpenFile) -> str:
    if file.size != index.size:
        return f"it had {index.size} bytes and has {file.size}"
    if is_url(index.path):
        return "the server says another time or mark of it"
    return f"it was written to {(file.mtime_ns - index.mtime_ns) / 1e9:+.3f} s from when it had been"


def file_stamp(file: OpenFile) -> tuple[int, int]:
    """Length and checksum of how a file begins."""
    data = file.read(0, HEAD)
    return len(data), zlib.crc32(data)


def page_stamp(file: OpenFile, run: Run, form: Form, length: int) -> tuple[int, int]:
    """Length and checksum of the first page: what stands behind its IFD, with the clock, and its first pixels."""
    t = run.template
    behind = max(0, t.start + t.next_at + int(t.word[2]))
    data = file.read(run.ifd + behind, min(STAMPED, max(0, length - behind)))
    pixels = file.read(run.ifd + t.pixels, min(form.nbytes, STAMPED))
    return length, zlib.crc32(pixels, zlib.crc32(data))
