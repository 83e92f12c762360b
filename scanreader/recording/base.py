"""The array: `scan[field, y, x, channel, frame]` taken apart, read, and given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from scanreader.errors import DtypeError, FieldDimensionMismatch, LayoutError
from scanreader.files.urls import recording_name
from scanreader.keys import AXES, FULL_SLICE, abbreviate, as_array, nonnegative_index, pick, split_key
from scanreader.notices import notify
from scanreader.recording import planes, shifting, stitching, views
from scanreader.recording.atlab import AtlabNames
from scanreader.recording.names import Names
from scanreader.recording.pixels import Request, blank, fill_gaps
from scanreader.recording.side_data import SideData
from scanreader.recording.volumes import group, volumes_of
from scanreader.tables import counted
from scanreader.tiff.pages import BytePlaces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    import numpy.typing as npt
    from numpy.typing import DTypeLike

    from scanreader.keys import Entry, Pick
    from scanreader.recording.opened import View
    from scanreader.recording.volumes import SingleField, Volume

DIMS = ("fields", "y", "x", "channels", "frames")


class BaseScan(AtlabNames, Names, SideData):
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
        pixels = self[:]
        return pixels if dtype is None else pixels.astype(dtype)

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
        field_indices = fields.indices if isinstance(fields.indices, range) else fields.indices.tolist()
        # Without fields, the shape is that of field 0.
        picks = [self._pick_pixels(entries, i) for i in field_indices or (0,)]
        if len(picks) > 1:
            _check_sizes(field_indices, picks)
        rows, columns = picks[0]
        axis_picks = (fields, frames, channels, rows, columns)
        out = blank([len(axis.indices) for axis in axis_picks], opened.dtype, (opened.fields[i] for i in field_indices))
        if out.size:
            places = opened.frame_places(frames.indices)
            frame_places = int(places[0]) if frames.drops else as_array(places)
            for i, (ys, xs), part in zip(field_indices, picks, out, strict=True):
                field = opened.fields[i]
                fill_gaps(field, ys, xs, part)
                request = Request(field, opened.channel_places(field, channels), frame_places, ys, xs)
                opened.pixels.read(opened.pages, opened.layout, request, part, notes)
        drop_key = [0 if axis.drops else FULL_SLICE for axis in (fields, rows, columns, channels, frames)]
        result: npt.NDArray[Any] = out.transpose(0, 3, 4, 2, 1)[tuple(drop_key)]  # a number, if all axes are dropped
        return result

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

    def stitched(self, *, overlap: str = "last", fill: float = 0) -> Self:
        """Place all fields of a slice, or plane, on one grid of pixels, where they were recorded.

        The position of each is that of its centre, whatever their order. No pixel is resampled. ``findings`` has a note
        of overlaps, of pixels that no field covers, and of fields that are not exactly on the pixel grid of the first.

        Parameters
        ----------
        overlap : {"last", "first"}
            Which field is shown where fields overlap, in the order of `fields`.
        fill : number
            Value of pixels that no field covers. `Field.roi_mask` is -1 there.

        Returns
        -------
        Scan
            A lazy view with one field for each slice (and plane). Trim and join before; shift after; `phase.realigned`
            may come before or after. Where edges were trimmed, fields keep their position, with a gap.

        Raises
        ------
        LayoutError
            If fields are rotated, or their pixels differ in size by more than 0.1 % or lie more than 0.25 pixels off
            the grid (`canvas` resamples such fields). If their positions are unknown, or the scan is stitched or
            shifted already.
        DtypeError
            If the dtype cannot hold `fill`.
        ScanKeyError
            If `overlap` is something else.
        """
        return self.view(stitching.stitching(self._opened, overlap, fill))

    def shifted(self, shifts: Any, unit: str = "px", keep: str = "canvas", *, fill: float | None = None) -> Self:
        """Move the pixels of each field by whole rows and columns, for example where planes are displaced.

        You give the shifts: scanreader does not estimate them. Each recorded pixel keeps its position in µm: as its row
        and column change, the field's centre and `Field.affine` change accordingly.

        Parameters
        ----------
        shifts : array of shape (fields, 2) or (planes, 2)
            (dy, dx): how far the pixels of each field, or of all fields of each plane or slice, are moved down and to
            the right, along rows and columns. Each is relative to the recorded place, not to the plane before. If you
            have steps from plane to plane, give ``np.cumsum(steps, axis=0)``. Planes are in the order of `fields`.
        unit : {"px", "um"}
            Whole pixels; or µm, which are rounded to whole pixels: ``findings`` has a note of the largest rounding
            error.
        keep : {"canvas", "common"}
            Whether fields are enlarged, so that all pixels remain, or cropped to the rows and columns that all have.
        fill : number, optional
            Value of pixels where nothing was recorded; by default 0, or that of the stitched scan.

        Returns
        -------
        Scan
            A lazy view. `shifts` has what was shifted, in pixels.

        Raises
        ------
        ScanKeyError
            If there are not as many rows as fields or planes, they are no whole pixels, or nothing remains in common.
        LayoutError
            If the scan is shifted already, or the header does not say how large pixels are, in µm.
        DtypeError
            If the dtype cannot hold `fill`.
        """
        return self.view(shifting.shifting(self._opened, shifts, unit, keep, fill))

    @property
    def shifts(self) -> npt.NDArray[np.int64]:
        """By how many rows and columns the pixels of each field are shifted, of shape (fields, 2); 0 if not shifted."""
        return shifting.shifts(self._opened.fields)

    def select(
        self,
        *,
        fields: Any = slice(None),
        channels: Any = slice(None),
        frames: Any = slice(None),
        bouts: Any = slice(None),
    ) -> Self:
        """Select fields, channels, bouts and frames; no pixels are read.

        ``scan.select(channels=[0], frames=slice(0, 1000)).to_nwb("first.nwb")``

        Parameters
        ----------
        fields, channels, frames : slice, list of int or mask
        bouts : int, slice, list of int or mask
            Indices into `Scan.bouts` (the grabs, or the acquisitions of a loop). If they are given, `frames` are
            indices among the frames of the selected bouts.

        Returns
        -------
        Scan
            A lazy view of the selection, in the order given. Each frame keeps its bout and its time. What describes
            the whole recording (`frame_table`, `events`, `scanning_depths`, the rows of `timestamps`,
            `num_requested_frames`) stays the same.

        Raises
        ------
        ScanIndexError
            If an index is out of bounds, or nothing is selected.
        """
        return self.view(views.selecting(self._opened, fields=fields, channels=channels, frames=frames, bouts=bouts))

    def channels_as_planes(
        self, order: Any = None, *, depths: Any = None, dz: float | None = None, colours: Any = None
    ) -> Self:
        """Make each channel a plane of its own, where each channel is a depth (light beads, two focal planes).

        Which channel is which plane, and how deep planes are, is not in the header: you have to know it.

        Parameters
        ----------
        order : sequence of int, optional
            ScanImage's number of the channel of each plane; by default all channels, as they were saved. Channels that
            are not listed are skipped.
        depths : sequence of float, array of shape (slices, planes), or "actuators"
            Depth of each plane, in µm; of each slice and plane if there are several slices. ``"actuators"`` takes the
            positions of the z actuators in the header (``zsAllActuators``), of the j-th actuator for the j-th channel
            in `order`, which has to be given. By default depths are unknown, NaN.
        dz : float, optional
            Instead of `depths`, the distance from each plane to the next, in µm; the first is at 0.
        colours : dict of sequences of int, optional
            Instead of `order`, for several detectors: for the name of each detector's channel in the new scan,
            ScanImage's channel numbers of its planes, ``{"green": (1, 2), "red": (3, 4)}``.

        Returns
        -------
        Scan
            A lazy view. Each field appears once for each plane: first all fields of slice 0 at plane 0, then those at
            plane 1, and so on. `Field.plane` is the plane, `Field.depth` its depth. There is one channel, or one for
            each colour. All planes of a slice have the same times.

        Raises
        ------
        ScanKeyError
            If a number is not one of a saved channel or appears twice, if depths do not fit, or if colours differ in
            their number of planes.
        LayoutError
            If the channels of the scan are planes already.
        """
        options = {"order": order, "depths": depths, "dz": dz, "colours": colours}
        return self.view(planes.planes(self._opened, lambda: self.actuator_positions, **options))

    @property
    def volumes(self) -> tuple[Volume[Self], ...]:
        """For each ROI, its fields at all depths as one lazy array of (z, y, x, channels, frames), sorted by depth.

        Fields are one volume if they are of one ROI, equal in size, place (to a tenth of a pixel) and rotation, and at
        different depths. `single_fields` lists the other fields, and why they are in no volume.
        """
        return volumes_of(self)

    @property
    def single_fields(self) -> tuple[SingleField, ...]:
        """The fields that are in no volume, with the reason."""
        return group(self.fields).single

    # ------------------------------------------------------------------ where its bytes are

    @property
    def token(self) -> str:
        """Identifier of the scan: the same in every process for the same unchanged files, options and views."""
        opened = self._opened
        files = [(file.path, file.size, file.mtime_ns, file.stamp) for file in opened.pages.files]
        fields = [
            (field.slice_id, field.plane, field.pieces, field.depth, field.y, field.x)
            + ((field.height, field.width, field.placement) if field.placement.view else ())
            for field in opened.fields
        ]
        facts = (files, opened.dtype.str, opened.is_raw, opened.stack, opened.pages.fill, opened.num_frames)
        view_facts: tuple[Any, ...] = (fields, opened.channels, opened.frames, opened.pixels)
        if any(bout.shift or bout.zero for bout in opened.bouts):
            view_facts += (opened.bouts,)
        from hashlib import sha256  # noqa: PLC0415 - it brings OpenSSL, which takes 3 ms

        return sha256(repr((facts, view_facts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]

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
        picked_field, pages = opened.fields[nonnegative_index(field, self.num_fields, "field")], opened.pages
        if opened.pixels.change:
            raise LayoutError(
                f"the pixels of field {field} are {opened.pixels.change}: ask the scan that this was made of",
                raw_helps=False,
            )
        if len(picked_field.pieces) > 1:
            is_stitched = picked_field.placement.is_stitched
            advice = "ask the scan that was stitched" if is_stitched else "open it without join_contiguous"
            raise LayoutError(
                f"the pixels of field {field} stand in {len(picked_field.pieces)} places of a page: {advice}",
                raw_helps=False,
            )
        if picked_field.uncovered:
            raise LayoutError(
                f"pixels of field {field} were not recorded, so they are in no file: shift with keep='common', or ask "
                "the scan that was shifted",
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
        (piece,), itemsize = picked_field.pieces, opened.dtype.itemsize
        channels = np.array([channel.place for channel in opened.saved_channels(picked_field)])
        frames = as_array(opened.frame_places(np.arange(opened.num_frames)))
        numbers = opened.layout.page_numbers(picked_field.slice_id, channels, frames)
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
        class_and_state = (type(self), (self._opened,))
        return (*class_and_state, {"_closed": True}) if self._closed else class_and_state

    def __repr__(self) -> str:
        sizes = sorted({(field.height, field.width) for field in self.fields})
        size_text = f"{sizes[0][0]} x {sizes[0][1]}" if len(sizes) == 1 else f"{len(sizes)} sizes"
        pixels = f", pixels {self._opened.pixels.change}" if self._opened.pixels.change else ""
        fields, channels = counted(self.num_fields, "field"), counted(self.num_channels, "channel")
        return (
            f"<{type(self).__name__} {recording_name(self.filenames)}: {fields} ({size_text}), {channels}, "
            f"{counted(self.num_frames, 'frame')}, {self.dtype}{pixels}>"
        )


def _check_sizes(fields: Sequence[int], places: Sequence[tuple[Pick, Pick]]) -> None:
    for axis, number in ((AXES[1], 0), (AXES[2], 1)):
        sizes = [len(place[number].indices) for place in places]
        if len(set(sizes)) > 1:
            raise FieldDimensionMismatch(
                f"fields {abbreviate(fields)} give {abbreviate(sizes)} {axis}s; read them one by one, "
                "or ask for a part that all have"
            )
