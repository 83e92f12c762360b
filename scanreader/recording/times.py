"""When each frame was scanned, and what came in meanwhile."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scanreader.keys import as_array, nonnegative_index, read_only_copy
from scanreader.notices import notify
from scanreader.recording.bout_frames import bout_of_pages, bouts_of
from scanreader.recording.facts import Facts
from scanreader.recording.frames import read_events, read_table, read_timestamps, times_at
from scanreader.recording.indices import stretch_starts
from scanreader.scanimage.clocks import start_of
from scanreader.scanimage.descriptions import EPOCH_END, NUMBERS_END, timestamps

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt

    from scanreader.keys import IndexArray
    from scanreader.recording.bout_frames import Bout
    from scanreader.recording.indices import StretchStart
    from scanreader.scanimage.descriptions import Event


class Times(Facts):
    """Times, numbers and events of frames, read on demand from the descriptions of their pages."""

    @property
    def frame_table(self) -> npt.NDArray[np.void]:
        """Structured array with a row for each frame that ScanImage logged.

        The channels of a frame share its row. Flyback frames and frames of incomplete volumes also have
        rows, although they are not part of the scan. The first access reads the description of every frame.

        ===========================  ======================================================================
        file                         Number of the file in `filenames`, from 0.
        page                         Page of the frame's first channel in that file, from 0.
        volume, slice, repeat        Position in the scan, from 0; -1 for frames that are not in the scan.
                                     Flyback frames have a volume, but slice and repeat -1. The index on the
                                     frame axis is volume * repeats + repeat.
        is_flyback                   Whether it was scanned while z returned to the first slice.
        frame_number                 ``frameNumbers``: number of the raw frame in the grab or loop, from 1; -1
                                     if unknown. For an averaged frame, the number of its last raw frame.
        acquisition_number           ``acquisitionNumbers``, from 1; -1 if unknown.
        frame_number_acquisition     ``frameNumberAcquisition``: number of the raw frame in the acquisition (in
                                     a slow stack, in the slice), from 1; -1 if unknown.
        timestamp                    Seconds since the grab or loop began (of a scan of several bouts, on the clock of
                                     `timestamps`); NaN if unknown. For an averaged frame, the time at which its
                                     last raw frame began.
        acquisition_trigger          Time of the trigger that started the acquisition, in s on the same clock;
                                     NaN if there was none.
        next_file_marker             Time of the trigger that began a new file; NaN if there was none.
        end_of_acquisition           1 on the last frame of an acquisition; 0 if not, -1 if unknown.
        end_of_acquisition_mode      1 on the last frame of the grab or loop; 0 if not, -1 if unknown.
        dc_overvoltage               1 if the digitizer's input exceeded its range; -1 if unknown.
        bout                         Number of the grab or acquisition, from 0, in the order of the files.
        ===========================  ======================================================================

        Raises
        ------
        DamagedPageError, ChangedFileError
            If a page is damaged, or a file changed after the scan was opened.
        """
        self._refuse_closed()
        return self._frame_table

    @cached_property
    def _frame_table(self) -> npt.NDArray[np.void]:
        notes: list[str] = []
        table = read_table(self._opened, notes)
        notify(notes)
        return read_only_copy(table)

    @property
    def timestamps_source(self) -> str:
        """Source of `timestamps`: ``"file"``, or ``"frame rate"`` where ScanImage wrote no times (3.x)."""
        self._refuse_closed()
        return "file" if self._has_times else "frame rate"

    @cached_property
    def _has_times(self) -> bool:
        notes: list[str] = []
        first = self._opened.pages.descriptions(np.array([self.layout.stretches[0].page]), NUMBERS_END, notes)
        has_times = not np.isnan(timestamps(first)).all()
        if not has_times:
            all_frames = np.arange(self.layout.num_frames)
            times = read_timestamps(self._opened.pages, self.layout.page_numbers(0, 0, all_frames), notes)
            has_times = not np.isnan(times).all()
        notify(notes)
        return has_times

    @property
    def timestamps(self) -> npt.NDArray[np.float64]:
        """Time of each frame of each slice, of shape (slices, frames), in s since `start_time`.

        The timestamp of a frame is the time at which its scan began. An averaged frame has the time at which the
        last of its `averaging` raw frames began. NaN where a description has no time; with ``raw=True``, times are
        never computed from the frame rate. Several bouts are on one clock: see `Bout.clock`. There is a row for each
        slice
        of the recording, even in a selection of fields: see `field_timestamps`.
        """
        self._refuse_closed()
        return self._timestamps

    @cached_property
    def _timestamps(self) -> npt.NDArray[np.float64]:
        notes: list[str] = []
        times = np.stack([self._times_of_slice(i, notes) for i in range(self.num_scanning_depths)])
        notify(notes)
        return read_only_copy(times)

    def field_timestamps(self, field: int) -> npt.NDArray[np.float64]:
        """Time at which the scan of a field's page began, of shape (frames,), in s since `start_time`.

        ``scan.field_timestamps(i)[t] + scan.fields[i].offsets`` is the time at which each pixel was scanned.

        Parameters
        ----------
        field : int
            Number of the field, from 0.
        """
        self._refuse_closed()
        notes: list[str] = []
        times = self._times_of_slice(self.fields[nonnegative_index(field, self.num_fields, "field")].slice_id, notes)
        notify(notes)
        return times.copy()

    @cached_property
    def _read_times(self) -> dict[int, npt.NDArray[np.float64]]:
        """Times of the slices that were read."""
        return {}

    def _times_of_slice(self, slice_id: int, notes: list[str]) -> npt.NDArray[np.float64]:
        if slice_id not in self._read_times:
            self._read_times[slice_id] = self._find_times(slice_id, notes)
        return self._read_times[slice_id]

    def _find_times(self, slice_id: int, notes: list[str]) -> npt.NDArray[np.float64]:
        if self._has_times:
            return times_at(self._opened, slice_id, np.arange(self.num_frames), notes)
        indices, bouts = self.frame_indices(slice_id), self._opened.bouts
        if len(bouts) > 1 or bouts[0].clock == "given":
            return self._times_by_rate(slice_id, indices)
        raw_frames = (indices + 1) * self.stack.averaging - 1
        return np.asarray(raw_frames / (np.nan if self._opened.is_raw else self.scan_frame_rate), np.float64)

    def _times_by_rate(self, slice_id: int, indices: IndexArray) -> npt.NDArray[np.float64]:
        """Times of several bouts by their frame rates: each counts its frames from its own time zero."""
        bouts = self._opened.bouts
        parts, c = self._opened.parts, self.layout.counts.channels
        pages = self._pages_of(slice_id, 0)
        bout_indices = bout_of_pages(self._opened, pages)
        first_pages = np.array([parts[bout.part].first for bout in bouts])
        frames_before = np.full(len(bouts), np.iinfo(np.int64).max)  # frames that were logged before each bout
        np.minimum.at(frames_before, bout_indices, indices - (pages - first_pages[bout_indices]) // c)
        frames_before = np.where(np.isin(range(len(bouts)), bout_indices), frames_before, first_pages // c)
        origins = np.array([bout.origin for bout in bouts])
        averaging = np.array([self._opened.averaging_of(parts[bout.part]) for bout in bouts])
        rates = np.array([self.scan_frame_rate if bout.raw_rate is None else bout.raw_rate for bout in bouts])
        rates = np.full(len(bouts), np.nan) if self._opened.is_raw else rates
        is_given = np.array([bout.clock == "given" for bout in bouts])
        zeros = np.array([bout.shift for bout in bouts])
        zeros = np.where(is_given, np.array([bout.offset for bout in bouts]) - (averaging - 1) / rates, zeros)
        raw_frames = (indices - frames_before[origins][bout_indices] + 1) * averaging[bout_indices] - 1
        return np.asarray(raw_frames / rates[bout_indices] + zeros[bout_indices], np.float64)

    def _pages_of(self, slice_id: int, channel: int) -> IndexArray:
        """Pages of a slice and a channel of the files, for each frame of the scan."""
        frames = self._opened.frame_places(np.arange(self.num_frames))
        return self.layout.page_numbers(slice_id, channel, as_array(frames))

    def frame_indices(
        self, slice_id: int = -1, *, pages: bool = False, channel: int = 0, plane: int = -1
    ) -> npt.NDArray[np.int64]:
        """Position of each frame of a slice in the sequence of all frames, flyback frames included.

        If a DAQ recorded one pulse for each logged frame, flyback frames included, the pulse of frame ``t`` is
        number ``frame_indices(slice_id)[t]``. If the frame numbers show that frames are missing from the files, the
        index jumps over the pulses of those frames. The index counts from the start of the scan's first acquisition. If
        raw frames were averaged, it counts averaged frames: `raw_frame_numbers` are the numbers of raw
        frames. In a scan opened with ``raw=True``, pages are counted.

        Parameters
        ----------
        slice_id : int
            By default the last slice, as in roiextractors.
        pages : bool
            Whether to return page numbers instead: from 0, continuing from one file to the next.
        channel : int
            With `pages`, the channel whose pages are returned, from 0.
        plane : int
            With `pages`, the plane whose pages are returned, in a scan made by `channels_as_planes`; by default the
            last.

        Returns
        -------
        int array of shape (frames,)
        """
        slice_id = nonnegative_index(slice_id, self.num_scanning_depths, "slice")
        channel = nonnegative_index(channel, self.num_channels, "channel")
        self._refuse_closed()
        if pages:
            saved = self._opened.channels[channel]
            plane = nonnegative_index(plane, max(1, len(saved.planes)), "plane")
            return self._pages_of(slice_id, (saved.planes[plane] if saved.planes else saved).place)
        stretch_indices, frames_since = self._from_stretch_starts(slice_id)
        indices: npt.NDArray[np.int64] = (
            np.array([start.place for start in self._stretch_starts])[stretch_indices] + frames_since
        )
        return indices

    def raw_frame_numbers(self, slice_id: int = -1) -> npt.NDArray[np.int64]:
        """ScanImage's number of each frame of a slice: raw frames since the start of the grab or loop, from 1.

        If `n` raw frames were averaged into one, this is the number of the last of them. Unlike `frame_indices`, these
        numbers also count raw frames that were never saved (the rest at the end of an acquisition whose number of raw
        frames is not a multiple of `n`). The frame clock has a pulse for each raw frame, so the pulses of the frame
        with number ``k`` are ``k - n`` to ``k - 1``, counted from 0. If several recordings are read as one scan, each
        keeps its
        own numbers. Without numbers in the files (3.x), they are ``(frame_indices(slice_id) + 1) * n``.

        Parameters
        ----------
        slice_id : int
            By default the last slice.

        Returns
        -------
        int array of shape (frames,)
        """
        slice_id = nonnegative_index(slice_id, self.num_scanning_depths, "slice")
        self._refuse_closed()
        parts = self._opened.parts
        pages = [stretch.page for stretch in self.layout.stretches]
        owners = np.searchsorted([part.first for part in parts], pages, side="right") - 1
        averaging = [self._opened.averaging_of(parts[i]) for i in owners]
        starts = zip(self._stretch_starts, averaging, strict=True)
        numbers = [(s.place + 1) * a if s.number is None else s.number for s, a in starts]
        stretch_indices, frames_since = self._from_stretch_starts(slice_id)
        result: npt.NDArray[np.int64] = (
            np.array(numbers)[stretch_indices] + frames_since * np.array(averaging)[stretch_indices]
        )
        return result

    def _from_stretch_starts(self, slice_id: int) -> tuple[IndexArray, IndexArray]:
        """For each frame of a slice, its stretch and the frames since the stretch's start."""
        pages = self._pages_of(slice_id, 0)
        first_pages = np.array([stretch.page for stretch in self.layout.stretches])
        stretch_indices = np.searchsorted(first_pages, pages, side="right") - 1
        return stretch_indices, (pages - first_pages[stretch_indices]) // self.layout.counts.channels

    @cached_property
    def _stretch_starts(self) -> list[StretchStart]:
        notes: list[str] = []
        starts = stretch_starts(self._opened, notes)
        notify(notes)
        return starts

    @property
    def start_time(self) -> datetime | None:
        """Start of the grab or loop on the microscope computer's clock, without a time zone; None if unknown.

        This is ScanImage's ``epoch``, time zero of `timestamps`; if the scan has several bouts, that of the first one
        that has an epoch.
        """
        self._refuse_closed()
        return self._start_time

    @cached_property
    def _start_time(self) -> datetime | None:
        if len(self._opened.bouts) > 1:
            return next((bout.epoch for bout in self._opened.bouts if bout.epoch is not None), None)
        notes: list[str] = []
        (text,) = self._opened.pages.descriptions(np.array([0]), EPOCH_END, notes)
        notify(notes)
        return start_of(text, lambda: self.settings)

    @property
    def bouts(self) -> tuple[Bout, ...]:
        """The grabs, and the acquisitions of loops, that this scan is made of, in order.

        Together, their `frames` cover the frame axis without overlap. In a selection of frames, there is one entry for
        each unbroken run of frames of one bout: a bout whose frames are selected before and after those of another
        appears twice.
        """
        self._refuse_closed()
        return self._bouts

    @cached_property
    def _bouts(self) -> tuple[Bout, ...]:
        is_known = self._opened.is_raw or self._opened.bouts[0].requested is not None
        return bouts_of(self._opened, np.nan if is_known else self._requested_frames_of(self.settings, self.stack))

    @property
    def events(self) -> tuple[Event, ...]:
        """I2C packets and edges of the auxiliary triggers, in the order of the frames in which they arrived.

        ScanImage repeats each event for every channel; here each appears once. Times are on the clock of
        `timestamps`.

        Warns
        -----
        ScanReaderWarning
            If ScanImage truncated descriptions: the later events of those frames are not in the files.
        """
        self._refuse_closed()
        return self._events

    @cached_property
    def _events(self) -> tuple[Event, ...]:
        notes: list[str] = []
        events, num_cut = read_events(self._opened, self.frame_table, notes)
        if num_cut:
            frames = "1 frame" if num_cut == 1 else f"{num_cut} frames"
            notes.append(f"ScanImage cut the descriptions of {frames} short: some of their events are missing")
        notify(notes)
        return tuple(events)
