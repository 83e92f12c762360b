"""The array: `scan[field, y, x, channel, frame]` taken apart, read, and given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from scanreader.errors import DtypeError, FieldDimensionMismatch, LayoutError
from scanreader.files.urls import recording_name
from scanreader.keys import AXES, FULL_SLICE, abbreviate, as_array, nonnegative_index, pick, split_key
from scanreader.notices import notify
from scanreader.recording import views
from scanreader.recording.names import Names
from scanreader.recording.pixels import Request
from scanreader.recording.times import Times
from scanreader.tiff.pages import BytePlaces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    import numpy.typing as npt
    from numpy.typing import DTypeLike

    from scanreader.keys import Entry, Pick
    from scanreader.recording.opened import View

DIMS = ("fields", "y", "x", "channels", "frames")


class BaseScan(Names, Times):
    """An array of fields whose pixels are read on demand, with the recording's metadata, times and views.

    Parameters
    ----------
    opened : Opened
        The complete state of the scan: copies, views and pickles are made from it.
    """

    # -------------------------------------------------------------------- the array

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Sizes of the axes: (fields, y, x, channels, frames).

        Raises
        ------
        FieldDimensionMismatch
            If fields differ in height or width.
        """
        return (self.num_fields, self.image_height, self.image_width, self.num_channels, self.num_frames)

    @property
    def ndim(self) -> int:
        """Number of axes: 5."""
        return len(DIMS)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return DIMS

    @property
    def size(self) -> int:
        """Number of values in all fields."""
        pixels = sum(field.height * field.width for field in self.fields)
        return pixels * self.num_channels * self.num_frames

    @property
    def nbytes(self) -> int:
        """Size of all fields in memory, in bytes."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.num_fields

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """Yield each field as an array of shape (y, x, channels, frames); each is read when the loop gets to it."""
        return (self[i] for i in range(self.num_fields))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a scan becomes an array by reading it, which cannot be done without a copy")
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a part of the scan, indexed as numpy indexes arrays.

        Parameters
        ----------
        key : int, slice, sequence, mask, ``...`` or a tuple of them
            Up to five entries: field, y, x, channel, frame. An integer drops its axis. Sequences of integers and
            masks select along their own axis only, as with ``np.ix_``.

        Returns
        -------
        array of shape (fields, y, x, channels, frames), without the axes indexed by an integer
            A number if all five entries are integers.

        Raises
        ------
        ScanIndexError
            If an index is out of bounds. It is a subclass of IndexError.
        FieldDimensionMismatch
            If the selected fields have unequal heights or widths.
        DamagedPageError, ChangedFileError
            If a page is damaged, or a file changed after the scan was opened.
        ClosedScanError
            If the scan is closed.
        """
        notes: list[str] = []
        array = self._read(key, notes)
        if notes:
            notify(notes)
        return array

    def _read(self, key: Any, notes: list[str]) -> npt.NDArray[Any]:
        self._refuse_closed()
        opened = self._opened
        entries = split_key(key)
        fields = pick(entries[0], len(opened.fields), AXES[0])
        channels = pick(entries[3], len(opened.channels), AXES[3])
        frames = pick(entries[4], opened.num_frames, AXES[4])
        chosen = fields.indices if isinstance(fields.indices, range) else fields.indices.tolist()
        picks = [self._pick_pixels(entries, i) for i in chosen or (0,)]  # without fields, the shape is that of field 0
        if len(picks) > 1:
            _check_sizes(chosen, picks)
        rows, columns = picks[0]
        as_in_file = (fields, frames, channels, rows, columns)
        out = np.empty([len(axis.indices) for axis in as_in_file], opened.dtype)
        if out.size:
            channel_places = opened.channel_places(channels)
            places = opened.frame_places(frames.indices)
            frame_places = int(places[0]) if frames.drops else as_array(places)
            for i, (ys, xs), part in zip(chosen, picks, out, strict=True):
                request = Request(opened.fields[i], channel_places, frame_places, ys, xs)
                opened.pixels.read(opened.pages, opened.layout, request, part, notes)
        dropped = [0 if axis.drops else FULL_SLICE for axis in (fields, rows, columns, channels, frames)]
        picked: npt.NDArray[Any] = out.transpose(0, 3, 4, 2, 1)[tuple(dropped)]  # a number, if all axes are dropped
        return picked

    def _pick_pixels(self, entries: Sequence[Entry], i: int) -> tuple[Pick, Pick]:
        field = self._opened.fields[i]
        owner = f"field {i}"
        return pick(entries[1], field.height, AXES[1], owner), pick(entries[2], field.width, AXES[2], owner)

    # -------------------------------------------------------------------------- views

    def view(self, view: View) -> Self:
        """Make a new scan by applying a view function; closing either scan leaves the other open.

        Parameters
        ----------
        view : callable
            A function that can be pickled, takes an `Opened` and returns another, for example one of
            ``scanreader.recording.views``.
        """
        self._refuse_closed()
        return type(self)(views.take(view, self._opened))

    def trimmed(self, *, left: int = 0, right: int = 0, top: int = 0, bottom: int = 0) -> Self:
        """Remove pixels at the edges of every ROI, where the mirrors turn.

        Parameters
        ----------
        left, right, top, bottom : int
            Pixels to remove from that side, in addition to earlier trimming.

        Returns
        -------
        Scan
            A lazy view. Each strip of a joined field is trimmed, and the strips are placed side by side without gaps.
            The size in µm is that of the remaining pixels.

        Raises
        ------
        ScanIndexError
            If a number is negative, or no pixel of a field remains.
        """
        return self.view(views.trimming(top=top, bottom=bottom, left=left, right=right))

    def join_contiguous(self) -> Self:
        """Join the fields of a slice that touch each other, as ``read_scan(…, join_contiguous=True)`` does.

        The sides where they touch must have the same length and the same number of pixels.

        Returns
        -------
        Scan
            A lazy view.
        """
        return self.view(views.joined)

    def select(self, *, fields: Any = slice(None), channels: Any = slice(None), frames: Any = slice(None)) -> Self:
        """Select fields, channels and frames; no pixels are read.

        ``scan.select(channels=[0], frames=slice(0, 1000)).to_nwb("first.nwb")``

        Parameters
        ----------
        fields, channels, frames : slice, list of int or mask

        Returns
        -------
        Scan
            A lazy view of the selection, in the order given. What describes the whole recording (`frame_table`,
            `events`, `scanning_depths`, the rows of `timestamps`, `num_requested_frames`) stays the same.

        Raises
        ------
        ScanIndexError
            If an index is out of bounds, or nothing is selected.
        """
        return self.view(views.selecting(self._opened, fields=fields, channels=channels, frames=frames))

    # ------------------------------------------------------------------ where its bytes are

    @property
    def token(self) -> str:
        """Identifier of the scan: the same in every process for the same unchanged files, options and views."""
        opened = self._opened
        files = [(file.path, file.size, file.mtime_ns, file.stamp) for file in opened.pages.files]
        fields = [(field.slice_id, field.pieces, field.depth, field.y, field.x) for field in opened.fields]
        facts = (files, opened.dtype.str, opened.is_raw, opened.stack, opened.pages.fill, opened.num_frames)
        how = (fields, opened.channels, opened.frames, opened.pixels)
        from hashlib import sha256  # noqa: PLC0415 - it brings OpenSSL, which takes 3 ms

        return sha256(repr((facts, how)).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def __dask_tokenize__(self) -> str:
        return self.token

    def byte_places(self, field: int) -> BytePlaces:
        """Find the positions of a field's pixels in the files.

        Parameters
        ----------
        field : int

        Returns
        -------
        BytePlaces
            For each frame and channel, the file (an index into `filenames`) and the byte offset of the field's first
            pixel.

        Raises
        ------
        FileFormatError, LayoutError, DtypeError, DamagedPageError, ChangedFileError
            As for `to_references`.
        """
        self._refuse_closed()
        opened = self._opened
        one, pages = opened.fields[nonnegative_index(field, self.num_fields, "field")], opened.pages
        if opened.pixels.change:
            raise LayoutError(
                f"the pixels of field {field} are {opened.pixels.change}: ask the scan that this was made of",
                raw_helps=False,
            )
        if len(one.pieces) > 1:
            raise LayoutError(
                f"the pixels of field {field} stand in {len(one.pieces)} places of a page: open the recording without "
                "join_contiguous",
                raw_helps=False,
            )
        if opened.dtype != pages.dtype:
            raise DtypeError(f"the files hold {pages.dtype}, not {opened.dtype}: open the recording without dtype")
        orders = {file.form.dtype for file in pages.files}
        if len(orders) > 1:
            raise LayoutError(
                f"the files differ in their byte order ({', '.join(sorted(orders))}): name them apart",
                raw_helps=False,
            )
        (piece,), itemsize = one.pieces, opened.dtype.itemsize
        channels = np.array([channel.place for channel in opened.channels])
        frames = as_array(opened.frame_places(np.arange(opened.num_frames)))
        numbers = opened.layout.page_numbers(one.slice_id, channels, frames)
        notes: list[str] = []
        files, offsets = pages.places(numbers.ravel(), notes)
        notify(notes)
        offsets += (piece.page_y * pages.form.width + piece.page_x) * itemsize
        return BytePlaces(
            files.reshape(numbers.shape),
            offsets.reshape(numbers.shape),
            pages.form.width * itemsize,
            piece.width == pages.form.width,
            np.dtype(pages.form.dtype),
        )

    # ------------------------------------------------------------------------ lifetime

    def close(self) -> None:
        """Release all files of this scan; later reads raise ClosedScanError. Its views stay open."""
        self._closed = True
        self._opened.pages.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        one = (type(self), (self._opened,))
        return (*one, {"_closed": True}) if self._closed else one

    def __repr__(self) -> str:
        sizes = sorted({(field.height, field.width) for field in self.fields})
        shown = f"{sizes[0][0]} x {sizes[0][1]}" if len(sizes) == 1 else f"{len(sizes)} sizes"
        pixels = f", pixels {self._opened.pixels.change}" if self._opened.pixels.change else ""
        return (
            f"<{type(self).__name__} {recording_name(self.filenames)}: {_counted(self.num_fields, 'field')} ({shown}), "
            f"{_counted(self.num_channels, 'channel')}, {_counted(self.num_frames, 'frame')}, {self.dtype}{pixels}>"
        )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _check_sizes(fields: Sequence[int], places: Sequence[tuple[Pick, Pick]]) -> None:
    for axis, which in ((AXES[1], 0), (AXES[2], 1)):
        sizes = [len(place[which].indices) for place in places]
        if len(set(sizes)) > 1:
            raise FieldDimensionMismatch(
                f"fields {abbreviate(fields)} give {abbreviate(sizes)} {axis}s; read them one by one, "
                "or ask for a part that all have"
            )
