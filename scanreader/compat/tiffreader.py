"""A replacement of Vidrio's ScanImageTiffReader: the pages of one file as a stack of shape (z, y, x)."""

from __future__ import annotations

import operator
import struct
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from scanreader.compat.refusals import FilenameError, IntervalError, PageNumberError
from scanreader.errors import ClosedScanError, ScanIndexError
from scanreader.scanimage.header import BLOCK_START, MAGIC
from scanreader.tiff.index import index_file
from scanreader.tiff.pages import Pages
from scanreader.tiff.reopening import reopen
from scanreader.version import __version__

if TYPE_CHECKING:
    import os
    from types import TracebackType


def api_version() -> str:
    """Return a sentence that names the version of this library."""
    return f"Version {__version__} by scanreader"


class ScanImageTiffReader:
    """Pages, descriptions and metadata of one ScanImage TIFF file, with the methods of Vidrio's reader.

    Where Vidrio's reader crashes (intervals out of bounds, use after `close`), this class raises an error. It also
    reads compressed, tiled and truncated files, which Vidrio's reader cannot.

    Parameters
    ----------
    filename : str or path

    Raises
    ------
    PathnameError
        If there is no such file.
    FilenameError
        If it is neither a text nor a path (also an AttributeError, as Vidrio's reader raises).
    FileFormatError
        If it is not a TIFF of integer images.
    """

    def __init__(self, filename: str | os.PathLike[str]) -> None:
        self._pages: Pages | None = None
        self.open(filename)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @staticmethod
    def api_version() -> str:
        """Return a sentence that names the version of this library."""
        return api_version()

    def open(self, filename: str | os.PathLike[str]) -> None:
        """Open a file in place of the current one; the constructor calls it."""
        self.close()
        if not isinstance(filename, str) and not hasattr(filename, "__fspath__"):
            raise FilenameError(f"the name of a file is a text or a pathlib.Path, not {filename!r}")
        self._pages = Pages((index_file(filename),))

    def close(self) -> None:
        """Close the file; closing it again has no effect."""
        self._pages = None

    def _open_pages(self) -> Pages:
        if self._pages is None:
            raise ClosedScanError("the reader was closed; open(filename) opens a file again")
        return self._pages

    def __len__(self) -> int:
        """Count the pages."""
        return len(self._open_pages())

    def shape(self) -> list[int]:
        """Return the shape of `data`: ``[z, y, x]``, or ``[y, x]`` if the file has one page."""
        form = self._open_pages().form
        return [*([len(self)] if len(self) > 1 else []), form.height, form.width]

    def dtype(self) -> np.dtype[Any]:
        """Return the dtype of `data`."""
        return self._open_pages().dtype

    def data(self, beg: int | None = None, end: int | None = None) -> npt.NDArray[Any]:
        """Read pages.

        Parameters
        ----------
        beg, end : int, optional
            The first page, and the one after the last; all pages by default.

        Returns
        -------
        array of shape (z, y, x)
            (y, x) if the file has one page and no interval is given.

        Raises
        ------
        IntervalError
            If the interval is not inside the file (also an IndexError and a ValueError).
        PageNumberError
            If `beg` or `end` is not an integer (also a TypeError).
        """
        pages, count = self._open_pages(), len(self)
        first_page, end_page = 0 if beg is None else _page_number(beg), count if end is None else _page_number(end)
        if not 0 <= first_page <= end_page <= count:
            raise IntervalError(f"the interval from {first_page} to {end_page} is not inside the file's {count} pages")
        form = pages.form
        pixels = np.empty((end_page - first_page, form.height, form.width), pages.dtype)
        pages.read(np.arange(first_page, end_page), range(form.height), range(form.width), pixels)
        return pixels[0] if count == 1 and beg is None and end is None else pixels

    def description(self, iframe: int) -> str:
        """Return the ImageDescription of a page.

        Raises
        ------
        ScanIndexError
            If there is no such page (also an IndexError).
        PageNumberError
            If it is not an integer (also a TypeError and a ctypes.ArgumentError).
        """
        number = _page_number(iframe)
        if not 0 <= number < len(self):
            raise ScanIndexError("iframe out of bounds.  Must be between 0 and len(self)-1, inclusive.")
        return _text(self._open_pages().descriptions(np.array([number]))[0])

    def descriptions(self) -> list[str]:
        """Return the ImageDescriptions of all pages, like the reader for MATLAB."""
        return [_text(data) for data in self._open_pages().descriptions(np.arange(len(self)))]

    def metadata(self) -> str:
        """Return the header and the ROIs: two texts separated by an empty line, or one JSON object.

        '' if the file has no metadata block, as before late 2015.
        """
        (index,) = self._open_pages().files
        with reopen(index) as file:
            start = file.read(0, BLOCK_START + 16)
            if len(start) < BLOCK_START + 16 or start[2:4] != b"\x2b\x00":
                return ""
            magic, _, header_size, roi_size = struct.unpack("<4I", start[BLOCK_START:])
            if magic != MAGIC or BLOCK_START + 16 + header_size + roi_size > file.size:
                return ""
            texts = file.read(BLOCK_START + 16, header_size + roi_size)
        header, rois = _text(texts[:header_size]), _text(texts[header_size:])
        if header[:1] == "{" and rois[:1] == "{":
            return f"{header[: header.rfind('}')]},{rois[1 : rois.rfind('}') + 1]}"
        return f"{header}\n{rois}" if rois else header


def _page_number(value: Any) -> int:
    """Give the number of a page.

    Raises
    ------
    PageNumberError
        If it is not an integer.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise PageNumberError(f"the number of a page is an integer, not {value!r}") from None


def _text(data: bytes) -> str:
    """Text up to the first NUL, in UTF-8."""
    return data.split(b"\0", 1)[0].decode("utf-8", errors="replace")
