"""A limit to the number of pages that are followed one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanreader.errors import FileFormatError

if TYPE_CHECKING:
    from scanreader.files.local import OpenFile

MANY = 10_000  # pages, before it matters how small they are
SMALL = 128  # bytes; the tags alone of a page that any program wrote take more


def refuse_tiny_pages(file: OpenFile, count: int) -> None:
    """Check that a file has room for the pages that were counted: to follow a page takes as long as to read 100 KB.

    Raises
    ------
    FileFormatError
        If their tags and pixels must be smaller than those of any recording.
    """
    if count > MANY and count * SMALL > file.size:
        raise FileFormatError(
            f"{file.path!r} claims more than {count - 1} pages in {file.size} bytes: they would be smaller than the "
            "tags of a recording's page"
        )
