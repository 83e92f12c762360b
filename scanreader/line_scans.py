"""Line scans: the mirrors run along a path again and again; samples and positions are read on demand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import Finding, LayoutError
from scanreader.extras import import_extra
from scanreader.files.urls import recording_name
from scanreader.line_files import find_line_files
from scanreader.notices import notify
from scanreader.recording.cycles import Cycles
from scanreader.releases import scan_class
from scanreader.scanimage.header import Header, release_of
from scanreader.scanimage.line_scans import cycle_of, has_positions, path_of, path_rois
from scanreader.scanimage.settings import number
from scanreader.tables import table_html
from scanreader.texts import on_one_line

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from datetime import datetime, tzinfo

    import numpy.typing as npt

    from scanreader.recording.cycles import DataFile
    from scanreader.scanimage.header import Block
    from scanreader.scanimage.line_scans import Cycle, PathRoi
    from scanreader.scanimage.settings import Channel

SAMPLE, POSITION = np.dtype("<i2"), np.dtype("<f4")


@dataclass(frozen=True, eq=False, repr=False)
class LineScan:
    """A line scan: in each cycle, the mirrors run along the same path, and there is no image.

    `scanreader.read_line_scan` makes it. It never changes, can be pickled, and keeps no file open.

    Attributes
    ----------
    data : Cycles
        Samples, int16 of shape (cycles, samples, channels), read when indexed. They are as ScanImage wrote them:
        whether offsets were subtracted is not known for every scanner.
    positions : Cycles or None
        Where the mirrors were, float32 of shape (cycles, samples, 2 or 3): x and y in degrees of scan angle, z in µm.
        None if it was not recorded. The last samples of each cycle may be missing: see `position_times`.
    rois : tuple of PathRoi
        Parts of the path, in order.
    channels : tuple of Channel
        The channels that were saved.
    cycle : Cycle
        How it was sampled.
    block : Block
        Texts of the settings and of the path, as ScanImage wrote them.
    paths : tuple of str
        All files, the settings first.
    findings : tuple of Finding
        What was noticed when it was opened.
    """

    data: Cycles
    positions: Cycles | None
    rois: tuple[PathRoi, ...]
    channels: tuple[Channel, ...]
    cycle: Cycle
    block: Block
    paths: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def filenames(self) -> list[str]:
        """All files, the settings first."""
        return list(self.paths)

    @cached_property
    def settings(self) -> Header:
        """The settings, by name, with or without ``SI.``; `metadata` is the same object."""
        return Header(self.block.text)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Every setting, by its name in the header."""
        return self.settings

    @property
    def release(self) -> str:
        """ScanImage's full release."""
        return release_of(self.settings)

    @property
    def num_cycles(self) -> int:
        """Number of complete cycles."""
        return len(self.data)

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def channel_numbers(self) -> list[int]:
        """ScanImage's number of each channel, from 1."""
        return [channel.number for channel in self.channels]

    @property
    def channel_names(self) -> list[str]:
        """Name of each channel."""
        return [channel.name for channel in self.channels]

    @property
    def rate(self) -> float:
        """Samples of a channel a second."""
        return self.cycle.rate

    @property
    def cycle_rate(self) -> float:
        """Cycles a second."""
        return self.rate / self.cycle.samples

    @property
    def position_rate(self) -> float:
        """Positions a second; NaN if unknown."""
        return self.cycle.position_rate

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Start of each cycle, of shape (cycles,), in s since the start trigger. ScanImage writes no clock time."""
        return np.arange(self.num_cycles) * self.cycle.samples / self.rate

    @property
    def sample_times(self) -> npt.NDArray[np.float64]:
        """Time of each sample, of shape (samples,), in s since the start of its cycle."""
        return np.arange(self.cycle.samples) / self.rate

    @property
    def position_times(self) -> npt.NDArray[np.float64]:
        """Time of each position, of shape (samples,), in s since the start of its cycle; empty if there are none."""
        return np.arange(0 if self.positions is None else self.positions.shape[1]) / self.position_rate

    @property
    def microns_per_degree(self) -> float:
        """µm in the sample per degree of scan angle; NaN if unknown."""
        return number(self.settings.get("objectiveResolution"))

    # -------------------------------------------------------------------------- exports

    def to_xarray(self) -> Any:
        """Make a lazy xarray dataset.

        Returns
        -------
        xarray.Dataset
            Variables ``data`` (cycle, sample, channel) and, if recorded, ``positions`` (cycle, position, axis);
            coordinates ``time``, ``sample_time`` and ``position_time`` in s, ``roi`` (the part of the path of each
            sample, -1 if unknown), and names of channels.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        """
        import_extra("xarray", "xarray")
        from scanreader.bridges.line_xarray import to_xarray  # noqa: PLC0415 - an extra

        return to_xarray(self)

    def to_npy(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write `data` as a NumPy file; a note says that the positions are not in it.

        Raises
        ------
        PathnameError, TargetExistsError
            If the target may not be written.
        """
        from scanreader.bridges.line_scans import to_npy  # noqa: PLC0415 - rarely needed

        to_npy(self, path, overwrite=overwrite)

    def to_h5(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write an HDF5 file with ``data``, ``positions``, their times, the path, and the settings.

        Raises
        ------
        PathnameError, TargetExistsError
            If the target may not be written.
        MissingExtraError
            If h5py is not installed.
        """
        import_extra("h5py", "hdf5")
        from scanreader.bridges.line_scans import to_h5  # noqa: PLC0415 - an extra

        to_h5(self, path, overwrite=overwrite)

    def to_nwb(
        self,
        path: str | os.PathLike[str],
        *,
        session_start_time: datetime | None = None,
        timezone: str | tzinfo | None = None,
        overwrite: bool = False,
        **facts: Any,
    ) -> None:
        """Write an NWB file with a time series of the samples, and one of the positions.

        Parameters
        ----------
        path : path
        session_start_time : datetime
            Needed: ScanImage writes none for line scans.
        timezone : str or tzinfo, optional
            Time zone of `session_start_time`, if it has none.
        overwrite : bool
            Whether to replace an NWB file of scanreader.
        **facts
            Other arguments of ``pynwb.NWBFile``.

        Raises
        ------
        HeaderError
            If `session_start_time` is not given.
        PathnameError, TargetExistsError
            If the target may not be written.
        MissingExtraError
            If pynwb is not installed.
        """
        import_extra("pynwb", "nwb")
        from scanreader.bridges.line_nwb import to_nwb  # noqa: PLC0415 - an extra

        to_nwb(self, path, session_start_time, timezone, overwrite=overwrite, **facts)

    # --------------------------------------------------------------------------- in words

    def facts(self) -> dict[str, str]:
        """Facts in words, with units."""
        seconds = self.num_cycles / self.cycle_rate
        parts = ", ".join(f"{roi.name} ({roi.stimulus.function})" for roi in self.rois if not roi.is_transit)
        positions = "not recorded"
        if self.positions is not None:
            positions = (
                f"{'x, y and z' if self.positions.shape[2] > 2 else 'x and y'} at {self.position_rate / 1000:g} kHz"
            )
        return {
            "Recording": recording_name([self.filenames[1]]),
            "ScanImage": self.release,
            "Mode": "line scan",
            "Path": parts,
            "Channels": ", ".join(self.channel_names),
            "Cycles": f"{self.num_cycles:,} of {self.cycle.samples:,} samples",
            "Rate": f"{self.cycle_rate:.6g} cycles a second, {self.rate:,.6g} samples a second"
            if self.rate < 1e6
            else f"{self.cycle_rate:.6g} cycles a second, {self.rate / 1e6:.6g} million samples a second",
            "Duration": f"{seconds:.4g} s",
            "Positions": positions,
        }

    def __repr__(self) -> str:
        cycles, samples, channels = self.data.shape
        name = on_one_line(recording_name([self.filenames[1]]))
        return f"<LineScan {name}: {cycles} cycles of {samples} samples, {channels} channels>"

    def _repr_html_(self) -> str:
        """Table that notebooks show."""
        rows = self.facts()
        findings = [(finding.severity.capitalize(), finding.sentence) for finding in self.findings]
        return table_html(rows.pop("Recording"), [*rows.items(), *findings])


def read_line_scan(pathname: str | os.PathLike[str], *, strict: bool = False) -> LineScan:
    """Open a line scan: its settings are read here, samples when they are indexed.

    Parameters
    ----------
    pathname : path
        Any of its files (``my_00001.meta.txt``, ``.pmt.dat``, ``.scnnr.dat``), or the start of their names
        (``my_00001``). The other files of the acquisition are found beside it; where ScanImage began new files after
        some cycles, they are joined. Of a loop, one acquisition is read, with the settings of the loop's first.
    strict : bool
        Raise a LayoutError instead of a warning, for example for a cycle that is not complete.

    Returns
    -------
    LineScan

    Raises
    ------
    PathnameError
        If there is no such line scan, it has no settings, or one of its files is missing.
    FileFormatError
        If the settings are not ScanImage's.
    HeaderError
        If they do not say how the line scan was sampled.

    Warns
    -----
    ScanReaderWarning
        One warning that lists what is incomplete or unknown. `LineScan.findings` has the same list.
    """
    files = find_line_files(pathname)
    header = Header(files.block.text)
    path = path_of(files.block, header)
    cycle = cycle_of(header, path)
    channels = scan_class(header)[0].rules().find_channels(header, None)
    findings: list[Finding] = []
    data = _cycles(files.data, SAMPLE, (cycle.samples, len(channels)), findings)
    positions = _positions(files.positions, cycle, header, len(data), findings)
    rois, problem = path_rois(path, cycle)
    if problem:
        findings.append(Finding("unknown-path", "warning", "", problem))
    sentences = [finding.sentence for finding in findings if not finding.is_note]
    if sentences:
        message = f"{recording_name([files.data[0].path])}: " + "; ".join(sentences)
        if strict:
            raise LayoutError(message, raw_helps=False)
        notify([message])
    names = (files.meta, *(file.path for file in (*files.data, *files.positions)))
    return LineScan(data, positions, rois, channels, cycle, files.block, names, tuple(findings))


def _cycles(
    files: tuple[DataFile, ...], dtype: np.dtype[Any], shape: tuple[int, int], findings: list[Finding]
) -> Cycles:
    """The whole cycles of some files; what is more is said."""
    row = shape[1] * dtype.itemsize
    count, bytes_left = divmod(sum(file.size for file in files), shape[0] * row)
    if bytes_left:
        name = recording_name([files[-1].path])
        noun = "samples" if dtype == SAMPLE else "positions of the mirrors"
        sentence = f"the {noun} end inside a cycle: the last {bytes_left // row}, of {shape[0]} in a cycle, are skipped"
        findings.append(Finding("incomplete-cycle", "warning", name, sentence))
    return Cycles(tuple(file for file in files if file.size), dtype, (count, *shape))


def _positions(
    files: tuple[DataFile, ...], cycle: Cycle, header: Header, cycles: int, findings: list[Finding]
) -> Cycles | None:
    """The positions of the mirrors; None if they were not recorded, or how they were is not known."""
    if not files:
        if has_positions(header):
            sentence = "the positions of the mirrors were to be recorded, but there is no file of them (.scnnr.dat)"
            findings.append(Finding("missing-file", "warning", "", sentence))
        return None
    name = recording_name([files[0].path])
    samples, axes = cycle.positions, cycle.axes
    total = sum(file.size for file in files)
    if samples is None and axes is not None and cycles and not total % (cycles * axes * POSITION.itemsize):
        samples = total // (cycles * axes * POSITION.itemsize)
    if not samples or axes is None or math.isnan(cycle.position_rate):
        sentence = f"{name} is not read: the settings do not say how the positions of the mirrors were recorded"
        findings.append(Finding("unknown-positions", "warning", name, sentence))
        return None
    if samples > math.ceil(cycle.samples / cycle.rate * cycle.position_rate) + 1:
        sentence = f"{name} is not read: {samples} positions at {cycle.position_rate:g} Hz take longer than a cycle"
        findings.append(Finding("unknown-positions", "warning", name, sentence))
        return None
    positions = _cycles(files, POSITION, (samples, axes), findings)
    if len(positions) != cycles:
        sentence = f"there are {cycles} cycles of samples, but {len(positions)} of positions of the mirrors"
        findings.append(Finding("unequal-cycles", "warning", name, sentence))
    return positions
