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
STAMPED_TEXT = 16 << 10  # bytes after the first IFD that tell recordings apart: the description, with the time
STAMPED_PIXELS = 4096  # bytes of the first page's pixels that do so where the description holds no time


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
    if not _is_same(index, file):
        with file:
            raise ChangedFileError(
                f"{index.path!r} changed after it was opened: {_describe_change(index, file)}; open the recording again"
            )
    return file


def _is_same(index: FileIndex, file: OpenFile) -> bool:
    """Whether a file is the one that was indexed, or has grown since."""
    is_same_inode = file.identity[1] == index.inode
    if (file.size, file.mtime_ns) == (index.size, index.mtime_ns):
        # A copy may have the size and time of another recording, and the inode of a file that was removed. An equal
        # copy, and a share that numbers its files anew, are told from that by the first page.
        if file.has_version and is_same_inode and file.ctime_ns == index.ctime_ns:
            return True
    # ScanImage appends pages, and marks the last one when it closes the file: earlier bytes do not change.
    elif not (index.runs and index.ending and file.size >= index.size and is_same_inode):
        return False
    if not index.runs:
        return file_stamp(file) == index.stamp
    return page_stamp(file, index.runs[0], index.form, index.stamp[0]) == index.stamp


def _describe_change(index: FileIndex, file: OpenFile) -> str:
    if file.size != index.size:
        return f"it had {index.size} bytes and has {file.size} now"
    if is_url(index.path):
        return "the server reports another version of it"
    if file.mtime_ns == index.mtime_ns:
        return "another file of the same size and time of change has taken its place"
    return f"it was written to again, {(file.mtime_ns - index.mtime_ns) / 1e9:+.3f} s from the time before"


def file_stamp(file: OpenFile) -> tuple[int, int]:
    """Length and checksum of the start of a file."""
    data = file.read(0, HEAD)
    return len(data), zlib.crc32(data)


def page_stamp(file: OpenFile, run: Run, form: Form, length: int) -> tuple[int, int]:
    """Length and checksum of the first page: of the bytes after its IFD, with the time, and of its first pixels."""
    t = run.template
    data = file.read(run.ifd + t.ifd_size, min(STAMPED_TEXT, max(0, length - t.ifd_size)))
    pixels = file.read(run.ifd + t.pixels, min(form.nbytes, STAMPED_PIXELS))
    return length, zlib.crc32(pixels, zlib.crc32(data))
