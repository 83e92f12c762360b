"""The pages of all files of a recording, numbered from 0 across the files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scanreader.errors import FileFormatError, ScanReaderError, UnreachableError
from scanreader.keys import read_only_copy
from scanreader.tiff.checking import check_pages, find_matching, read_around_damage, read_spans
from scanreader.tiff.copying import read_mapped, read_run
from scanreader.tiff.crops import find_crop
from scanreader.tiff.decoding import decode_pages
from scanreader.tiff.descriptions import read_descriptions, read_descriptions_or_none
from scanreader.tiff.index import index_by_chain, read_by_runs
from scanreader.tiff.maps import KeptMaps
from scanreader.tiff.reopening import reopen
from scanreader.tiff.runs import group_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from scanreader.keys import IndexArray
    from scanreader.tiff.crops import Crop
    from scanreader.tiff.forms import Form
    from scanreader.tiff.runs import FileIndex, Run

# Tuned on a 2-core machine, warm cache, 512 x 512 int16 pages; see benchmarks/.
MIN_BYTES = 4 << 20  # that a thread copies at a time; less is not worth a thread
MOST_BYTES = 128 << 20  # of the same: a cold disk takes 1.2 times as long with pieces of 32 MiB, 2.3 with 16 MiB
THREADS = min(os.cpu_count() or 1, 8)
MOST_PAGES = 4096  # whose IFDs a thread checks at a time: 1024 makes a trace slower, 8192 takes more memory


class BytePlaces(NamedTuple):
    """Where the pixels of a field are in the files."""

    files: IndexArray
    """Index of the file, of shape (frames, channels)."""
    offsets: IndexArray
    """Position of the field's first pixel in that file, in bytes from its start; of shape (frames, channels)."""
    row_bytes: int
    """Bytes from one row to the next."""
    whole_rows: bool
    """Whether rows follow each other without a gap."""
    dtype: np.dtype[Any]
    """In the files' byte order."""


class OddPages(NamedTuple):
    """Pages of a file that are not where its index says."""

    path: str
    pages: list[int]
    """Their numbers in the file."""
    error: str
    """Why they cannot be read; '' if they can, by following the chain of IFDs."""
    damage: str
    """What is wrong with that chain; '' if nothing is."""


class _Job(NamedTuple):
    """A crop of pages of one file, to be copied into an array."""

    file_index: FileIndex
    pages: IndexArray
    """Their numbers in the file."""
    crop: Crop
    out: npt.NDArray[Any]

    def part(self, places: slice) -> _Job:
        return self._replace(pages=self.pages[places], out=self.out[places])


@dataclass(frozen=True)
class Pages:
    """The pages of the files of a recording, in order."""

    files: tuple[FileIndex, ...]
    fill: float | None = None
    """Value of the pixels of pages that cannot be read; None if those raise an error."""
    _maps: KeptMaps = field(default_factory=KeptMaps, init=False, repr=False, compare=False)

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
        """Number of the first page of each file, and at the end the number of pages."""
        numbers = np.cumsum([0, *(file.num_pages for file in self.files)], dtype=np.int64)
        return read_only_copy(numbers)  # users see it

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __reduce__(self) -> tuple[type[Pages], tuple[tuple[FileIndex, ...], float | None]]:
        return type(self), (self.files, self.fill)

    def release(self) -> None:
        """Release the memory maps, and keep none from now on; a read in progress releases its own when done."""
        self._maps.release()

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
            Page numbers, in any order.
        rows, columns : range or int array
            What to take of each page.
        out : array of shape (pages, rows, columns)
            Array to fill.
        notes : list of str, optional
            Sentences about filled pages and a damaged chain of IFDs are appended to it.

        Raises
        ------
        DamagedPageError
            If the IFD of a page does not agree with the file's index, or its bytes cannot be read.
        ChangedFileError
            If a file is not the one that was opened.
        """
        if not out.size:
            return
        crop = find_crop(rows, columns, self.form)
        share = min(MOST_BYTES, max(MIN_BYTES, out.nbytes // THREADS))
        parts = self._split(numbers, share * len(numbers) // out.nbytes)
        jobs = [_Job(self.files[file], pages, crop, out[part]) for file, pages, part in parts]
        errors: list[str] = []
        if len(jobs) == 1 or THREADS == 1:
            for job in jobs:
                self._read_or_fill(job, errors, notes)
        else:
            with ThreadPoolExecutor(min(len(jobs), THREADS)) as pool:
                for future in [pool.submit(self._read_or_fill, job, errors, notes) for job in jobs]:
                    future.result()
        if errors and notes is not None:
            is_plural = len(errors) > 1
            notes.append(
                f"{len(errors)} page{'s' if is_plural else ''} cannot be read and {'are' if is_plural else 'is'} "
                f"filled with {self.fill}: {errors[0]}"
            )

    def _read_or_fill(self, job: _Job, errors: list[str], notes: list[str] | None) -> None:
        """Do a job; if pages are to be filled where they cannot be read, append why to `errors`."""
        if self.fill is None:
            _read_job(job, self._maps, notes)
            return

        def read(places: slice) -> None:
            _read_job(job.part(places), self._maps, notes)

        for place, error in read_around_damage(read, 0, len(job.pages)):
            job.out[place] = self.fill
            errors.append(str(error))

    def _split(self, numbers: IndexArray, max_pages: int) -> Iterator[tuple[int, IndexArray, slice]]:
        """Split a request into parts of one file: its index, pages of it, and their places in the request."""
        step = min(max(1, max_pages), MOST_PAGES)
        for file, a, b in group_pages(numbers, self.starts[:-1]):
            for start in range(a, b, step):
                part = slice(start, min(b, start + step))
                yield file, numbers[part] - self.starts[file], part

    def descriptions(
        self, numbers: IndexArray, limit: int | None = None, notes: list[str] | None = None
    ) -> list[bytes]:
        """Return the ImageDescriptions of pages, at most `limit` bytes of each; b'' if a page has none.

        Notes are appended to `notes`.

        Raises
        ------
        DamagedPageError
            If the IFD of a page does not agree with the file's index.
        ChangedFileError
            If a file is not the one that was opened.
        """
        read_texts = read_descriptions if self.fill is None else read_descriptions_or_none
        texts: list[bytes] = []
        for file, a, b in group_pages(numbers, self.starts[:-1]):
            texts += read_texts(self.files[file], numbers[a:b] - self.starts[file], limit, notes)
        return texts

    def places(self, numbers: IndexArray, notes: list[str] | None = None) -> tuple[IndexArray, IndexArray]:
        """Find the pixels of pages in the files; each page is compared with its IFD.

        Parameters
        ----------
        numbers : int array of shape (pages,)
        notes : list of str, optional
            Sentences about a damaged chain of IFDs are appended to it.

        Returns
        -------
        files : int array of shape (pages,)
            Index of the file of each page.
        offsets : int array of shape (pages,)
            Byte in that file of the first pixel.

        Raises
        ------
        FileFormatError
            If the pixels of pages are not plain bytes of a file.
        DamagedPageError
            If the IFD of a page does not agree with the file's index.
        ChangedFileError
            If a file is not the one that was opened.
        """
        files, offsets = np.empty_like(numbers), np.empty_like(numbers)
        for file, pages, part in self._split(numbers, MOST_PAGES):
            files[part], offsets[part] = file, _pixels_at(self.files[file], pages, notes)
        return files, offsets

    def odd_pages(self) -> Iterator[OddPages]:
        """Check the IFD of every page; yields the files that have pages that are not where the index says."""
        for index in self.files:
            odd_pages: list[int] = []
            try:
                odd_pages += _odd_pages(index)
                if odd_pages:
                    chain_index = index_by_chain(index, odd_pages[0], None)
                    for page in _odd_pages(chain_index):
                        index_by_chain(chain_index, page, None)
                    yield OddPages(index.path, odd_pages, "", chain_index.damage)
            except UnreachableError:
                raise
            except ScanReaderError as error:
                yield OddPages(index.path, odd_pages, str(error), "")


def _odd_pages(index: FileIndex) -> list[int]:
    """Find the pages of a file that are not where its index says."""
    odd_pages: list[int] = []
    with reopen(index) as file:
        data = file.map()
        for run in index.runs:
            for start in range(0, run.length, MOST_PAGES):
                pages = np.arange(start, min(run.length, start + MOST_PAGES))
                is_matching = find_matching(run, pages, read_spans(file, data, run, pages))
                odd_pages += (run.page + pages[~is_matching]).tolist()
    return odd_pages


def _read_job(job: _Job, maps: KeptMaps, notes: list[str] | None) -> None:
    """Copy a crop of pages of one file, run by run."""
    index, pages, crop, out = job
    if not index.runs:
        decode_pages(index, pages, crop, out)
        return
    with reopen(index) as file:
        data = maps.map(file, keep=not index.ending) if crop.is_thin else None

        def copy_run(run: Run, pages_in_run: IndexArray, part: slice) -> None:
            if data is None:
                read_run(file, index.form, run, pages_in_run, crop, out[part])
            else:
                read_mapped(data, index.form, run, pages_in_run, crop, out[part])

        def copy_by_chain(chain_index: FileIndex, part: slice) -> None:
            _read_job(job.part(part)._replace(file_index=chain_index), maps, notes)

        read_by_runs(index, pages, notes, copy_run, copy_by_chain)


def _pixels_at(index: FileIndex, pages: IndexArray, notes: list[str] | None) -> IndexArray:
    """Find the byte of the first pixel of each page."""
    if not index.runs:
        raise FileFormatError(
            f"the pixels of {index.path!r} are not plain bytes of it: its pages are compressed or in scattered strips"
        )
    offsets = np.empty_like(pages)
    with reopen(index) as file:
        data = file.map()

        def find_in_run(run: Run, pages_in_run: IndexArray, part: slice) -> None:
            check_pages(run, pages_in_run, read_spans(file, data, run, pages_in_run))
            offsets[part] = run.ifd + pages_in_run * run.stride + run.template.pixels

        def find_by_chain(chain_index: FileIndex, part: slice) -> None:
            offsets[part] = _pixels_at(chain_index, pages[part], notes)

        read_by_runs(index, pages, notes, find_in_run, find_by_chain)
    return offsets
