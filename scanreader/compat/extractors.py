"""roiextractors' extractors for ScanImage, with the same signatures, that read with `scanreader.read_scan`."""

from __future__ import annotations

import copy
import math
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from roiextractors import ImagingExtractor

from scanreader.compat.acquisitions import find_files, settings_of, stack_of
from scanreader.compat.refusals import IntervalError
from scanreader.compat.tiffreader import ScanImageTiffReader
from scanreader.compat.utilities import general_metadata, header_of, saved_channels
from scanreader.errors import FieldDimensionMismatch, PathnameError, ScanIndexError, ScanKeyError
from scanreader.reader import read_scan
from scanreader.recording.views import whole_pages
from scanreader.scanimage.descriptions import timestamps

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, DTypeLike

    from scanreader.scans import Scan

    Pathname = str | os.PathLike[str]

SUFFIXES = (".tiff", ".tif", ".TIFF", ".TIF")


def _check_suffix(path: Path, extractor: str) -> None:
    if path.suffix not in SUFFIXES:
        warnings.warn(
            f"Suffix ({path.suffix}) is not of type {', '.join(SUFFIXES)}! The {extractor} may not be appropriate "
            "for the file.",
            UserWarning,
            stacklevel=3,
        )


class ScanImageImagingExtractor(ImagingExtractor):  # type: ignore[misc] # roiextractors has no types
    """One channel of a ScanImage recording for roiextractors' tools, with the signature of roiextractors' own class.

    It also reads correctly what roiextractors does not: any release, averaged recordings, stacks at arbitrary depths,
    files of more than 65,535 pages, missing frames. A sample is a volume, or a frame of a planar recording.

    Parameters
    ----------
    file_path : path, optional
        A file; the others of its acquisition are found by roiextractors' rules. It or `file_paths` must be given.
    channel_name : str, optional
        The channel; required if there are several.
    file_paths : list of path, optional
        All files, in order.
    slice_sample : int, optional
        The repeat of each slice that is read, if there are several.
    plane_index : int, optional
        The only plane of a volume to read, which makes the extractor planar.
    interleave_slice_samples : bool
        Read all repeats of each slice, one after the other, as samples.
    roi_index, roi_name : int or str, optional
        The ROI of a multi-ROI recording to read, at every depth at which it was scanned; whole pages by default.
    field_index : int, optional
        The only field to read, with its index in `scanreader.read_scan`.

    Attributes
    ----------
    file_path, file_paths : path, list of path
    channel_name, channel_names : str, list of str
    is_volumetric : bool
    num_flyback_frames_per_channel : int
        Flyback frames that were saved after each volume, of a channel.
    scan : Scan
        What reads the files.

    Raises
    ------
    ValueError
        If a required parameter is missing, or names something that the recording lacks.
    PathnameError, FileFormatError, LayoutError, …
        See `scanreader.read_scan`.
    """

    extractor_name = "ScanImageImagingExtractor"

    def __init__(
        self,
        file_path: Pathname | None = None,
        channel_name: str | None = None,
        file_paths: Sequence[Pathname] | None = None,
        slice_sample: int | None = None,
        plane_index: int | None = None,
        interleave_slice_samples: bool = False,
        *,
        roi_index: int | None = None,
        roi_name: str | None = None,
        field_index: int | None = None,
    ) -> None:
        super().__init__()
        if isinstance(file_paths, (str, Path)):
            raise PathnameError(f"file_paths is a list of paths, not {file_paths!r}: give one path as file_path")
        given_paths = [] if file_paths is None else list(file_paths)
        if file_paths is not None and not given_paths:
            raise ScanIndexError("file_paths is empty: give the files, or file_path")
        first_path = given_paths[0] if given_paths else file_path
        assert first_path is not None, "file_path or file_paths must be provided"
        self.file_path = Path(first_path)
        _check_suffix(self.file_path, f"{self.extractor_name} Extractor")
        self.file_paths: list[Any] = given_paths or find_files(self.file_path)
        self.scan: Scan = read_scan([Path(path) for path in self.file_paths])
        ordered_paths = [Path(path) for path in self.scan.filenames]
        if [Path(path).absolute() for path in self.file_paths] != ordered_paths:
            warnings.warn(
                "The files are read in the order of their frames, which is not the order in which they were given.",
                UserWarning,
                stacklevel=2,
            )
            self.file_paths = ordered_paths
        block = header_of(self.file_path)
        self._metadata, rois = general_metadata(block)
        self._general_metadata = {"version": block.version, "FrameData": self._metadata, **rois}
        fields = _choose_fields(self.scan, roi_index, roi_name, field_index)
        if fields is None:
            scanning = type(self.scan).rules().scanning(self.scan.settings)
            self.scan = self.scan.view(partial(whole_pages, scanning=scanning))
        self._fields = list(range(self.scan.num_fields)) if fields is None else fields
        self._times: npt.NDArray[np.float64] | None = None
        self._choose_channel(channel_name)
        counts = self.scan.layout.counts
        self.num_flyback_frames_per_channel = counts.flyback if counts.slices > 1 else 0
        self.is_volumetric = len(self._fields) > 1
        self._choose_samples(slice_sample, interleave=interleave_slice_samples)
        if self.is_volumetric and plane_index is not None:
            if not 0 <= plane_index < len(self._fields):
                raise ValueError(f"plane_index ({plane_index}) must be between 0 and {len(self._fields) - 1}")
            self._fields, self.is_volumetric = [self._fields[int(plane_index)]], False
        first_field = self.scan.fields[self._fields[0]]
        self.rows, self.columns = range(first_field.height), range(first_field.width)

    def _choose_channel(self, name: str | None) -> None:
        self.channel_names = self.scan.channel_names
        self._channel_index = 0
        if len(self.channel_names) > 1:
            if name is None:
                raise ValueError(
                    f"Multiple channels available in the data {self.channel_names}: please specify a channel name"
                )
            if name not in self.channel_names:
                raise ValueError(f"Channel name ({name}) not found in available channels ({self.channel_names})")
            self._channel_index = self.channel_names.index(name)
        self.channel_name = self.channel_names[self._channel_index]

    def _choose_samples(self, slice_sample: int | None, *, interleave: bool) -> None:
        """Choose the frames that are samples: those of one repeat of each slice, or all."""
        repeats = self.scan.layout.counts.repeats
        self._first_frame, self._step = 0, 1
        if repeats == 1:
            return
        if slice_sample is not None:
            if not 0 <= slice_sample < repeats:
                raise ValueError(
                    f"slice_sample must be between 0 and {repeats - 1} (frames_per_slice - 1), but got {slice_sample}."
                )
            self._first_frame, self._step = int(slice_sample), repeats
        elif not interleave:
            raise ValueError(
                f"Multiple frames per slice detected ({repeats}), but no slice_sample specified. Give slice_sample "
                f"(0 to {repeats - 1}), or interleave_slice_samples=True to read all of them as samples."
            )

    # ------------------------------------------------------------ shapes and rates

    def get_image_shape(self) -> tuple[int, int]:
        """Return (rows, columns) of a frame."""
        return (len(self.rows), len(self.columns))

    def get_frame_shape(self) -> tuple[int, int]:
        """Return (rows, columns) of a frame."""
        return self.get_image_shape()

    def get_sample_shape(self) -> tuple[int, ...]:
        """Return (rows, columns, planes) of a volume, or (rows, columns) of a planar recording."""
        return self.get_volume_shape() if self.is_volumetric else self.get_image_shape()

    def get_volume_shape(self) -> tuple[int, int, int]:
        """Return (rows, columns, planes)."""
        return (*self.get_image_shape(), self.get_num_planes())

    def get_num_planes(self) -> int:
        """Return the number of planes: 1 for a planar recording."""
        return len(self._fields)

    def get_num_samples(self) -> int:
        """Return the number of samples."""
        return len(range(self._first_frame, self.scan.num_frames, self._step))

    def get_sampling_frequency(self) -> float:
        """Return volumes per second, or (averaged) frames per second of a planar recording, in Hz."""
        if self.scan.stack.mode == "planar":
            return float(self.scan.fps)
        return float(self.scan.scan_volume_rate)

    def get_dtype(self) -> DTypeLike:
        """Return the dtype of the pixels."""
        return self.scan.dtype

    # ----------------------------------------------------------------------- pixels

    def get_series(self, start_sample: int | None = None, end_sample: int | None = None) -> npt.NDArray[Any]:
        """Read samples.

        Returns
        -------
        array of shape (samples, rows, columns), or (samples, rows, columns, planes) of volumes

        Raises
        ------
        IntervalError
            If there are no such samples (also an IndexError and a ValueError).
        """
        count = self.get_num_samples()
        first_index, end_index = map(int, _bounds(start_sample, end_sample, count))
        if not 0 <= first_index <= end_index <= count:
            raise IntervalError(f"samples {first_index} to {end_index} are out of bounds: there are {count}")
        return self._read(np.arange(first_index, end_index))

    def get_samples(self, sample_indices: ArrayLike) -> npt.NDArray[Any]:
        """Read samples by their indices, in any order; see `get_series`."""
        indices = np.atleast_1d(np.asarray(sample_indices))
        if indices.size and indices.dtype.kind not in "iu":
            raise ScanKeyError(f"sample indices are integers, not {indices.dtype} values")
        indices = indices.astype(np.int64)
        assert indices.size == 0 or indices.max() < self.get_num_samples(), (
            "'sample_indices' range beyond number of available samples!"
        )
        if indices.size and indices.min() < 0:
            raise ScanIndexError(f"samples are counted from 0, not {indices.min()}")
        return self._read(indices)

    def _read(self, samples: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        rows, columns = (slice(r.start, r.stop) for r in (self.rows, self.columns))
        frames = samples * self._step + self._first_frame
        planes = self.scan[self._fields, rows, columns, self._channel_index, frames]  # (planes, rows, columns, samples)
        volumes = planes.transpose(3, 1, 2, 0)
        return volumes if self.is_volumetric else volumes[..., 0]

    def slice_samples(self, start_sample: int | None = None, end_sample: int | None = None) -> Any:
        """Return an extractor of some samples."""
        return super().slice_samples(*_bounds(start_sample, end_sample, self.get_num_samples()))

    def slice_field_of_view(
        self,
        row_start: int | None = None,
        row_end: int | None = None,
        column_start: int | None = None,
        column_end: int | None = None,
    ) -> Self:
        """Return an extractor of some rows and columns of each frame; no others are read.

        Raises
        ------
        ValueError
            If they are not inside the frame.
        """
        sliced_extractor = copy.copy(self)
        sliced_extractor.rows = _subrange(self.rows, row_start, row_end, "row", "height")
        sliced_extractor.columns = _subrange(self.columns, column_start, column_end, "column", "width")
        return sliced_extractor

    # ------------------------------------------------------------------------ times

    def get_times(self) -> npt.NDArray[np.float64]:
        """Return the time of each sample, that of its last plane, in seconds.

        Warns
        -----
        UserWarning
            If the files lack times, which are then calculated from the sampling frequency.
        """
        if self._times is not None:
            return self._times
        field = self._fields[-1]
        stamps = np.array(self.scan.field_timestamps(field)[self._first_frame :: self._step])
        is_unknown = np.isnan(stamps) if self.scan.timestamps_source == "file" else np.ones(len(stamps), bool)
        if is_unknown.any():
            warnings.warn(
                f"No frameTimestamps_sec found for {is_unknown.sum()} of {len(stamps)} samples. Using calculated "
                "timestamps instead.",
                UserWarning,
                stacklevel=2,
            )
            stamps[is_unknown] = np.flatnonzero(is_unknown) / self.get_sampling_frequency()
        self._times = stamps
        return stamps

    def get_native_timestamps(
        self, start_sample: int | None = None, end_sample: int | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the times of samples, in seconds; see `get_times`."""
        times = self.get_times()
        return times[slice(*_bounds(start_sample, end_sample, len(times)))]

    def get_original_frame_indices(self, plane_index: int | None = None) -> npt.NDArray[np.int64]:
        """Return the index of the page of each sample among those of all files; of a volume, that of its last plane.

        Pages of all channels are counted; ``scan.frame_indices`` counts frames instead, like a DAQ's pulses.
        """
        planes = self.get_num_planes()
        plane = planes - 1 if plane_index is None else plane_index
        assert 0 <= plane < planes, f"Plane index {plane_index} exceeds number of planes {planes}."
        slice_id = self.scan.fields[self._fields[plane]].slice_id
        pages = self.scan.frame_indices(slice_id, pages=True, channel=self._channel_index)
        return pages[self._first_frame :: self._step]

    @staticmethod
    def extract_timestamp_from_page(page: Any) -> float | None:
        """Return the time of a tifffile page, in seconds; None if it has none."""
        tag = page.tags.get(270)
        if tag is None:
            return None
        text = tag.value if isinstance(tag.value, bytes) else str(tag.value).encode("utf-8", "replace")
        (seconds,) = timestamps([text]).tolist()
        return None if math.isnan(seconds) else float(seconds)

    # ---------------------------------------------------------------- before opening

    @staticmethod
    def get_available_channel_names(file_path: Pathname) -> list[str]:
        """Return the names of the channels that a file's recording saved."""
        return saved_channels(settings_of(file_path))

    @staticmethod
    def get_available_num_planes(file_path: Pathname) -> int:
        """Return the number of planes of a file's recording: 1 if it is planar."""
        return stack_of(file_path).slices

    @staticmethod
    def get_frames_per_slice(file_path: Pathname) -> int:
        """Return how many frames of each slice the recording saved."""
        settings = settings_of(file_path)
        frames, average_factor = (
            settings.get(name, 1) for name in ("SI.hStackManager.framesPerSlice", "SI.hScan2D.logAverageFactor")
        )
        is_multiple = (
            isinstance(frames, int)
            and isinstance(average_factor, int)
            and average_factor > 0
            and frames % average_factor == 0
        )
        return frames // average_factor if is_multiple else frames  # type: ignore[no-any-return] # it may be infinite


def _bounds(start: int | None, end: int | None, count: int) -> tuple[int, int]:
    return 0 if start is None else start, count if end is None else end


def _subrange(axis: range, start: int | None, end: int | None, name: str, size: str) -> range:
    first_index, end_index = _bounds(start, end, len(axis))
    if not 0 <= first_index < end_index <= len(axis):
        raise ValueError(
            f"Invalid {name} range: require 0 <= {name}_start ({first_index}) < {name}_end ({end_index}) <= current "
            f"{size} ({len(axis)})."
        )
    return axis[first_index:end_index]


def _choose_fields(
    scan: Scan, roi_index: int | None, roi_name: str | None, field_index: int | None
) -> list[int] | None:
    """Indices of the fields of one ROI, one at each depth; None for whole pages.

    Raises
    ------
    ValueError
        If there is no such ROI or field, or more than one of the parameters is given.
    """
    choices = [choice for choice in (roi_index, roi_name, field_index) if choice is not None]
    if not choices:
        return None
    if len(choices) > 1:
        raise ValueError("give one of roi_index, roi_name and field_index")
    if field_index is not None:
        if not 0 <= field_index < scan.num_fields:
            raise ValueError(f"field_index ({field_index}) must be between 0 and {scan.num_fields - 1}")
        return [field_index]
    names = [roi.name for roi in scan.rois]
    if roi_name is not None and names.count(roi_name) != 1:
        raise ValueError(f"roi_name ({roi_name}) is the name of {names.count(roi_name)} of the ROIs {names}")
    number = names.index(roi_name) if roi_name is not None else roi_index
    indices = [i for i, field in enumerate(scan.fields) if field.roi_ids == [number]]
    if not indices:
        scanned_rois = sorted({i for field in scan.fields for i in field.roi_ids})
        raise ValueError(
            f"ROI {number} was not scanned: those scanned are {[f'{i} ({names[i]})' for i in scanned_rois]}"
        )
    shapes = {(scan.fields[i].height, scan.fields[i].width) for i in indices}
    if len(shapes) > 1:
        raise FieldDimensionMismatch(
            f"ROI {number} has other sizes at other depths ({sorted(shapes)}): give one of its fields by field_index"
        )
    return indices


class ScanImageLegacyImagingExtractor(ImagingExtractor):  # type: ignore[misc] # roiextractors has no types
    """The pages of one file as samples, whatever their channels, like roiextractors' legacy extractor.

    Parameters
    ----------
    file_path : path
    sampling_frequency : float
        Pages per second, in Hz; the file's own rate is ignored.
    """

    extractor_name = "ScanImageLegacyImagingExtractor"

    def __init__(self, file_path: Pathname, sampling_frequency: float) -> None:
        super().__init__()
        self.file_path = Path(file_path)
        self._sampling_frequency = sampling_frequency
        _check_suffix(self.file_path, self.extractor_name)
        self._reader = ScanImageTiffReader(self.file_path)
        shape = self._reader.shape()
        self._num_samples, self._num_rows, self._num_columns = shape if len(shape) == 3 else (1, *shape)

    def get_series(self, start_sample: int | None = None, end_sample: int | None = None) -> npt.NDArray[Any]:
        """Read pages: an array of shape (samples, rows, columns)."""
        return self._reader.data(*_bounds(start_sample, end_sample, self._num_samples))

    def get_image_shape(self) -> tuple[int, int]:
        """Return (rows, columns) of a page."""
        return (self._num_rows, self._num_columns)

    def get_num_samples(self) -> int:
        """Return the number of pages."""
        return int(self._num_samples)

    def get_sampling_frequency(self) -> float:
        """Return the pages per second that were given, in Hz."""
        return self._sampling_frequency

    def get_native_timestamps(
        self,
        start_sample: int | None = None,
        end_sample: int | None = None,
    ) -> None:
        """Return None, as roiextractors does for legacy files."""
