"""A simulated recording: its frames, pixels, texts and files."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.simulate.beside import write_beside
from scanreader.simulate.containers import SLOT, Resolution, write_bigtiff, write_classic
from scanreader.simulate.descriptions import classic_text, description
from scanreader.simulate.frames import frames_of_files, logged_frames
from scanreader.simulate.headers import flat_header, frame_period, header_settings, header_text, legacy_header, roi_text
from scanreader.simulate.layout import field_rows, gap, page_shape, slots
from scanreader.simulate.pattern import backdrops, patterned_image
from scanreader.simulate.plan import Logged, Plan
from scanreader.simulate.releases import TABLE, Style
from scanreader.simulate.rois import shallowest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scanreader.simulate.containers import Image


@dataclass(frozen=True)
class Recording(Plan):
    """What to record; all settings of the header follow from it.

    Attributes
    ----------
    stem : str
        Start of the file names.
    release : str
        '3.8', '5.0', '5.1', '2015.4', '2016b' … '2023.1'.
    mode : str
        'planar', 'fast' or 'slow'.
    height, width : int
        Size of a page, in pixels; ignored if there are ROIs.
    channels : tuple of int
        Numbers of the saved channels.
    zs : tuple of float
        Depth of each slice, in µm.
    frames_per_slice : int
        Raw frames per slice and volume; of a planar recording, all raw frames.
    volumes, flyback, averaging : int
        Number of volumes; raw flyback frames after each; raw frames averaged into each saved frame.
    loops : int
        Number of acquisitions, each in its own files.
    stop : int or None
        Saved frames after which the last acquisition was stopped.
    dropped : tuple of int
        Saved frames, counted from 0, that are missing in the files although ScanImage numbered them.
    rois : tuple of dict
        ROIs, made by `roi`, of a multi-ROI recording.
    resonant, bidirectional, scanner_frequency, flyto, flyback_time
        Properties of the scanner: frequency in Hz, times in s.
    lines_averaged : int
        Scan lines averaged into each stored row.
    frames_per_file : int or None
        Saved frames after which a new file begins.
    first_file_frames : int or None
        Saved frames of the first file, if different.
    json_headers, json_descriptions : bool
        Whether headers or descriptions are JSON.
    slot : int or None
        See `write_bigtiff`; by default, what ScanImage uses for this scanner.
    closed, holes : bool
        See `write_bigtiff`.
    dtype : str
        Of the pixels.
    triggers : list of (int, float)
        Edges of the auxiliary triggers: trigger (0 to 3), and time since the start of the recording, in s.
    packets : list of (float, bytes or str)
        I2C packets: time since the start of the recording, in s, and content.
    settings : dict
        Settings of the header to add or replace; None removes one.
    pixels : callable, optional
        Function that makes the pixels of a page, instead of the test pattern: it is called with the frame and the
        channel's number, and returns an array of `page_shape`.
    photostim : tuple of dict
        Groups of stimuli, made by `stimulus_group`. If there are any, a ``.stim`` log is written beside the files.
    stimulus_sequence : tuple of int
        Places of the groups in `photostim`, from 0, in the order in which they are given, again and again.
    stimulus_period : float
        Time from the start of one group to that of the next, in s.
    integration_rois : tuple of dict
        Made by `integration_roi`. If there are any, a CSV file of their values is written beside the files.
    integration_value : callable, optional
        Function that makes the values, instead of 100,000 for each ROI and 1 for each frame: it is called with the
        place of the ROI and the number of the raw frame.
    motion : callable, optional
        Function that makes estimates of motion, which are written to a CSV file beside the files: it is called with the
        frame, and returns dx and dy in pixels and dz in µm, NaN where there is none.
    """

    # --------------------------------------------------------------------- layout

    def logged(self) -> Iterator[Logged]:
        """Generate the frames that are saved, in order."""
        return logged_frames(self)

    def slots(self) -> list[list[tuple[int, int, int]]]:
        """For each slice, its fields: index of the ROI, height in lines, width in pixels."""
        return slots(self)

    @property
    def gap(self) -> int:
        """Lines between two fields: whole periods of a resonant mirror; none for galvos."""
        return gap(self)

    @property
    def page_shape(self) -> tuple[int, int]:
        """Rows and columns of a page."""
        return page_shape(self)

    def field_rows(self) -> list[list[tuple[int, int, int]]]:
        """For each slice, where its fields are in the page: first row, number of rows, number of columns."""
        return field_rows(self)

    # ----------------------------------------------------------------- pixels

    def image(self, page: int, frame: Logged, channel: int, backdrop: Image | None = None) -> Image:
        """Make the pixels of a page; the first three of each field are the numbers of page, field and channel."""
        if self.pixels is not None:
            image = np.asarray(self.pixels(frame, channel)).astype(self.dtype)
            if image.shape != self.page_shape:
                raise ValueError(f"pixels must return arrays of the pages' shape {self.page_shape}, not {image.shape}")
            return image
        if backdrop is None:
            backdrop = backdrops(self)[frame.slice]
        return patterned_image(self, page, frame, channel, backdrop)

    # ----------------------------------------------------------------- texts

    @property
    def _style(self) -> Style:
        return TABLE[self.release].style

    @property
    def digits(self) -> int:
        """Significant digits of the release's header."""
        return self._style.digits

    @property
    def is_classic(self) -> bool:
        """Whether the release wrote classic TIFF."""
        return self._style.is_classic

    def header_settings(self) -> dict[str, Any]:
        """All settings of the header; names without ``SI.``."""
        return header_settings(self)

    def header_text(self) -> str:
        """Write the header, without the NUL that ends it in the file."""
        return header_text(self, self.header_settings())

    def roi_text(self) -> str:
        """Write the JSON of the ROIs, without the NUL that ends it in the file."""
        return roi_text(self)

    def description(self, frame: Logged, period: float) -> str:
        """Make the description of each page of a frame, in the style of the logger."""
        return description(self, frame, period)

    # ------------------------------------------------------------------ files

    def pages(self) -> Iterator[tuple[Logged, int, Image]]:
        """Generate the pages: frame, number of the channel, pixels."""
        slice_backdrops = backdrops(self)
        page = 0
        for frame in self.logged():
            for channel in self.channels:
                yield frame, channel, self.image(page, frame, channel, slice_backdrops[frame.slice])
                page += 1

    def write(self, folder: str | Path) -> list[Path]:
        """Write the recording's files into a folder, named as ScanImage does; returns the paths of the TIFF files."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        pages = self.pages()
        acquisitions = [frame.acquisition for frame in self.logged()]
        for loop in range(1, self.loops + 1):
            for part, count in enumerate(frames_of_files(self, acquisitions.count(loop)), 1):
                part_suffix = f"_{part:05d}" if self.frames_per_file else ""
                path = folder / f"{self.stem}_{loop:05d}{part_suffix}.tif"
                self.write_file(path, islice(pages, count * len(self.channels)))
                paths.append(path)
        write_beside(self, folder)
        return paths

    def write_file(self, path: str | Path, pages: Iterable[tuple[Logged, int, Image]]) -> None:
        """Write one file of the recording."""
        period = float(frame_period(self, self.header_settings()))
        if self.is_classic:
            classic_pages = self._classic_pages(pages, period)
            write_classic(path, classic_pages, signed=self._style.has_sample_format, closed=self.closed)
            return
        described_pages = ((self.description(frame, period).encode(), image) for frame, _, image in pages)
        write_bigtiff(
            path,
            self.header_text().encode() + b"\0",
            self.roi_text().encode() + b"\0",
            described_pages,
            version=self._style.format_version,
            resolution=self._resolution(),
            slot=(SLOT if self.resonant else None) if self.slot == -1 else self.slot,
            closed=self.closed,
            holes=self.holes,
        )

    def _resolution(self) -> Resolution:
        """Pixels per cm of the first scanfield."""
        full_frame = (self.width, self.height), (12.0, 12.0)
        pixels, size = shallowest(self.rois[0]) if self.rois else full_frame
        x, y = (round(2**30 / (1e4 * n / (s * 15))) for n, s in zip(pixels, size, strict=True))
        return Resolution(x, y)

    def _classic_pages(
        self, pages: Iterable[tuple[Logged, int, Image]], period: float
    ) -> Iterator[tuple[bytes, Image]]:
        if self._style.header == "state":
            header = legacy_header(self)
        else:
            header = flat_header(self, self.header_settings()) if self._style.header == "flat" else self.header_text()
            header = header.replace("SI.", self._style.prefix)
        for frame, _, image in pages:
            yield classic_text(self, frame, period, header).encode() + b"\0", image
