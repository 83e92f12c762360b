"""Scans: what the user holds; a class for each change that ScanImage made to its header; VERSIONS."""

from __future__ import annotations

import hashlib
import math
import re
import warnings
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar, overload

import numpy as np
import numpy.typing as npt

from scanreader import fields as geometry
from scanreader.blocks import read_block
from scanreader.errors import (
    ClosedScanError,
    DamagedPageError,
    DtypeError,
    FieldDimensionMismatch,
    Finding,
    HeaderError,
    LayoutError,
    ScanImageVersionError,
    ScanIndexError,
    ScanReaderWarning,
)
from scanreader.exports import Exports
from scanreader.extras import needed
from scanreader.fields import Field, Roi, Scanfield, Slot
from scanreader.files.urls import file_name
from scanreader.frames import (
    EPOCH_END,
    NUMBERS_END,
    UNREADABLE,
    Event,
    FrameNumbers,
    as_datetime,
    epoch,
    frame_numbers,
    read_events,
    read_table,
    read_timestamps,
    timestamps,
    warn_of,
)
from scanreader.header import Block, Header, integers, listed, numbers, parse_json
from scanreader.keys import AXES, WHOLE, Pick, as_array, from_start, integer, pick, shifted, split_key
from scanreader.layout import Counts, Layout, Part, Stack, Stretch, find_layout, whole_number
from scanreader.tiff.pages import BytePlaces

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from matplotlib.figure import Figure
    from numpy.typing import DTypeLike

    from scanreader.check import Report
    from scanreader.tiff.pages import Pages
    from scanreader.view.canvas import Canvas

T = TypeVar("T")
V = TypeVar("V", int, float)
DIMS = ("fields", "y", "x", "channels", "frames")


# ------------------------------------------------------------------ settings


class Setting(Generic[T]):
    """A setting of the header as an attribute of a scan.

    Parameters
    ----------
    convert : callable
        Makes the attribute's type of the header's value, or of None where it is missing.
    *names : str
        How releases spell it; the first that is there counts.
    doc : str
    """

    def __init__(self, convert: Callable[[Any], T], *names: str, doc: str) -> None:
        self.convert, self.names = convert, names
        self.__doc__ = doc

    @overload
    def __get__(self, scan: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, scan: Scan, owner: type[Any]) -> T: ...
    def __get__(self, scan: Scan | None, owner: type[Any]) -> Self | T:
        if scan is None:
            return self
        settings = scan.settings
        return self.convert(next((settings[name] for name in self.names if name in settings), None))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def _count(value: Any) -> float:
    """A count that may be infinite; NaN where it is missing."""
    return value if isinstance(value, int) and not isinstance(value, bool) else _number(value)


def _inverse(value: float) -> float:
    return 1 / value if value else math.nan


def _flag(value: Any) -> bool:
    return value is True or (isinstance(value, (int, float)) and value == 1) or value == "true"


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, list) else str(value)


def _numbers(value: Any) -> list[float]:
    return [] if value is None else numbers(value)


def _integers(value: Any) -> list[int]:
    return [] if value is None else integers(value)


def _plain(value: Any) -> Any:
    return value


class Source(NamedTuple):
    """The files of a recording, in order, and what is known of them before they are a scan."""

    pages: Pages
    parts: tuple[Part, ...]
    block: Block
    trusted: bool
    """Whether ScanImage itself wrote the files, so that frame numbers must advance."""
    whole: bool
    """Whether the recording's first frames should be there."""
    channel: int | None = None
    """The channel of these files, where each was logged to files of its own."""
    findings: tuple[Finding, ...] = ()
    numbers: Mapping[int, FrameNumbers] = MappingProxyType({})
    """Frame numbers of pages that are known from before."""


class Scan(Exports):
    """A recording: an array of fields, indexed ``scan[field, y, x, channel, frame]``, that reads on demand.

    Made by `scanreader.read_scan`. It is whole when it exists and does not change; it can be pickled and used
    from threads and processes. Between reads no file is held open, but for maps of a few files of which a
    little of each page was read (a pixel's trace), until `close` or the scan's end.

    Its subclasses list the settings that a release moved; `VERSIONS` tells which release has which.

    Attributes
    ----------
    fields : tuple of Field
        What was recorded, in the order of slices and, within one, down the page. ``scan.fields[0]`` says where
        it lies; ``scan[0]`` are its pixels.
    dtype : dtype
        Of the arrays that reads give.
    rois : tuple of Roi
        The regions that the user drew; one for a recording that is not multi-ROI.
    findings : tuple of Finding
        What was warned of when the recording was opened.
    stack : Stack
        The order of frames, as the header says it.
    layout : Layout
        Where each frame is among the pages, and which volumes are whole.
    """

    # ---------------------------------------------------------- settings of all releases since 5.1

    zoom = Setting(_number, "hRoiManager.scanZoomFactor", doc="Zoom factor.")
    is_bidirectional = Setting(_flag, "hScan2D.bidirectional", doc="Whether lines are scanned in both directions.")
    scanner_type = Setting(_text, "hScan2D.scannerType", doc="The scanner as ScanImage names it, e.g. 'RGG'.")
    scanner_frequency = Setting(
        _number, "hScan2D.scannerFrequency", doc="Frequency of the resonant mirror, in Hz; NaN for galvos."
    )
    seconds_per_line = Setting(
        _number, "hRoiManager.linePeriod", doc="Seconds per scan line. Of no use for multi-ROI with galvos."
    )
    spatial_fill_fraction = Setting(
        _number, "hScan2D.fillFractionSpatial", doc="Part of each line's width that is imaged."
    )
    temporal_fill_fraction = Setting(
        _number, "hScan2D.fillFractionTemporal", doc="Part of each line's time that is imaged."
    )
    microns_per_degree = Setting(
        _number, "objectiveResolution", doc="µm in the sample per degree of scan angle; NaN if unknown."
    )
    scan_frame_rate = Setting(_number, "hRoiManager.scanFrameRate", doc="Raw frames a second.")
    scan_frame_period = Setting(_number, "hRoiManager.scanFramePeriod", doc="Seconds per raw frame.")
    scan_volume_rate = Setting(_number, "hRoiManager.scanVolumeRate", doc="Volumes a second.")
    scan_mode = Setting(_text, "hScan2D.scanMode", doc="'resonant' or 'linear'; '' before 2019b.")
    has_resonant_mirror = Setting(_plain, "hScan2D.hasResonantMirror", doc="Whether there is one, or None.")
    uniform_sampling = Setting(_flag, "hScan2D.uniformSampling", doc="Whether pixels are evenly spaced in time.")
    averaging = Setting(_count, "hScan2D.logAverageFactor", doc="Raw frames averaged into each saved one.")
    lines_averaged = Setting(
        _count,
        "hScan2D.LineAveragingLineCount",
        "hScan2D.lineAverageFactor",
        "hAcq.lineAverageFactor",
        doc="Scan lines averaged into each stored row, on the few rigs that do.",
    )
    frames_per_file = Setting(_count, "hScan2D.logFramesPerFile", doc="Frames after which a file is rolled.")
    motor_position_at_zero = Setting(
        _numbers,
        "hMotors.samplePosition",
        "hMotors.motorPosition",
        doc="Position of the stage when the recording began: x, y and z in µm (and a second z, before 2019b).",
    )
    fast_z_position = Setting(
        _number, "hFastZ.position", "hFastZ.positionTarget", doc="Position of the fast z actuator, in µm."
    )
    _channels_saved = Setting(_integers, "hChannels.channelSave", doc="Numbers of the channels saved.")
    _channel_names = Setting(_plain, "hChannels.channelName", doc="Names of all channels.")
    _flyto_seconds = Setting(_number, "hScan2D.flytoTimePerScanfield", doc="Seconds to fly from field to field.")
    _mroi_enabled = Setting(_flag, "hRoiManager.mroiEnable", doc="Whether ROIs are cut from the pages.")
    _fov_degrees = Setting(_plain, "hRoiManager.imagingFovDeg", doc="Corners of the field of view.")
    _zs = Setting(_numbers, "hStackManager.zs", doc="Depths, in µm.")
    _num_slices_asked = Setting(_count, "hStackManager.numSlices", doc="Slices, as the user set them.")
    _frames_per_slice = Setting(_count, "hStackManager.framesPerSlice", doc="Raw frames a slice.")
    _num_volumes_asked = Setting(
        _count, "hStackManager.actualNumVolumes", "hStackManager.numVolumes", doc="Volumes asked for."
    )

    _asked: Any = None
    """What `read_scan` was asked for."""
    _kins: tuple[Any, ...] = ()
    """What is equal for all files of each recording that is here."""

    # ------------------------------------------------------------------------------ making

    def __init__(
        self,
        source: Source,
        *,
        dtype: DTypeLike | None = None,
        join_contiguous: bool = False,
        raw: bool = False,
    ) -> None:
        self._pages, self._parts = source.pages, source.parts
        self._channel = source.channel
        self.__dict__["settings"] = Header(source.block.text)
        self.__dict__["_block"] = source.block
        self._raw = raw
        self.dtype = _output_dtype(source.pages.dtype, dtype)
        self._findings = list(source.findings)
        self.stack = Stack("planar") if raw else self._find_stack()
        self._depths = [math.nan] if raw else self._find_depths()
        if raw:
            self.layout = Layout(Counts(), (Stretch(0, 0, len(source.pages)),))
        else:
            self.layout = self._find_layout(source)
        self.rois = self._find_rois()
        self._whole_fields, self._joined, self._trim = self._find_fields(), join_contiguous, geometry.UNTRIMMED
        self.fields = self._joined_fields()
        self.findings = tuple(self._findings)
        del self.__dict__["_findings"]
        self._closed = False

    def _find_layout(self, source: Source) -> Layout:
        known = dict(source.numbers)
        self.__dict__["_numbers"] = known

        pages = replace(source.pages, fill=None)

        def numbers_of(page: int) -> FrameNumbers:
            """Read what a page says itself; nothing, if it cannot be read."""
            if page not in known:
                try:
                    notes: list[str] = []
                    (text,) = pages.descriptions(np.array([page]), NUMBERS_END, notes)
                    warn_of(notes)
                    known[page] = frame_numbers(text)
                except DamagedPageError:
                    known[page] = UNREADABLE
            return known[page]

        layout, findings = find_layout(
            self.stack,
            source.parts,
            numbers_of,
            trusted=source.trusted,
            whole=source.whole,
            loop=self.settings.get("acqState") != "grab",
        )
        self._findings += findings
        return layout

    # ------------------------------------------------- what a class for a release has to say

    def _find_stack(self) -> Stack:
        """The order of frames by the stack manager's settings (since 2019b)."""
        manager = "hStackManager."
        channels, a = self._num_channels_saved(), self._averaging()
        f, s = self._frames_per_slice, _count(self.settings.get(manager + "actualNumSlices"))
        t = _count(self.settings.get(manager + "numFramesPerVolumeWithFlyback"))
        u = _count(self.settings.get(manager + "numFramesPerVolume"))
        # A header that does not say whether the stack was on does so by the volume's frames: 1 where it was off.
        enabled = self.settings.get(manager + "enable", u > 1 if math.isfinite(u) else None)
        if enabled is None and s > 1:
            raise LayoutError(
                f"the header has {s:g} slices and does not say whether the stack was on (hStackManager.enable); "
                "raw=True reads the pages as they lie"
            )
        if not _flag(enabled) or f == math.inf:
            return Stack("planar", channels=channels, averaging=a)
        if math.isnan(s):
            s = len(self._zs) / f if f else math.nan
        u = s * f if math.isnan(u) else u
        if s <= 1 and (not math.isfinite(t) or not math.isfinite(u) or t <= u):
            return Stack("planar", channels=channels, averaging=a)
        slices = whole_number(s, "hStackManager.actualNumSlices")
        frames = whole_number(f, "hStackManager.framesPerSlice")
        useful = whole_number(u, "hStackManager.numFramesPerVolume")
        total = whole_number(t, "hStackManager.numFramesPerVolumeWithFlyback")
        if useful != slices * frames:
            raise LayoutError(
                f"{slices} slices (actualNumSlices) of {frames} frames (framesPerSlice) are not the {useful} "
                "frames of a volume (numFramesPerVolume); raw=True reads the pages as they lie"
            )
        mode = _text(self.settings.get(manager + "stackMode"))
        if mode not in ("fast", "slow"):
            raise LayoutError(
                f"stackMode is {mode!r}, 'fast' or 'slow' was expected; raw=True reads the pages as they lie"
            )
        if mode == "slow" and total != useful:
            raise LayoutError(
                f"a slow stack has no flyback frames, but a volume has {total} frames "
                f"(numFramesPerVolumeWithFlyback) of which {useful} are of its slices; raw=True reads the pages"
            )
        return Stack(mode, channels, slices, frames, total, a, self._num_volumes_asked)

    def _find_depths(self) -> list[float]:
        """Depth of each slice, in µm: since 2019b each z is repeated for every frame of its slice."""
        zs, stack = self._zs, self.stack
        if stack.mode == "planar":
            return zs[:1] or [math.nan]
        if len(zs) == stack.slices * stack.frames_per_slice:
            return zs[:: stack.frames_per_slice]
        return self._checked_depths(zs)

    def _checked_depths(self, zs: list[float]) -> list[float]:
        if len(zs) == self.stack.slices:
            return zs
        said = f"{len(zs)} depths (hStackManager.zs) do not fit {self.stack.slices} slices: depths are not known"
        self._findings.append(Finding("header-mismatch", "warning", "", said))
        return [math.nan] * self.stack.slices

    def _num_channels_saved(self) -> int:
        return len(self.channel_numbers)

    def _averaging(self) -> int:
        a = self.averaging
        return 1 if math.isnan(a) else max(1, whole_number(a, "hScan2D.logAverageFactor"))

    # ----------------------------------------------------------------------------- fields

    def _find_rois(self) -> tuple[Roi, ...]:
        if self._raw:
            return ()
        try:
            return geometry.parse_rois(self._roi_group())
        except HeaderError as error:
            if self._mroi_enabled:
                self._findings.append(Finding("unknown-rois", "warning", "", f"{error}; pages are given whole"))
            return ()

    def _roi_group(self) -> Any:
        rois = self.roi_metadata or {"RoiGroups": {"imagingRoiGroup": None}}
        groups = rois.get("RoiGroups", rois)
        group = groups.get("imagingRoiGroup") if isinstance(groups, dict) else None
        return group or self.settings.get("imagingRoiGroup")

    def _joined_fields(self) -> tuple[Field, ...]:
        if self._joined and self.is_multiROI:
            return tuple(geometry.join_contiguous(self._whole_fields, self._trim))
        if not any(self._trim):
            return self._whole_fields
        return tuple(geometry.trimmed(field, self._trim) for field in self._whole_fields)

    def _find_fields(self) -> tuple[Field, ...]:
        slots: list[list[Slot]] = []
        if self.is_multiROI and any(roi.enabled for roi in self.rois):
            slots = [
                [Slot(i, shape) for i, roi in enumerate(self.rois) if (shape := roi.at(z)) is not None]
                for z in self._depths
            ]
            if any(math.isnan(z) for z in self._depths) and self._depends_on_depth():
                raise LayoutError(
                    "the depths of the slices are not known, but which ROIs are scanned depends on them; "
                    "raw=True reads the pages as they lie"
                )
        if not any(slots):
            if self._mroi_enabled and not self._raw:
                said = "mROI was on, but no enabled ROI is known: pages are given whole"
                self._findings.append(Finding("unknown-rois", "warning", "", said))
            whole = self._whole_page()
            return tuple(self._field(whole, i) for i in range(self.layout.counts.slices))
        pieces, n = self._lay_out(slots)
        fields = [
            self._field_of_slot(slot, piece, slice_id, n)
            for slice_id in range(self.layout.counts.slices)
            for slot, piece in zip(slots[slice_id], pieces[slice_id], strict=True)
        ]
        if not fields:
            raise LayoutError("no ROI is scanned in the slices that are whole; raw=True reads the pages as they lie")
        return tuple(fields)

    def _depends_on_depth(self) -> bool:
        return any(roi.discrete or len(roi.scanfields) > 1 for roi in self.rois)

    def _lay_out(self, slots: Sequence[Sequence[Slot]]) -> tuple[list[list[geometry.Piece]], int]:
        """Pieces of the page, and how many lines were averaged into a row."""
        n = 1 if math.isnan(self.lines_averaged) else whole_number(self.lines_averaged, "line averaging")
        tries = [n, 1] if n > 1 else [1]
        refused: LayoutError | None = None
        for lines in tries:
            page = geometry.PageScan(
                height=self._pages.form.height,
                width=self._pages.form.width,
                resonant=self.is_resonant,
                bidirectional=self.is_bidirectional,
                flyto_seconds=self._flyto_seconds,
                scanner_frequency=self.scanner_frequency,
                lines_per_row=lines,
                evenly_sampled=self.uniform_sampling,
            )
            try:
                pieces, findings = geometry.lay_out(slots, page)
            except LayoutError as error:
                refused = refused or error
                continue
            self._findings += findings
            if lines != n:
                said = f"the header says that {n} lines were averaged into a row, the page that they were not"
                self._findings.append(Finding("header-mismatch", "warning", "", said))
            return pieces, lines
        assert refused is not None
        raise refused

    def _whole_page(self) -> Scanfield:
        """The one field of a page that is not cut: its shape in degrees from the default ROI, or the corners."""
        form = self._pages.form
        enabled = [roi for roi in self.rois if roi.scanfields]
        if len(enabled) == 1:
            shape = enabled[0].scanfields[0]
            return shape._replace(height=form.height, width=form.width)
        y, x, tall, wide = 0.0, 0.0, math.nan, math.nan
        corners = numbers(self._fov_degrees or [])
        if len(corners) == 8 and not self._raw:
            xs, ys = corners[::2], corners[1::2]
            y, x = (max(ys) + min(ys)) / 2, (max(xs) + min(xs)) / 2
            tall, wide = max(ys) - min(ys), max(xs) - min(xs)
        return Scanfield(y, x, tall, wide, 0.0, form.height, form.width)

    def _field(self, shape: Scanfield, slice_id: int) -> Field:
        n = 1 if math.isnan(self.lines_averaged) else max(1, int(self.lines_averaged))
        piece = geometry.Piece(0, shape.height, shape.width, 0, 0, 0, 0, 0)
        return self._field_of_slot(Slot(0, shape), piece, slice_id, n)

    def _field_of_slot(self, slot: Slot, piece: geometry.Piece, slice_id: int, lines_per_row: int) -> Field:
        shape = slot.shape
        return Field(
            height=piece.height,
            width=piece.width,
            depth=math.nan if self._raw else self._depths[slice_id],
            y=shape.y,
            x=shape.x,
            height_in_degrees=shape.height_in_degrees,
            width_in_degrees=shape.width_in_degrees,
            slice_id=slice_id,
            pieces=(piece,),
            rotation=shape.rotation,
            microns_per_degree=self.microns_per_degree,
            slice_start=self._slice_start(slice_id),
            timing=geometry.Timing(
                seconds_per_line=self.seconds_per_line,
                bidirectional=self.is_bidirectional,
                resonant=self.is_resonant,
                temporal_fill_fraction=self.temporal_fill_fraction,
                evenly_sampled=self.uniform_sampling,
                lines_per_row=lines_per_row,
            ),
            name=self.rois[slot.roi].name if self.is_multiROI else "",
        )

    def _slice_start(self, slice_id: int) -> float:
        if self.stack.mode != "fast" or slice_id == 0:
            return 0.0
        return slice_id * self.stack.frames_per_slice * self.scan_frame_period

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
        """Number of values, of all fields."""
        pixels = sum(field.height * field.width for field in self.fields)
        return pixels * self.num_channels * self.num_frames

    @property
    def nbytes(self) -> int:
        """Bytes that all values take in memory, of all fields."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.num_fields

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """Fields, each read when its turn comes: arrays of shape (y, x, channels, frames)."""
        return (self[i] for i in range(self.num_fields))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a scan becomes an array by reading it, which cannot be done without a copy")
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a part of the scan, as numpy would index it, each axis by itself.

        Parameters
        ----------
        key : int, slice, sequence, mask, ``...`` or a tuple of them
            Of up to five entries: field, y, x, channel, frame. Integers drop their axis. Sequences of integers
            and masks pick along their axis alone ("outer" indexing).

        Returns
        -------
        array of shape (fields, y, x, channels, frames), less the axes that were dropped
            With five integers, a number.

        Raises
        ------
        ScanIndexError
            If an index is out of bounds (also an IndexError).
        FieldDimensionMismatch
            If the fields that are picked give unequal heights or widths.
        DamagedPageError, ChangedFileError
            If a page is not what it was when the scan was opened.
        ClosedScanError
            If the scan was closed.
        """
        self._refuse_closed()
        entries = split_key(key)
        fields = pick(entries[0], len(self.fields), AXES[0])
        channels = pick(entries[3], self.layout.counts.channels, AXES[3])
        frames = pick(entries[4], self.layout.num_frames, AXES[4])
        chosen = fields.indices if isinstance(fields.indices, range) else fields.indices.tolist()
        places = [self._pick_pixels(entries, i) for i in chosen or (0,)]
        if len(places) > 1:
            _check_alike(chosen, places)
        rows, columns = places[0]
        as_in_file = (fields, frames, channels, rows, columns)
        out = np.empty([len(axis.indices) for axis in as_in_file], self.dtype)
        if out.size:
            to_read = [axis.indices[0] if axis.drops else as_array(axis.indices) for axis in (channels, frames)]
            for i, (ys, xs), part in zip(chosen, places, out, strict=True):
                field = self.fields[i]
                pages = self.layout.page_numbers(field.slice_id, *to_read).ravel()
                self._read_field(field, pages, ys, xs, part.reshape(len(pages), *part.shape[2:]))
        dropped = [0 if axis.drops else WHOLE for axis in (fields, rows, columns, channels, frames)]
        picked: npt.NDArray[Any] = out.transpose(0, 3, 4, 2, 1)[tuple(dropped)]  # a number, if all axes are dropped
        return picked

    def _pick_pixels(self, entries: Sequence[Any], i: int) -> tuple[Pick, Pick]:
        field = self.fields[i]
        owner = f"field {i}"
        return pick(entries[1], field.height, AXES[1], owner), pick(entries[2], field.width, AXES[2], owner)

    def _read_field(
        self, field: Field, pages: npt.NDArray[np.int64], ys: Pick, xs: Pick, out: npt.NDArray[Any]
    ) -> None:
        """Read pixels of a field, piece by piece, into an array of shape (pages, y, x)."""
        if len(field.pieces) == 1:
            piece = field.pieces[0]
            self._read_pixels(pages, shifted(ys.indices, piece.page_y), shifted(xs.indices, piece.page_x), out)
            return
        for piece in field.pieces:
            down = as_array(ys.indices) - piece.output_y
            right = as_array(xs.indices) - piece.output_x
            to_y = np.flatnonzero((down >= 0) & (down < piece.height))
            to_x = np.flatnonzero((right >= 0) & (right < piece.width))
            if not len(to_y) or not len(to_x):
                continue
            from_y, from_x = down[to_y] + piece.page_y, right[to_x] + piece.page_x
            if np.ptp(to_y) == len(to_y) - 1 and np.ptp(to_x) == len(to_x) - 1:  # side by side in the result
                part = out[:, to_y[0] : to_y[-1] + 1, to_x[0] : to_x[-1] + 1]
                self._read_pixels(pages, from_y, from_x, part)
            else:
                part = np.empty((len(pages), len(to_y), len(to_x)), self.dtype)
                self._read_pixels(pages, from_y, from_x, part)
                out[:, to_y[:, None], to_x] = part

    def _read_pixels(
        self,
        pages: npt.NDArray[np.int64],
        rows: range | npt.NDArray[np.int64],
        columns: range | npt.NDArray[np.int64],
        out: npt.NDArray[Any],
    ) -> None:
        """Read rows and columns of pages, and warn of what was noticed."""
        notes: list[str] = []
        self._pages.read(pages, rows, columns, out, notes)
        if notes:
            warn_of(notes, stacklevel=5)

    def _descriptions(self, numbers: npt.NDArray[np.int64], limit: int) -> list[bytes]:
        """Read descriptions of pages, and warn of what was noticed."""
        notes: list[str] = []
        texts = self._pages.descriptions(numbers, limit, notes)
        warn_of(notes, stacklevel=4)
        return texts

    def trimmed(self, *, left: int = 0, right: int = 0, top: int = 0, bottom: int = 0) -> Self:
        """Leave out pixels at the edges of every ROI, where mirrors turn: before fields are joined.

        Parameters
        ----------
        left, right, top, bottom : int
            Pixels to leave out on each side, beyond those that were left out before.

        Returns
        -------
        Scan
            As lazy as this one. Fields that were joined stay so; the lost edges leave no gap between their pieces,
            and their size in µm is that of the pixels that are left.

        Raises
        ------
        ScanIndexError
            If a number is negative, or nothing is left of a field.
        """
        trim = geometry.Trim(*(integer(n, "pixels to trim") for n in (top, bottom, left, right)))
        if min(trim) < 0:
            raise ScanIndexError(f"pixels to trim are counted from 0, not {min(trim)}")
        scan = self._replaced(_trim=self._trim + trim)
        return scan._replaced(fields=scan._joined_fields())  # noqa: SLF001 - of this class

    def _whole_pages(self) -> Self:
        """Give the same frames with each slice's page as one field: what is between ROIs, too."""
        fields = tuple(self._field(self._whole_page(), i) for i in range(self.num_scanning_depths))
        return self._replaced(fields=fields, _whole_fields=fields, _joined=False)

    def _replaced(self, **attributes: Any) -> Self:
        """Give the same scan with some attributes of its own; what was worked out from others is so again."""
        scan = object.__new__(type(self))
        scan.__dict__.update(self.__getstate__(), **attributes)
        return scan

    # ------------------------------------------------------------- of the whole scan

    @property
    def num_fields(self) -> int:
        """Number of fields."""
        return len(self.fields)

    @property
    def num_rois(self) -> int:
        """Number of ROIs that the user drew, disabled ones too; 1 for a scan that is not multi-ROI."""
        return len(self.rois) if self.is_multiROI else 1

    @property
    def num_channels(self) -> int:
        """Number of channels saved."""
        return self.layout.counts.channels

    @property
    def num_frames(self) -> int:
        """Time points of each field: volumes times repeats."""
        return self.layout.num_frames

    @property
    def num_scanning_depths(self) -> int:
        """Number of slices that were recorded."""
        return self.layout.counts.slices

    @property
    def scanning_depths(self) -> list[float]:
        """Depth of each slice that was recorded, in µm, in the order of scanning."""
        return self._depths[: self.num_scanning_depths]

    @property
    def requested_scanning_depths(self) -> list[float]:
        """Depth of each slice that was asked for, in µm: more than were recorded if a stack was stopped."""
        return list(self._depths)

    @property
    def num_requested_frames(self) -> float:
        """Frames that were asked for, of the acquisitions that are here.

        Infinite where recording went on until it was stopped, NaN if unknown.
        """
        stack = self.stack
        if self._raw:
            return math.nan
        if stack.mode == "planar":
            asked = self._frames_per_slice / stack.averaging
        else:
            asked = self._num_volumes_asked * stack.frames_per_slice / stack.averaging
        asked = math.floor(asked) if math.isfinite(asked) else asked
        asked *= len({(part.recording, part.acquisition) for part in self._parts})
        return int(asked) if math.isfinite(asked) else asked

    @property
    def channel_numbers(self) -> list[int]:
        """Number of each channel saved, from 1, as ScanImage counts them."""
        if self._raw:
            return [1]
        if self._channel is not None:
            return [self._channel]
        saved = self._channels_saved
        if not saved:
            raise HeaderError(
                "the header does not say which channels were saved (hChannels.channelSave); raw=True reads the "
                "pages as they lie"
            )
        return saved

    @property
    def channel_names(self) -> list[str]:
        """Name of each channel saved."""
        if self._raw:
            return ["pages"]
        names = listed(self._channel_names)
        return [
            str(names[n - 1]) if 0 < n <= len(names) and names[n - 1] else f"Channel {n}" for n in self.channel_numbers
        ]

    @property
    def channel_offsets(self) -> list[float]:
        """Offset of each channel saved, as ScanImage measured it last, in values of a pixel; NaN if not known."""
        names = ("hChannels.channelOffset", "hScan2D.channelOffsets")
        return [_number(value) for value in self._of_inputs(*names)]

    @property
    def channel_offsets_subtracted(self) -> list[bool]:
        """Whether ScanImage subtracted each channel's offset before it saved; False if not known."""
        names = ("hChannels.channelSubtractOffset", "hScan2D.channelsSubtractOffsets")
        return [_flag(value) for value in self._of_inputs(*names)]

    def _of_inputs(self, *names: str) -> list[Any]:
        """Take those of the saved channels from a list for all inputs of the digitizer; None where there is none.

        A virtual channel says which input it is taken from (section 10 of the format reference).
        """
        values: Any = next((self.settings[name] for name in names if name in self.settings), [])
        every = values if isinstance(values, list) else [values]
        inputs = []
        for n in self.channel_numbers:
            source = _text(self.settings.get(f"hScan2D.virtualChannelSettings__{n}.source"))
            said = re.search(r"(\d+)$", source)
            inputs.append(int(said[1]) if said else n - 1)
        return [every[i] if 0 <= i < len(every) else None for i in inputs]

    @property
    def channel_luts(self) -> list[tuple[float, float]]:
        """Values that each channel was shown from black to white with; NaN if not known."""
        values = _pairs(self.settings.get("hChannels.channelLUT"))
        unknown = (math.nan, math.nan)
        return [values[n - 1] if 0 < n <= len(values) else unknown for n in self.channel_numbers]

    @property
    def beam_powers(self) -> list[float]:
        """Power of each beam when the recording began, in percent; empty if not recorded.

        ROIs may have their own: see `Roi.powers`.
        """
        return _numbers(self.settings.get("hBeams.powers"))

    @property
    def actuator_positions(self) -> npt.NDArray[np.float64]:
        """Where each z actuator stood in each slice: µm, of shape (slices, actuators).

        Recorded since 2020; before, and where it does not fit the slices, the column of `scanning_depths`.
        """
        said = self.settings.get("hStackManager.zsAllActuators")
        rows = len(self._zs) if self.stack.mode != "planar" else 1
        values = np.array(_numbers(said))
        slices = len(self._depths)
        if self._raw or not values.size or not rows or values.size % rows or rows % slices:
            return np.array(self.scanning_depths)[:, None]
        return values.reshape(rows, -1)[:: rows // slices][: self.num_scanning_depths]

    @property
    def image_height(self) -> int:
        """Height of every field, in pixels; raises FieldDimensionMismatch if they differ."""
        return self._common(self.field_heights, "heights")

    @property
    def image_width(self) -> int:
        """Width of every field, in pixels; raises FieldDimensionMismatch if they differ."""
        return self._common(self.field_widths, "widths")

    @property
    def image_height_in_microns(self) -> float:
        """Height of every field, in µm; raises FieldDimensionMismatch if they differ."""
        return self._common(self.field_heights_in_microns, "heights in um")

    @property
    def image_width_in_microns(self) -> float:
        """Width of every field, in µm; raises FieldDimensionMismatch if they differ."""
        return self._common(self.field_widths_in_microns, "widths in um")

    @staticmethod
    def _common(values: list[V], what: str) -> V:
        if not np.allclose(values, values[0], rtol=1e-6, atol=0, equal_nan=True):
            raise FieldDimensionMismatch(
                f"fields differ: their {what} are {_shortened(values)}; read them one by one, or see scan.fields"
            )
        return values[0]

    @property
    def field_heights(self) -> list[int]:
        """Height of each field, in pixels."""
        return [field.height for field in self.fields]

    @property
    def field_widths(self) -> list[int]:
        """Width of each field, in pixels."""
        return [field.width for field in self.fields]

    @property
    def field_depths(self) -> list[float]:
        """Depth of each field, in µm."""
        return [field.depth for field in self.fields]

    @property
    def field_slices(self) -> list[int]:
        """Slice of each field, from 0."""
        return [field.slice_id for field in self.fields]

    @property
    def field_rois(self) -> list[list[int]]:
        """ROIs of each field, from 0."""
        return [field.roi_ids for field in self.fields]

    @property
    def field_masks(self) -> list[npt.NDArray[np.int64]]:
        """For each field, the ROI at each pixel."""
        return [field.roi_mask for field in self.fields]

    @property
    def field_offsets(self) -> list[npt.NDArray[np.float64]]:
        """For each field, seconds from the start of the volume to each pixel."""
        return [field.offset_mask for field in self.fields]

    @property
    def field_heights_in_microns(self) -> list[float]:
        """Height of each field, in µm."""
        return [field.height_in_microns for field in self.fields]

    @property
    def field_widths_in_microns(self) -> list[float]:
        """Width of each field, in µm."""
        return [field.width_in_microns for field in self.fields]

    @property
    def is_multiROI(self) -> bool:  # noqa: N802 - both ancestors' name
        """Whether fields are ROIs that the user drew."""
        return not self._raw and (self._mroi_enabled or len(self.rois) > 1) and len(self.rois) > 0

    @property
    def is_slow_stack(self) -> bool:
        """Whether the recording is a stack of several slices, each recorded by itself."""
        return self.stack.mode == "slow" and self.stack.slices > 1

    @property
    def is_slow_stack_with_fastZ(self) -> bool:  # noqa: N802 - both ancestors' name
        """Whether the fast z actuator moved between the slices of a slow stack."""
        return self.is_slow_stack and _text(self.settings.get("hStackManager.stackActuator")) == "fastZ"

    @property
    def is_resonant(self) -> bool:
        """Whether lines are scanned by a resonant mirror, so that pages of several ROIs have gaps."""
        if self.scan_mode in ("linear", "resonant"):
            return self.scan_mode == "resonant"
        if self.scanner_type in ("Linear", "GG"):
            return False
        if self.scanner_type in ("Resonant", "RG", "RGG"):
            return True
        return math.isfinite(self.scanner_frequency) and self.has_resonant_mirror is not False

    @property
    def fps(self) -> float:
        """Frames a second of each field.

        In a slow stack, within a slice; with averaging, of the averaged frames. Where a slice of a fast volume
        has several repeats, the mean over a volume: they follow each other, then the other slices come
        (`timestamps` have each frame's own time). By the header: the frames' own times differ from it by about
        1 in 10000. NaN with ``raw=True``, where a frame is a page.
        """
        if self._raw:
            return math.nan
        if self.stack.mode == "fast":
            return self.scan_volume_rate * self.layout.counts.repeats
        return self.scan_frame_rate / self.stack.averaging

    @property
    def initial_secondary_z(self) -> float | None:
        """Position of the second z motor when the recording began, in µm; None if there is none."""
        position = _numbers(self.settings.get("hMotors.motorPosition"))
        return position[3] if len(position) > 3 else None

    @property
    def version(self) -> str:
        """ScanImage's release as the header spells it, e.g. '2016b' or '2023'; '' if it does not."""
        return release_of(self.settings)[0]

    @property
    def release(self) -> str:
        """ScanImage's release in full, e.g. '2023.1'."""
        return ".".join(part for part in release_of(self.settings) if part)

    @property
    def filenames(self) -> list[str]:
        """The files, in order."""
        return [file.path for file in self._pages.files]

    # ---------------------------------------------------------- times, frame by frame

    @cached_property
    def frame_table(self) -> npt.NDArray[np.void]:
        """What is known of each frame that ScanImage logged: a structured array, one row for each.

        The channels of a frame share its row; flyback frames have rows, and so do frames of broken volumes that
        are not in the scan. Only descriptions are read, when it is first asked for.

        ===========================  ======================================================================
        file                         Number of the file in `filenames`, from 0.
        page                         Page of the frame's first channel in that file, from 0.
        volume, slice, repeat        Place in the scan, from 0; -1 for flyback frames (but for their volume) and
                                     for frames that are not in the scan. A field's frame is volume * repeats
                                     + repeat.
        is_flyback                   Whether it was scanned while the z actuator returned.
        frame_number                 ``frameNumbers``: raw frames since the grab or loop began, from 1; -1 if
                                     not said. Of an averaged frame, the last raw one's.
        acquisition_number           ``acquisitionNumbers``, from 1; -1 if not said.
        frame_number_acquisition     ``frameNumberAcquisition``: raw frames since the acquisition began (in a
                                     slow stack, the slice), from 1; -1 if not said.
        timestamp                    Seconds since the grab or loop began; NaN if not said. Of an averaged frame,
                                     when its last raw frame began.
        acquisition_trigger          Seconds, on the same clock, of the trigger that started the acquisition;
                                     NaN if there was none.
        next_file_marker             Seconds of the trigger that began a new file; NaN if there was none.
        end_of_acquisition,          1 on the last frame of an acquisition, and of the grab or loop; 0 if not,
        end_of_acquisition_mode      -1 if not said.
        dc_overvoltage               1 if the digitizer's input was over its range; -1 if not said.
        ===========================  ======================================================================

        Raises
        ------
        DamagedPageError, ChangedFileError
            If a page is not what it was when the scan was opened.
        """
        self._refuse_closed()
        return _fixed(read_table(self._pages, self.layout))

    @cached_property
    def timestamps_source(self) -> str:
        """Where `timestamps` come from: ``"file"``, or ``"frame rate"`` where ScanImage wrote none (3.x)."""
        first = self._descriptions(np.array([self.layout.stretches[0].page]), NUMBERS_END)
        known = not np.isnan(timestamps(first)).all() or not np.isnan(self._recorded_times(0)).all()
        return "file" if known else "frame rate"

    def _recorded_times(self, slice_id: int) -> npt.NDArray[np.float64]:
        return read_timestamps(self._pages, self.layout.page_numbers(slice_id, 0, np.arange(self.num_frames)))

    @cached_property
    def timestamps(self) -> npt.NDArray[np.float64]:
        """When each slice was scanned in each frame: seconds since `start_time`, of shape (slices, frames).

        A frame's stamp is when its scan began; of an averaged frame, when the last of its raw frames began (it
        covers the `averaging` raw frames up to that). NaN where a description says none, and with ``raw=True``
        where they would come from the frame rate. Recordings that were joined count each from its own start.
        """
        return _fixed(np.stack([self._times_of_slice(i) for i in range(self.num_scanning_depths)]))

    def field_timestamps(self, field: int) -> npt.NDArray[np.float64]:
        """When a field's page was begun in each frame: seconds since `start_time`, of shape (frames,).

        ``scan.field_timestamps(i)[t] + scan.fields[i].offsets`` is when each pixel was seen.

        Parameters
        ----------
        field : int
        """
        slice_id = self.fields[from_start(field, self.num_fields, "field")].slice_id
        if "timestamps" in self.__dict__:
            return np.asarray(self.timestamps[slice_id])
        return self._times_of_slice(slice_id)

    def _times_of_slice(self, slice_id: int) -> npt.NDArray[np.float64]:
        self._refuse_closed()
        if self.timestamps_source == "file":
            return self._recorded_times(slice_id)
        raw = (self.frame_indices(slice_id) + 1) * self.stack.averaging - 1
        return np.asarray(raw / (math.nan if self._raw else self.scan_frame_rate), np.float64)

    def frame_indices(self, slice_id: int = -1, *, pages: bool = False, channel: int = 0) -> npt.NDArray[np.int64]:
        """Index of the ScanImage frame that each frame of a slice was, among all that were logged.

        A DAQ that recorded one pulse a logged frame, flyback included, has the pulse of frame ``t`` at
        ``frame_indices(slice_id)[t]``. Frames that are missing from the files are counted, where frame numbers
        tell. With averaging over A, one index stands for A raw frames: the last of them is ``(index + 1) * A - 1``.
        With ``raw=True`` frames are pages, and these are counted.

        Parameters
        ----------
        slice_id : int
            The last by default, as in roiextractors.
        pages : bool
            Give pages instead: numbers of a channel's pages among those of all files.
        channel : int
            Of which channel, for `pages`.

        Returns
        -------
        int array of shape (frames,)
        """
        slice_id = from_start(slice_id, self.num_scanning_depths, "slice")
        channel = from_start(channel, self.num_channels, "channel")
        frames = np.arange(self.num_frames)
        if pages:
            return self.layout.page_numbers(slice_id, channel, frames)
        numbers = self.layout.page_numbers(slice_id, 0, frames)
        firsts = np.array([stretch.page for stretch in self.layout.stretches])
        which = np.searchsorted(firsts, numbers, side="right") - 1
        indices: npt.NDArray[np.int64] = np.array(self._first_indices)[which] + (
            (numbers - firsts[which]) // self.num_channels
        )
        return indices

    @cached_property
    def _first_indices(self) -> list[int]:
        """Index of the logged frame that each stretch begins with: by its number, else counted in the files."""
        a, c = self.stack.averaging, self.num_channels
        stretches = self.layout.stretches
        begins = np.array([stretch.page for stretch in stretches])
        said = [frame_numbers(text) for text in self._descriptions(begins, NUMBERS_END)]
        owners = np.searchsorted([part.first for part in self._parts], begins, side="right") - 1
        indices: list[int] = []
        index, ended, last, recording = 0, 0, None, None  # behind the stretch before
        for stretch, number, owner in zip(stretches, said, owners.tolist(), strict=True):
            part = self._parts[owner]
            counted = index + (stretch.page - ended) // c
            if self._raw or number.frame is None:
                index = counted
            elif last is None or part.recording != recording:
                start = min(p.first for p in self._parts if p.recording == part.recording)
                index += (start - ended) // c + self._index_by_number(number, part, counted=(stretch.page - start) // c)
            else:  # between acquisitions, raw frames that were too few to be averaged were not saved
                index = max(counted, index + (number.frame - last) // a - 1)
            indices.append(index)
            frames = stretch.volumes * self.layout.counts.frames_per_volume
            last = None if number.frame is None else number.frame + (frames - 1) * a
            index, ended, recording = index + frames, stretch.page + frames * c, part.recording
        return indices

    def _index_by_number(self, number: FrameNumbers, part: Part, *, counted: int) -> int:
        """Index of a recording's first whole frame, of those of its own acquisition."""
        a, state = self.stack.averaging, self.settings.get("acqState")
        if self.stack.mode != "slow" and number.in_acquisition is not None:
            return max(counted, number.in_acquisition // a - 1)
        if state == "grab" or (state is None and not part.leads):
            return max(counted, (number.frame or 0) // a - 1)
        return counted

    @cached_property
    def start_time(self) -> datetime | None:
        """When the grab or loop began, by the microscope's clock, which says no time zone; None if unknown.

        It is ScanImage's ``epoch``: time zero of `timestamps`.
        """
        (text,) = self._descriptions(np.array([0]), EPOCH_END)
        return as_datetime(epoch(text))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Edges of the auxiliary triggers and packets of I2C, in the order of the frames they came with.

        Each once, though ScanImage repeats it beside every channel. The times are on the clock of `timestamps`.

        Warns
        -----
        ScanReaderWarning
            If ScanImage had to cut descriptions: later events of those frames were never written.
        """
        self._refuse_closed()
        events, cut = read_events(self._pages, self.frame_table)
        if cut:
            warnings.warn(
                f"ScanImage cut the descriptions of {_counted(cut, 'frame')} short: some of their events are missing",
                ScanReaderWarning,
                stacklevel=2,
            )
        return tuple(events)

    def canvas(
        self,
        slice_id: int = 0,
        channel: int = 0,
        frames: Any = slice(None),
        how: str = "mean",
        *,
        pixel_size: float | None = None,
        fill: float = math.nan,
    ) -> Canvas:
        """Place the fields of one slice by their centres into one picture, as they lie in the sample.

        Parameters
        ----------
        slice_id, channel : int
        frames : int, slice or list of int
            Which frames; a slice or list is reduced to one picture.
        how : {"mean", "max"}
            How frames become one picture. They are read some at a time.
        pixel_size : float, optional
            Of the picture, in µm; by default the smallest of the fields.
        fill : float
            Where nothing was scanned.

        Returns
        -------
        Canvas
            ``canvas.image`` has shape (y, x); where fields overlap, the later in `fields` is seen. Each of its
            pixels is the nearest of the field: nothing is interpolated.

        Warns
        -----
        ScanReaderWarning
            If the header does not say how many µm a degree is (``objectiveResolution``): then it is in degrees.
        """
        from scanreader.view.canvas import canvas  # noqa: PLC0415 - it stands on this module

        return canvas(self, slice_id, channel, frames, how, pixel_size=pixel_size, fill=fill)

    def plot(
        self,
        *,
        fields: Any = None,
        channels: Any = slice(None),
        frames: Any = slice(None),
        max_frames: int | None = None,
        percentiles: tuple[float, float] = (1, 99.5),
    ) -> Figure:
        """Draw what the recording looks like: each field and channel as the mean of evenly spaced frames.

        Fields of a multi-ROI recording are also placed as they lie in the sample, turned where they are; a volume
        becomes a contact sheet. Fields are as large as there is room, with a scale bar wherever the scale changes.

        Parameters
        ----------
        fields, channels : int, slice, sequence or mask
            Which to draw; by default all channels, and all fields but those of some slices where there are more
            than 100 fields.
        frames : int, slice, sequence or mask
            Which frames to take the mean of.
        max_frames : int, optional
            How many of them to read, evenly spaced; by default up to 60, fewer where fields are so many or
            so large that these would be more than 1 GiB of 16-bit integers.
        percentiles : (float, float)
            Of the values of each picture, those that become black and white.

        Returns
        -------
        matplotlib.figure.Figure
            Notebooks show it; ``savefig`` writes it. pyplot is not touched, and no display is needed.

        Raises
        ------
        ScanIndexError
            If nothing is picked, or something that is not there.
        MissingExtraError
            If matplotlib is not installed.
        """
        needed("matplotlib", "plot")
        from scanreader.view.plots import plot  # noqa: PLC0415 - an extra

        return plot(self, fields, channels, frames, max_frames, percentiles)

    def plot_layout(self) -> Figure:
        """Draw where the fields lie: a map of the sample, in µm, and beside it where each stands in the page.

        Slices are colours; a ROI that is scanned in several has a band of each. Nothing is read.

        Returns
        -------
        matplotlib.figure.Figure
            As of `plot`.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        needed("matplotlib", "plot")
        from scanreader.view.layout_plot import plot_layout  # noqa: PLC0415 - an extra

        return plot_layout(self)

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: Callable[[str, float], object] | None = None,
    ) -> None:
        """Write what the recording is, and how good, as one HTML page that needs nothing but itself.

        It has the facts, what `check` finds and what that means, the pictures, brightness over time, the intervals
        between frames, the events, saturation, the offset between scan directions (which is shown, and never taken
        out) and all settings. Of a large recording some frames are read, evenly spaced, and the page says which.
        Pages that cannot be read are left out.

        Parameters
        ----------
        path : path
            E.g. ``"report.html"``. It has its name when it is whole.
        overwrite : bool
            Replace what is there.
        progress : callable, optional
            Is told what is done next, and which part of all is done: between 0 and 1.

        Raises
        ------
        TargetExistsError
            If there is something of that name.
        MissingExtraError
            If jinja2 or matplotlib is not installed.
        """
        needed("jinja2", "report")
        needed("matplotlib", "report")
        from scanreader.view.report import write  # noqa: PLC0415 - an extra

        self._refuse_closed()
        write(self, path, overwrite=overwrite, progress=progress)

    def check(self) -> Report:
        """Look at the whole recording for what is missing, doubled, damaged or odd.

        Reads the IFD and the description of every page, no pixels.

        Returns
        -------
        Report
            Its `ok` is whether nothing is wrong; printed, it says everything that was found.
        """
        from scanreader.check import check  # noqa: PLC0415 - it stands on this module

        self._refuse_closed()
        return check(self)

    # ----------------------------------------------------------------------- metadata

    @cached_property
    def _block(self) -> Block:
        return read_block(self._pages.files[0]) or Block("", "", None)

    @cached_property
    def settings(self) -> Header:
        """The header's settings, found by name with or without ``SI.``."""
        return Header(self._block.text)

    @property
    def header(self) -> str:
        """The header's text, as ScanImage wrote it."""
        return self._block.text

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Every setting, by its name in the header; values are parsed when asked for."""
        return self.settings

    @cached_property
    def roi_metadata(self) -> dict[str, Any]:
        """The JSON of the ROI groups; empty if there is none or it is broken."""
        try:
            parsed = parse_json(self._block.rois) if self._block.rois else {}
        except HeaderError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    # ------------------------------------------------------------------ where it goes next

    @property
    def token(self) -> str:
        """What tells this scan from others: equal for equal files that are read alike, in any process."""
        files = [(file.path, file.size, file.mtime_ns, file.stamp) for file in self._pages.files]
        facts = (files, self.dtype.str, self._raw, self._joined, tuple(self._trim), self._pages.fill, self.num_frames)
        return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def __dask_tokenize__(self) -> str:
        return self.token

    def byte_places(self, field: int) -> BytePlaces:
        """Find where the pixels of a field stand in the files.

        Parameters
        ----------
        field : int

        Returns
        -------
        BytePlaces
            For each frame and channel, the file (of `filenames`) and the byte of the field's first pixel.

        Raises
        ------
        FileFormatError, LayoutError, DtypeError, DamagedPageError, ChangedFileError
            As `to_references`.
        """
        self._refuse_closed()
        one, form = self.fields[from_start(field, self.num_fields, "field")], self._pages.form
        if len(one.pieces) > 1:
            raise LayoutError(
                f"the pixels of field {field} stand in {len(one.pieces)} places of a page: open the recording without "
                "join_contiguous"
            )
        if self.dtype != self._pages.dtype:
            raise DtypeError(f"the files hold {self._pages.dtype}, not {self.dtype}: open the recording without dtype")
        orders = {file.form.dtype for file in self._pages.files}
        if len(orders) > 1:
            raise LayoutError(f"the files differ in their byte order ({', '.join(sorted(orders))}): name them apart")
        (piece,), itemsize = one.pieces, self.dtype.itemsize
        numbers = self.layout.page_numbers(one.slice_id, np.arange(self.num_channels), np.arange(self.num_frames))
        notes: list[str] = []
        files, offsets = self._pages.places(numbers.ravel(), notes)
        warn_of(notes)
        offsets += (piece.page_y * form.width + piece.page_x) * itemsize
        return BytePlaces(
            files.reshape(numbers.shape),
            offsets.reshape(numbers.shape),
            form.width * itemsize,
            piece.width == form.width,
            np.dtype(form.dtype),
        )

    # ------------------------------------------------------------- still being written

    @cached_property
    def _numbers(self) -> dict[int, FrameNumbers]:
        """Frame numbers that were read when the scan was opened; not pickled."""
        return {}

    @cached_property
    def _opened(self) -> tuple[Any, ...]:
        """The files as `read_scan` found them; not pickled."""
        return ()

    def refresh(self) -> Scan:
        """Look at the recording again, while ScanImage writes it: what has come since is in a new scan.

        Returns
        -------
        Scan
            With the frames that are complete by now, of all files that are there by now. This one stays as it is,
            and can be read as before.

        Raises
        ------
        ChangedFileError, PathnameError, …
            As `read_scan`, if the files are not those of this recording any more.

        Warns
        -----
        ScanReaderWarning
            Of what was not said of this scan.
        """
        from scanreader.live import refreshed  # noqa: PLC0415 - it stands on this module

        return refreshed(self)

    def follow(
        self, timeout: float = 60.0, *, field: int | None = None, interval: float = 0.1
    ) -> Iterator[npt.NDArray[Any]]:
        """Read frames as ScanImage writes them, those after this scan's own, until the acquisition ends.

        Parameters
        ----------
        timeout : float
            Seconds without a new frame after which it is given up, with a warning.
        field : int, optional
            Read one field; needed where fields differ in size.
        interval : float
            Seconds between looks at the files.

        Yields
        ------
        array of shape (fields, y, x, channels, frames)
            The frames that came; (y, x, channels, frames) of one field. Each frame once, in order, and none that is
            not complete.

        Raises
        ------
        FieldDimensionMismatch
            If fields differ in size, and none is named.
        """
        from scanreader.live import follow  # noqa: PLC0415 - it stands on this module

        return follow(self, timeout, field=field, interval=interval)

    # ------------------------------------------------------------------------ lifetime

    def close(self) -> None:
        """Refuse reads from now on, and let go of all files."""
        self.__dict__["_closed"] = True
        self._pages.release()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ClosedScanError("the scan was closed; read_scan opens it again")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __setattr__(self, name: str, value: object) -> None:
        if "_closed" in self.__dict__:
            raise AttributeError(f"a scan does not change: {name} cannot be set")
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        """All but what is read again on demand."""
        attributes = ((name, getattr(type(self), name, None)) for name in self.__dict__)
        kept = (name for name, made in attributes if not isinstance(made, cached_property))
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        sizes = sorted({(field.height, field.width) for field in self.fields})
        shown = f"{sizes[0][0]} x {sizes[0][1]}" if len(sizes) == 1 else f"{len(sizes)} sizes"
        name, more = file_name(self.filenames[0]), len(self.filenames) - 1
        files = f"{name} and {more} more" if more else name
        return (
            f"<{type(self).__name__} {files}: {_counted(self.num_fields, 'field')} ({shown}), "
            f"{_counted(self.num_channels, 'channel')}, {_counted(self.num_frames, 'frame')}, {self.dtype}>"
        )

    def _repr_html_(self) -> str:
        """What notebooks show."""
        from scanreader.view.html import scan_html  # noqa: PLC0415 - it stands on this module

        return scan_html(self)


def _fixed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Keep an array that a scan holds from being changed by who asked for it."""
    array.flags.writeable = False
    return array


def _pairs(value: Any) -> list[tuple[float, float]]:
    """Turn a cell of pairs into tuples; NaN where one is no pair."""
    pairs = [_numbers(pair) for pair in value] if isinstance(value, list) else []
    return [(pair[0], pair[1]) if len(pair) == 2 else (math.nan, math.nan) for pair in pairs]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _check_alike(fields: Sequence[int], places: Sequence[tuple[Pick, Pick]]) -> None:
    for axis, which in ((AXES[1], 0), (AXES[2], 1)):
        sizes = [len(place[which].indices) for place in places]
        if len(set(sizes)) > 1:
            raise FieldDimensionMismatch(
                f"fields {_shortened(fields)} give {_shortened(sizes)} {axis}s; read them one by one, "
                "or ask for a part that all have"
            )


def _shortened(values: Sequence[Any]) -> str:
    shown = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values[:10])
    return f"{shown}, …" if len(values) > 10 else shown


def _output_dtype(native: np.dtype[Any], asked: DTypeLike | None) -> np.dtype[Any]:
    if asked is None:
        return native
    try:
        dtype = np.dtype(asked)
    except TypeError as error:
        raise DtypeError(f"{asked!r} is not a dtype: {error}") from None
    if dtype.kind not in "iufc" or dtype.shape or not np.can_cast(native, dtype, "safe"):
        raise DtypeError(
            f"{dtype} cannot hold every value of a recording of {native}; leave dtype out, or ask for one that "
            "can (float32 holds 16-bit integers)"
        )
    return dtype


# ------------------------------------------------------------------ older releases


class PlainScan(Scan):
    """A TIFF that ScanImage did not write; see Scan. Every page is a frame of one field."""

    def _find_stack(self) -> Stack:
        return Stack("planar")

    @property
    def channel_numbers(self) -> list[int]:
        """One channel."""
        return [1]


class Scan2016(Scan):
    """A recording of ScanImage 5.3 to 5.6 or 2016a to 2019a; see Scan. The fast z settings say how."""

    _num_volumes_asked = Setting(_count, "hFastZ.numVolumes", doc="Volumes asked for.")

    def _find_stack(self) -> Stack:
        channels, a = self._num_channels_saved(), self._averaging()
        if _flag(self.settings.get("hFastZ.enable")):
            return self._find_fast_stack(channels, a)
        slices, frames = self._num_slices_asked, self._frames_per_slice
        if "hFastZ.enable" not in self.settings and "hFastZ.numFramesPerVolume" in self.settings and slices > 1:
            raise LayoutError(
                f"the header has {slices:g} slices and does not say whether they were scanned fast or slow "
                "(hFastZ.enable); raw=True reads the pages as they lie"
            )
        if not slices > 1 or frames == math.inf:
            return Stack("planar", channels=channels, averaging=a)
        s = whole_number(slices, "hStackManager.numSlices")
        f = whole_number(frames, "hStackManager.framesPerSlice")
        return Stack("slow", channels, s, f, s * f, a)

    def _find_fast_stack(self, channels: int, averaging: int) -> Stack:
        """A volume of `numFramesPerVolume` frames, flyback included, of one frame a slice."""
        total = _count(self.settings.get("hFastZ.numFramesPerVolume"))
        flyback = _count(self.settings.get("hFastZ.numDiscardFlybackFrames"))
        if self.settings.get("hFastZ.discardFlybackFrames") in (False, 0):  # before 5.4 the user's own switch
            flyback = 0
        in_acquisition = _count(self.settings.get("hStackManager.slicesPerAcq"))
        candidates = [n for n in (self._num_slices_asked, len(self._zs)) if n >= 1]
        slices = in_acquisition if in_acquisition >= 1 else max(candidates, default=1)
        if math.isfinite(total) and math.isfinite(flyback) and total - flyback != slices:
            fitting = [n for n in candidates if n == total - flyback]
            if not fitting and (slices > 1 or total > 1):
                raise LayoutError(
                    f"a volume of {total:g} frames (hFastZ.numFramesPerVolume) with {flyback:g} flyback frames "
                    f"(numDiscardFlybackFrames) is not one of {slices:g} slices; raw=True reads the pages"
                )
            slices = fitting[0] if fitting else slices
        if math.isnan(total):
            if slices > 1:
                raise LayoutError(
                    f"the header does not say how many frames a volume of {slices:g} slices has "
                    "(hFastZ.numFramesPerVolume); raw=True reads the pages as they lie"
                )
            total = 1
        s = whole_number(slices, "hStackManager.numSlices")
        t = whole_number(total, "hFastZ.numFramesPerVolume")
        if s <= 1 and t <= 1:
            return Stack("planar", channels=channels, averaging=averaging)
        return Stack("fast", channels, s, 1, t, averaging)

    def _find_depths(self) -> list[float]:
        """Depth of each slice: each z stands once; without a stack it is where the fast z actuator stood."""
        if self.stack.mode == "planar":
            at = self.fast_z_position
            return [at] if math.isfinite(at) else self._zs[:1] or [math.nan]
        zs = self._zs
        if len(zs) != self.stack.slices and _flag(self.settings.get("hFastZ.useArbitraryZs")):
            zs = _numbers(self.settings.get("hFastZ.userZs"))
        return self._checked_depths(zs)

    @property
    def is_slow_stack_with_fastZ(self) -> bool:  # noqa: N802 - both ancestors' name
        """Whether the fast z actuator moved between the slices of a slow stack."""
        return self.is_slow_stack and _flag(self.settings.get("hStackManager.slowStackWithFastZ"))


class Scan2015(Scan2016):
    """A recording of ScanImage 5.2 or 2015.4, the first to write BigTIFF; see Scan."""


class Scan5Point1(Scan2015):
    """A recording of ScanImage 5.1 or 2015.0 to 2015.3, in classic TIFF; see Scan."""


class Scan5Point0(Scan):
    """A recording of ScanImage 4.x or 5.0, without a stack; see Scan."""

    zoom = Setting(_number, "zoomFactor", "scanZoomFactor", doc="Zoom factor.")
    is_bidirectional = Setting(_flag, "bidirectionalAcq", doc="Whether lines are scanned in both directions.")
    averaging = Setting(_count, "acqNumAveragedFrames", doc="Raw frames averaged into each saved one.")
    frames_per_file = Setting(_count, "loggingFramesPerFile", doc="Frames after which a file is rolled.")
    scan_frame_period = Setting(_number, "scanFramePeriod", doc="Seconds per raw frame.")
    seconds_per_line = Setting(_number, "scanLinePeriod", doc="Seconds per scan line.")
    spatial_fill_fraction = Setting(_number, "fillFraction", doc="Part of each line's width that is imaged.")
    temporal_fill_fraction = Setting(_number, "fillFractionTime", doc="Part of each line's time that is imaged.")
    motor_position_at_zero = Setting(_numbers, "motorPosition", doc="Position of the stage, in µm.")
    _channels_saved = Setting(_integers, "channelsSave", doc="Numbers of the channels saved.")
    _channel_names = Setting(_plain, "channelsName", doc="Names of all channels.")
    _frames_per_slice = Setting(_count, "acqNumFrames", doc="Raw frames a slice.")

    def _find_stack(self) -> Stack:
        slices = _count(self.settings.get("stackNumSlices"))
        fast = [self.settings[name] for name in ("fastZEnable", "fastZActive") if name in self.settings]
        if not self._channels_saved or not slices <= 1 or not fast or any(_flag(on) for on in fast):
            raise ScanImageVersionError(
                f"the order of pages of this ScanImage {self.release} recording is not known: it needs "
                "channelsSave, stackNumSlices = 1 and fastZEnable = false, and the header says "
                f"{self._channels_saved}, {slices:g} and {fast}; raw=True reads the pages as they lie"
            )
        return Stack("planar", channels=self._num_channels_saved(), averaging=self._averaging())

    def _find_depths(self) -> list[float]:
        return [math.nan]

    @property
    def scan_frame_rate(self) -> float:  # type: ignore[override] # it is derived here
        """Raw frames a second."""
        return _inverse(self.scan_frame_period)


class Scan3(Scan):
    """A recording of ScanImage 3.x, which wrote no frame numbers and no times; see Scan."""

    zoom = Setting(_number, "acq.zoomFactor", doc="Zoom factor.")
    is_bidirectional = Setting(_flag, "acq.bidirectionalScan", doc="Whether lines are scanned in both directions.")
    averaging = Setting(_count, "acq.numAvgFramesSave", doc="Raw frames averaged into each saved one.")
    frames_per_file = Setting(_count, "acq.framesPerFile", doc="Frames after which a file is rolled.")
    scan_frame_rate = Setting(_number, "acq.frameRate", doc="Raw frames a second.")
    temporal_fill_fraction = Setting(_number, "acq.fillFraction", doc="Part of each line's time that is imaged.")
    _frames_per_slice = Setting(_count, "acq.numberOfFrames", doc="Raw frames a slice.")
    _num_slices_asked = Setting(_count, "acq.numberOfZSlices", doc="Slices, as the user set them.")

    def _find_stack(self) -> Stack:
        """Frames or slices: 3.x never wrote several of both, so a header that says so is refused."""
        channels, a, slices = self._num_channels_saved(), self._averaging(), self._num_slices_asked
        if not slices > 1:
            return Stack("planar", channels=channels, averaging=a)
        s = whole_number(slices, "state.acq.numberOfZSlices")
        frames = self._frames_per_slice
        if frames in (1, a):
            return Stack("slow", channels, s, a, s * a, a)
        if len(self._pages) == s * channels:
            said = f"{frames:g} frames a slice (numberOfFrames), but one page of each"
            self._findings.append(Finding("header-mismatch", "warning", "", said))
            return Stack("slow", channels, s, a, s * a, a)
        raise LayoutError(
            f"{frames:g} frames (state.acq.numberOfFrames) and {s} slices (numberOfZSlices) in {len(self._pages)} "
            "pages: which come first is not known; raw=True reads the pages as they lie"
        )

    def _find_depths(self) -> list[float]:
        """Depths relative to the first slice."""
        step = _number(self.settings.get("acq.zStepSize"))
        return [0.0, *(i * step for i in range(1, self.stack.slices))]

    @property
    def channel_numbers(self) -> list[int]:
        """Channels that were both acquired and saved."""
        if self._raw:
            return [1]
        on = [
            n
            for n in range(1, 5)
            if _flag(self.settings.get(f"acq.savingChannel{n}"))
            and _flag(self.settings.get(f"acq.acquiringChannel{n}", 1))
        ]
        if not on:
            raise HeaderError("the header says that no channel was saved; raw=True reads the pages as they lie")
        return on

    @property
    def seconds_per_line(self) -> float:  # type: ignore[override] # it is derived here
        """Seconds per scan line."""
        return _number(self.settings.get("acq.msPerLine")) / 1000

    @property
    def scan_frame_period(self) -> float:  # type: ignore[override] # it is derived here
        """Seconds per raw frame."""
        return _inverse(self.scan_frame_rate)

    @cached_property
    def start_time(self) -> datetime | None:
        """When the first file was begun, by the microscope's clock; None if unknown."""
        said = re.fullmatch(
            r"(\d+)/(\d+)/(\d{4}) +(\d+):(\d+):([\d.]{1,9})", _text(self.settings.get("internal.triggerTimeString"))
        )
        if said is None:
            return None
        month, day, year, hours, minutes, seconds = map(float, said.groups())
        return as_datetime((year, month, day, hours, minutes, seconds))

    @property
    def is_resonant(self) -> bool:
        """3.x scanned with galvos."""
        return False

    @property
    def motor_position_at_zero(self) -> list[float]:  # type: ignore[override] # it is derived here
        """Position of the stage: x, y and z in µm."""
        return [_number(self.settings.get(f"motor.abs{axis}Position")) for axis in "XYZ"]


# ---------------------------------------------------------------- newer releases


class Scan2019(Scan):
    """A recording of ScanImage 5.7 or 2019b; see Scan. The stack manager says how volumes were scanned."""


class Scan2020(Scan2019):
    """A recording of ScanImage 2020; see Scan. The fast z actuator has one position."""

    fast_z_position = Setting(_number, "hFastZ.position", doc="Position of the fast z actuator, in µm.")


class Scan2021(Scan2020):
    """A recording of ScanImage 2021 or later; see Scan. The stage is known in the sample's coordinates alone."""

    motor_position_at_zero = Setting(
        _numbers,
        "hMotors.samplePosition",
        "hMotors.motorPosition",
        doc="Position of the stage when the recording began: x, y and z in µm.",
    )


class Release(NamedTuple):
    """A release of ScanImage that is known."""

    name: str
    scan: type[Scan]
    container: str
    """The kind of TIFF, and the version of the block at its start."""
    evidence: str
    """How the reading of it was checked."""


_SOURCE, _HEADERS, _TABLE = "ScanImage's sources", "real headers", "the format reference"

VERSIONS: tuple[Release, ...] = (
    Release("3.5", Scan3, "classic TIFF", _TABLE),
    Release("3.6", Scan3, "classic TIFF", _TABLE),
    Release("3.7", Scan3, "classic TIFF", _TABLE),
    Release("3.8", Scan3, "classic TIFF", "a real recording"),
    Release("4", Scan5Point0, "classic TIFF", _TABLE),
    Release("4.0", Scan5Point0, "classic TIFF", _TABLE),
    Release("4.1", Scan5Point0, "classic TIFF", _TABLE),
    Release("4.2", Scan5Point0, "classic TIFF", _TABLE),
    Release("5.0", Scan5Point0, "classic TIFF", _HEADERS),
    Release("5.1", Scan5Point1, "classic TIFF, version 1", _SOURCE),
    Release("2015.0", Scan5Point1, "classic TIFF, version 1", _HEADERS),
    Release("2015.1", Scan5Point1, "classic TIFF, version 1", _TABLE),
    Release("2015.2", Scan5Point1, "classic TIFF, version 2", _TABLE),
    Release("2015.3", Scan5Point1, "classic TIFF, version 2", _TABLE),
    Release("5.2", Scan2015, "BigTIFF, version 3", _HEADERS),
    Release("2015.4", Scan2015, "BigTIFF, version 3", _HEADERS),
    Release("5.3", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("2016a", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("2016b", Scan2016, "BigTIFF, version 3", _HEADERS),
    Release("2017a", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("2017b", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("5.4", Scan2016, "BigTIFF, version 3", _SOURCE),
    Release("2018a", Scan2016, "BigTIFF, version 3", _HEADERS),
    Release("5.5", Scan2016, "BigTIFF, version 3", _SOURCE),
    Release("2018b", Scan2016, "BigTIFF, version 3", _TABLE),
    Release("5.6", Scan2016, "BigTIFF, version 3 or 4", _TABLE),
    Release("2019a", Scan2016, "BigTIFF, version 3 or 4", _TABLE),
    Release("5.7", Scan2019, "BigTIFF, version 4", "a real recording"),
    Release("2019b", Scan2019, "BigTIFF, version 4", _HEADERS),
    Release("2020", Scan2020, "BigTIFF, version 4", _HEADERS),
    Release("2020.0", Scan2020, "BigTIFF, version 4", _TABLE),
    Release("2020.1", Scan2020, "BigTIFF, version 4", _HEADERS),
    Release("2021.0", Scan2021, "BigTIFF, version 4", "a real recording"),
    Release("2021.1", Scan2021, "BigTIFF, version 4", _TABLE),
    Release("2022.0", Scan2021, "BigTIFF, version 4", _HEADERS),
    Release("2022.1", Scan2021, "BigTIFF, version 4", _TABLE),
    Release("2023.0", Scan2021, "BigTIFF, version 4", "a real recording"),
    Release("2023.1", Scan2021, "BigTIFF, version 4", _HEADERS),
)


def release_of(settings: Header) -> tuple[str, str, str]:
    """Major, minor and update of the release that wrote a header, '' where it does not say."""
    spelled = (settings.get("VERSION_MAJOR"), settings.get("VERSION_MINOR"), settings.get("VERSION_UPDATE"))
    if spelled[0] is None:
        version = settings.get("software.version")
        return ("" if version is None else f"{version}", "", "")
    major, minor, update = ("" if part is None or part == [] else f"{part}" for part in spelled)
    return major, minor, "" if update == "0" else update


def scan_class(settings: Header) -> tuple[type[Scan], list[Finding]]:
    """Choose the class for a header, by the release that it names and by the settings that are there.

    Returns
    -------
    type of Scan
    findings : list of Finding
        What the user should know: that the release is not known.

    Raises
    ------
    ScanImageVersionError
        If nothing in the header says how to read it.
    """
    major, minor, update = release_of(settings)
    rows = {row.name: row.scan for row in VERSIONS}
    found = rows.get(f"{major}.{minor}" if minor else major) or rows.get(major)
    findings: list[Finding] = []
    if found is None:
        newest = VERSIONS[-1]
        found = _class_by_keys(settings)
        if found is None:
            raise ScanImageVersionError(
                f"the header is of ScanImage {major or 'of no known release'}, and no setting in it tells the "
                "order of pages; raw=True reads the pages as they lie"
            )
        name = ".".join(part for part in (major, minor, update) if part) or "of no known release"
        said = f"ScanImage {name} is not among the known releases (up to {newest.name}); read as {found.__name__}"
        findings.append(Finding("unknown-release", "warning", "", said))
    return _adjusted(found, settings), findings


def _class_by_keys(settings: Header) -> type[Scan] | None:
    if settings.prefix in ("scanimage.SI4.", "scanimage.SI5."):
        return Scan5Point0
    if settings.prefix == "state.":
        return Scan3
    if "hStackManager.enable" in settings or "hStackManager.actualNumSlices" in settings:
        return VERSIONS[-1].scan
    if "hFastZ.enable" in settings:
        return Scan2016
    return VERSIONS[-1].scan if "hChannels.channelSave" in settings else None


def _adjusted(found: type[Scan], settings: Header) -> type[Scan]:
    """Look at the settings before trusting the number: some releases exist in two spellings."""
    managed = "hStackManager.enable" in settings or "hStackManager.actualNumSlices" in settings
    if issubclass(found, Scan2016) and managed:
        return Scan2019
    if issubclass(found, Scan2019) and not managed and "hFastZ.numFramesPerVolume" in settings:
        return Scan2016
    return found
