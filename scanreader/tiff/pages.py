"""The pages of all files of a recording, numbered from 0 across the files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.errors import DamagedPageError, FileFormatError, ScanReaderError, UnreachableError
from scanreader.keys import fixed
from scanreader.tiff.checking import StrayPageError, check_pages, read_spans, sound_of_run
from scanreader.tiff.copying import read_mapped, read_run
from scanreader.tiff.crops import find_crop
from scanreader.tiff.decoding import decode_pages
from scanreader.tiff.descriptions import read_descriptions, read_descriptions_or_none
from scanreader.tiff.index import index_by_chain
from scanreader.tiff.maps import KeptMaps
from scanreader.tiff.reopening import reopen
from scanreader.tiff.runs import group_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.keys import IndexArray
    from scanreader.tiff.crops import Crop
    from scanreader.tiff.forms import Form
    from scanreader.tiff.runs import FileIndex

# Tuned on a 2-core machine, warm cache, 512 x 512 int16 pages; see benchmarks/.
FEW_BYTES = 4 << 20  # that a thread copies at a time at least; less is not worth a thread
MOST_BYTES = 128 << 20  # and at most: a cold disk takes 1.2 times as long with pieces of 32 MiB, 2.3 with 16 MiB
THREADS = min(os.cpu_count() or 1, 8)
MOST_PAGES = 4096  # whose IFDs a thread checks at a time: 1024 makes a trace slower, 8192 holds more memory


class BytePlaces(NamedTuple):
    """Where the pixels of a field stand in the files."""

    files: IndexArray
    """Number of the file, of shape (frames, channels)."""
    offsets: IndexArray
    """Byte of the field's first pixel in it, of shape (frames, channels)."""
    row_bytes: int
    """Bytes from one row to the next."""
    whole_rows: bool
    """Whether rows follow each other without a gap."""
    dtype: np.dtype[Any]
    """In the files' byte order."""


@dataclass(frozen=True)
class Pages:
    """The pages of the files of a recording, in order."""

    files: tuple[FileIndex, ...]
    fill: float | None = None
    """What pixels of pages that cannot be read are; None if they are an error."""
    _kept: KeptMaps = field(default_factory=KeptMaps, init=False, repr=False, compare=False)

    @property
    def form(self) -> Form:
        """Height, width and dtype of every page."""
        return self.files[0].form

    @property
    def dtype(self) -> np.dtype[Any]:
        """The pixels' dtype, in this machine's byte order."""
        return np.dtype(self.form.dtype).newbyteorder("=")

    @cached_property
    def starts(self) -> IndexArray:
        """Number of each file's first page, and at the end the number of all pages."""
        numbers = np.cumsum([0, *(file.num_pages for file in self.files)], dtype=np.int64)
        return fixed(numbers)  # it is handed out

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __reduce__(self) -> tuple[type[Pages], tuple[tuple[FileIndex, ...], float | None]]:
        return type(self), (self.files, self.fill)

    def release(self) -> None:
        """Let go of the maps, and keep none from now on; a read that goes on drops its own at its end."""
        self._kept.release()

    def read(
        self,
        numbers: IndexArray,
        rows: range | IndexArray,
        columns: range | IndexArray,
        out: npt.NDArray[Any],
        notes: list[str] | None = None,
    ) -> None:
        """Copy rows and columns of pages into an array.

        Parameters
        ----------
        numbers : int array of shape (pages,)
            The pages, in any order.
        rows, columns : range or int array
            What to take of each page.
        out : array of shape (pages, rows, columns)
            Where to put it.
        notes : list of str, optional
            Where sentences go of what is noticed: pages that are filled, a chain of IFDs that is damaged.

        Raises
        ------
        DamagedPageError
            If a page's IFD is not what the file's index says, or its bytes cannot be read.
        ChangedFileError
            If a file is not the one that was opened.
        """
        if not out.size:
            return
        crop = find_crop(rows, columns, self.form)
        share = min(MOST_BYTES, max(FEW_BYTES, out.nbytes // THREADS))
        jobs = self._jobs(numbers, share * len(numbers) // out.nbytes)
        lost: list[str] = []
        tasks = [
            (self.fill, lost, self.files[file], pages, crop, out[part], self._kept, notes) for file, pages, part in jobs
        ]
        if len(tasks) == 1 or THREADS == 1:
            for task in tasks:
                _read_or_fill(*task)
        else:
            with ThreadPoolExecutor(min(len(tasks), THREADS)) as pool:
                for done in [pool.submit(_read_or_fill, *task) for task in tasks]:
                    done.result()
        if lost and notes is not None:
            notes.append(
                f"{len(lost)} page{'s' if len(lost) > 1 else ''} cannot be read and {'are' if len(lost) > 1 else 'is'} "
                f"filled with {self.fill}: {lost[0]}"
            )

    def _jobs(self, numbers: IndexArray, most: int) -> Iterator[tuple[int, IndexArray, slice]]:
        """Cut a request into pieces of one file and about so many pages each."""
        step = min(max(1, most), MOST_PAGES)
        for file, a, b in group_pages(numbers, self.starts[:-1]):
            for start in range(a, b, step):
                part = slice(start, min(b, start + step))
                yield file, numbers[part] - self.starts[file], part

    def descriptions(
        self, numbers: IndexArray, limit: int | None = None, notes: list[str] | None = None
    ) -> list[bytes]:
        """Return the ImageDescriptions of pages, at most `limit` bytes of each; b'' where there is none.

        Sentences of what is noticed go to `notes`.

        Raises
        ------
        DamagedPageError
            If a page's IFD is not what the file's index says.
        ChangedFileError
            If a file is not the one that was opened.
        """
        found: list[bytes] = []
        for file, a, b in group_pages(numbers, self.starts[:-1]):
            read = read_descriptions if self.fill is None else read_descriptions_or_none
            found += read(self.files[file], numbers[a:b] - self.starts[file], limit, notes)
        return found

    def places(self, numbers: IndexArray, notes: list[str] | None = None) -> tuple[IndexArray, IndexArray]:
        """Find the bytes of pages; each page is compared with its IFD.

        Parameters
        ----------
        numbers : int array of shape (pages,)
        notes : list of str, optional
            Where sentences go of what is noticed: a chain of IFDs that is damaged.

        Returns
        -------
        files : int array of shape (pages,)
            Which file each is in.
        offsets : int array of shape (pages,)
            At which of its bytes the pixels begin.

        Raises
        ------
        FileFormatError
            If pages do not stand plainly in a file.
        DamagedPageError
            If a page's IFD is not what the file's index says.
        ChangedFileError
            If a file is not the one that was opened.
        """
        files, offsets = np.empty_like(numbers), np.empty_like(numbers)
        for file, pages, part in self._jobs(numbers, MOST_PAGES):
            files[part], offsets[part] = file, _pixels_at(self.files[file], pages, notes)
        return files, offsets

    def odd_pages(self) -> Iterator[tuple[str, list[int], str, str]]:
        """Look at the IFD of every page.

        Yields
        ------
        path : str
            A file with pages that are not as its index says.
        pages : list of int
            Their numbers in the file.
        why : str
            Why they cannot be read; '' if they can, by the chain of IFDs.
        mended : str
            What is wrong with that chain; '' if nothing is.
        """
        for index in self.files:
            odd: list[int] = []
            try:
                with reopen(index) as file:
                    data = file.map()
                    for run in index.runs:
                        for start in range(0, run.length, MOST_PAGES):
                            pages = np.arange(start, min(run.length, start + MOST_PAGES))
                            good = sound_of_run(run, pages, read_spans(file, data, run, pages))
                            odd += (run.page + pages[~good]).tolist()
                if odd:
                    walked = index_by_chain(index, odd[0], None)
                    yield index.path, odd, "", walked.damage
            except UnreachableError:
                raise
            except ScanReaderError as error:
                yield index.path, odd, str(error), ""


def _read_or_fill(
    fill: float | None,
    lost: list[str],
    index: FileIndex,
    pages: IndexArray,
    crop: Crop,
    out: npt.NDArray[Any],
    kept: KeptMaps,
    notes: list[str] | None,
) -> None:
    """Copy a crop of pages of one file; those that cannot be read are filled, if asked, and put down in `lost`."""
    try:
        _read_file(index, pages, crop, out, kept, notes)
    except DamagedPageError as error:
        if fill is None:
            raise
        if len(pages) == 1:
            out[...] = fill
            lost.append(str(error))
            return
        middle = len(pages) // 2
        for part in (slice(None, middle), slice(middle, None)):
            _read_or_fill(fill, lost, index, pages[part], crop, out[part], kept, notes)


def _read_file(
    index: FileIndex,
    pages: IndexArray,
    crop: Crop,
    out: npt.NDArray[Any],
    kept: KeptMaps,
    notes: list[str] | None,
) -> None:
    """Copy a crop of pages of one file, run by run."""
    if not index.runs:
        decode_pages(index, pages, crop, out)
        return
    with reopen(index) as file:
        data = kept.map(file, keep=not index.ending) if crop.is_thin else None
        for which, a, b in group_pages(pages, [run.page for run in index.runs]):
            run = index.runs[which]
            try:
                if data is None:
                    read_run(file, index.form, run, pages[a:b] - run.page, crop, out[a:b])
                else:
                    read_mapped(data, index.form, run, pages[a:b] - run.page, crop, out[a:b])
            except StrayPageError as error:
                walked = index_by_chain(index, run.page + error.page, notes)
                _read_file(walked, pages[a:b], crop, out[a:b], kept, notes)


def _pixels_at(index: FileIndex, pages: IndexArray, notes: list[str] | None) -> IndexArray:
    """The byte at which the pixels of each page begin."""
    if not index.runs:
        raise FileFormatError(
            f"the pages of {index.path!r} are not plain pixels in it: they are compressed or in scattered strips"
        )
    offsets = np.empty_like(pages)
    with reopen(index) as file:
        data = file.map()
        for which, a, b in group_pages(pages, [run.page for run in index.runs]):
            run = index.runs[which]
            here = pages[a:b] - run.page
            try:
                check_pages(run, here, read_spans(file, data, run, here))
            except StrayPageError as error:
                offsets[a:b] = _pixels_at(index_by_chain(index, run.page + error.page, notes), pages[a:b], notes)
            else:
                offsets[a:b] = run.ifd + here * run.stride + run.template.pixels
    return offsets
