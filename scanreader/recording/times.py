"""When each frame was scanned, and what came in meanwhile."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scanreader.keys import as_array, nonnegative_index, read_only_copy
from scanreader.notices import notify
from scanreader.recording.facts import Facts
from scanreader.recording.frames import read_events, read_table, read_timestamps, times_at
from scanreader.scanimage.descriptions import EPOCH_END, NUMBERS_END, as_datetime, epoch, frame_numbers, timestamps

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt

    from scanreader.keys import IndexArray
    from scanreader.recording.numbering import Part
    from scanreader.scanimage.descriptions import Event, FrameNumbers


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
        timestamp                    Seconds since the grab or loop began; NaN if unknown. For an averaged frame,
                                     the time at which its last raw frame began.
        acquisition_trigger          Time of the trigger that started the acquisition, in s on the same clock;
                                     NaN if there was none.
        next_file_marker             Time of the trigger that began a new file; NaN if there was none.
        end_of_acquisition           1 on the last frame of an acquisition; 0 if not, -1 if unknown.
        end_of_acquisition_mode      1 on the last frame of the grab or loop; 0 if not, -1 if unknown.
        dc_overvoltage               1 if the digitizer's input exceeded its range; -1 if unknown.
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
        table = read_table(self._opened.pages, self._opened.layout, notes)
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
            every = np.arange(self.layout.num_frames)
            times = read_timestamps(self._opened.pages, self.layout.page_numbers(0, 0, every), notes)
            has_times = not np.isnan(times).all()
        notify(notes)
        return has_times

    @property
    def timestamps(self) -> npt.NDArray[np.float64]:
        """Time of each frame of each slice, of shape (slices, frames), in s since `start_time`.

        The timestamp of a frame is the time at which its scan began. An averaged frame has the time at which the
        last of its `averaging` raw frames began. NaN where a description has no time; with ``raw=True``, times are
        never computed from the frame rate. If recordings were joined, the times of each count from its own start.
        There is a row for each slice of the recording, even in a selection of fields: see `field_timestamps`.
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
        raw = (self.frame_indices(slice_id) + 1) * self.stack.averaging - 1
        return np.asarray(raw / (np.nan if self._opened.is_raw else self.scan_frame_rate), np.float64)

    def _pages_of(self, slice_id: int, channel: int) -> IndexArray:
        """Pages of a slice and a channel of the files, for each frame of the scan."""
        frames = self._opened.frame_places(np.arange(self.num_frames))
        return self.layout.page_numbers(slice_id, channel, as_array(frames))

    def frame_indices(self, slice_id: int = -1, *, pages: bool = False, channel: int = 0) -> npt.NDArray[np.int64]:
        """Position of each frame of a slice in the sequence of all frames, flyback frames included.

        If a DAQ recorded one pulse for each logged frame, flyback frames included, the pulse of frame ``t`` is
        number ``frame_indices(slice_id)[t]``. Frames missing from the files are included in the count if the
        frame numbers show that they are missing. If A raw frames were averaged into one, index ``i`` covers raw
        frames ``i * A`` to ``(i + 1) * A - 1``. In a scan opened with ``raw=True``, pages are counted.

        Parameters
        ----------
        slice_id : int
            By default the last slice, as in roiextractors.
        pages : bool
            Whether to return page numbers instead: from 0, continuing from one file to the next.
        channel : int
            The channel whose pages are returned, with `pages`.

        Returns
        -------
        int array of shape (frames,)
        """
        slice_id = nonnegative_index(slice_id, self.num_scanning_depths, "slice")
        channel = nonnegative_index(channel, self.num_channels, "channel")
        self._refuse_closed()
        if pages:
            return self._pages_of(slice_id, self._opened.channels[channel].place)
        numbers = self._pages_of(slice_id, 0)
        firsts = np.array([stretch.page for stretch in self.layout.stretches])
        which = np.searchsorted(firsts, numbers, side="right") - 1
        indices: npt.NDArray[np.int64] = np.array(self._first_indices)[which] + (
            (numbers - firsts[which]) // self.layout.counts.channels
        )
        return indices

    @cached_property
    def _first_indices(self) -> list[int]:
        """Index of the first logged frame of each stretch: from its frame number, else counted in the files."""
        a, c = self.stack.averaging, self.layout.counts.channels
        stretches = self.layout.stretches
        begins = np.array([stretch.page for stretch in stretches])
        notes: list[str] = []
        first_numbers = [frame_numbers(text) for text in self._opened.pages.descriptions(begins, NUMBERS_END, notes)]
        notify(notes)
        owners = np.searchsorted([part.first for part in self._opened.parts], begins, side="right") - 1
        indices: list[int] = []
        index, ended, last, recording = 0, 0, None, None  # behind the stretch before
        for stretch, number, owner in zip(stretches, first_numbers, owners.tolist(), strict=True):
            part = self._opened.parts[owner]
            counted = index + (stretch.page - ended) // c
            if self._opened.is_raw or number.frame is None:
                index = counted
            elif last is None or part.recording != recording:
                start = min(p.first for p in self._opened.parts if p.recording == part.recording)
                index += (start - ended) // c + self._index_by_number(number, part, counted=(stretch.page - start) // c)
            else:  # between acquisitions, raw frames that were too few to be averaged were not saved
                index = max(counted, index + (number.frame - last) // a - 1)
            indices.append(index)
            frames = stretch.volumes * self.layout.counts.frames_per_volume
            last = None if number.frame is None else number.frame + (frames - 1) * a
            index, ended, recording = index + frames, stretch.page + frames * c, part.recording
        return indices

    def _index_by_number(self, number: FrameNumbers, part: Part, *, counted: int) -> int:
        """Index of the first frame of a recording's stretch within its own acquisition."""
        a, state = self.stack.averaging, self.settings.get("acqState")
        if self.stack.mode != "slow" and number.in_acquisition is not None:
            return max(counted, number.in_acquisition // a - 1)
        if state == "grab" or (state is None and not part.leads):
            return max(counted, (number.frame or 0) // a - 1)
        return counted

    @property
    def start_time(self) -> datetime | None:
        """Start of the grab or loop on the microscope computer's clock, without a time zone; None if unknown.

        This is ScanImage's ``epoch``, time zero of `timestamps`.
        """
        self._refuse_closed()
        return self._start_time

    @cached_property
    def _start_time(self) -> datetime | None:
        notes: list[str] = []
        (text,) = self._opened.pages.descriptions(np.array([0]), EPOCH_END, notes)
        notify(notes)
        return as_datetime(epoch(text))

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
        events, cut = read_events(self._opened.pages, self.frame_table, notes)
        if cut:
            frames = "1 frame" if cut == 1 else f"{cut} frames"
            notes.append(f"ScanImage cut the descriptions of {frames} short: some of their events are missing")
        notify(notes)
        return tuple(events)
