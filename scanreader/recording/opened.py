"""`Opened`: everything that opening a recording found; a scan holds one and pickles it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from scanreader.errors import ChangedFileError
from scanreader.keys import as_array, as_range
from scanreader.recording.fields import UNTRIMMED
from scanreader.recording.pixels import RECORDED
from scanreader.scanimage.blocks import block_digest, read_block
from scanreader.scanimage.header import Block, Header

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanreader.errors import Finding
    from scanreader.keys import IndexArray, Pick
    from scanreader.recording.bouts import BoutStart
    from scanreader.recording.fields import Field, Trim
    from scanreader.recording.layout import Layout
    from scanreader.recording.numbering import Part
    from scanreader.recording.pixels import PixelReader
    from scanreader.scanimage.rois import Roi
    from scanreader.scanimage.settings import Channel
    from scanreader.scanimage.stacks import Stack
    from scanreader.tiff.pages import Pages
    from scanreader.tiff.runs import FileIndex

    View = Callable[["Opened"], "Opened"]
    """Makes one state of a recording from another: a selection, for example."""


class LookAgain(Protocol):
    """Opens the files of a recording again, with the same arguments of `read_scan`; the reader provides it."""

    def __call__(self, opened: Opened) -> Opened:
        """Open the recording again, without reading again what has not changed."""


class HeaderPlace:
    """The file that has the recording's header, and the header's digest; the texts are read on demand.

    Parameters
    ----------
    file : FileIndex
    digest : bytes
        From `scanimage.blocks.block_digest`. The header that is read later must have the same digest.
    block : Block, optional
        The texts, if they were just read.
    """

    def __init__(self, file: FileIndex, digest: bytes, block: Block | None = None) -> None:
        self._file, self._digest = file, digest
        self._texts = None if block is None else (block, Header(block.text))

    @classmethod
    def of(cls, file: FileIndex, block: Block) -> HeaderPlace:
        """Make the place of a header that was just read."""
        return cls(file, block_digest(block), block)

    def __reduce__(self) -> tuple[Any, ...]:
        return HeaderPlace, (self._file, self._digest)

    @property
    def is_read(self) -> bool:
        """Whether the texts have been read."""
        return self._texts is not None

    @property
    def block(self) -> Block:
        """The texts."""
        return self._read()[0]

    @property
    def settings(self) -> Header:
        """The settings."""
        return self._read()[1]

    def _read(self) -> tuple[Block, Header]:
        """Read the texts, if they have not been read.

        Raises
        ------
        ChangedFileError
            If they differ from those when the recording was opened.
        """
        if self._texts is None:
            block = read_block(self._file) or NO_BLOCK
            if block_digest(block) != self._digest:
                raise ChangedFileError(
                    f"the header of {self._file.path!r} changed after the recording was opened: open it again"
                )
            self._texts = block, Header(block.text)
        return self._texts


NO_BLOCK = Block("", "", None)
"""The header of a file that ScanImage did not write."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameChoice:
    """The frames of a recording that a scan shows, in order."""

    places: range | bytes
    """Frames of the recording: a range, or 8 bytes each where they are unevenly spaced. Both are immutable."""

    @classmethod
    def of(cls, places: range | IndexArray) -> FrameChoice:
        """Select frames of the recording."""
        place_range = as_range(places)
        if isinstance(place_range, range) and len(place_range) == 1:
            place_range = range(place_range[0], place_range[0] + 1)  # one frame has no step
        return cls(place_range if isinstance(place_range, range) else place_range.astype("<i8").tobytes())

    @property
    def step(self) -> int:
        """Step from one frame to the next; 0 where they are unevenly spaced."""
        return self.places.step if isinstance(self.places, range) else 0

    def __len__(self) -> int:
        return len(self.places) if isinstance(self.places, range) else len(self.places) // 8

    def take(self, indices: range | IndexArray) -> range | IndexArray:
        """Frames of the recording for frames of the selection."""
        if not isinstance(self.places, range):
            return np.frombuffer(self.places, "<i8")[as_array(indices)]
        if isinstance(indices, range):
            start, step = self.places.start + indices.start * self.places.step, indices.step * self.places.step
            return range(start, start + len(indices) * step, step)
        return self.places.start + indices * self.places.step


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """What opening a recording found, and which view of it a scan shows.

    A `Scan` holds one. A view replaces some of its values (`dataclasses.replace`).
    """

    pages: Pages
    parts: tuple[Part, ...]
    header: HeaderPlace
    stack: Stack
    depths: tuple[float, ...]
    """Depth of each requested slice, in µm."""
    layout: Layout
    channels: tuple[Channel, ...]
    rois: tuple[Roi, ...]
    is_multi_roi: bool
    fields: tuple[Field, ...]
    uncut: tuple[tuple[Field, ...], ...]
    """For each field, the fields that it was made of, before trimming and joining."""
    dtype: np.dtype[Any]
    """Data type of the arrays that reading returns."""
    bouts: tuple[BoutStart, ...] = ()
    """The grabs, or acquisitions of a loop, in order."""
    is_raw: bool = False
    """Whether every page is a frame of one field (``raw=True``)."""
    findings: tuple[Finding, ...] = ()
    frames: FrameChoice | None = None
    """None for all frames, also those that are still to be written."""
    trim: Trim = UNTRIMMED
    """Pixels removed at the edges of every ROI."""
    is_joined: bool = False
    """Whether touching fields are joined, and stay joined when their edges are trimmed."""
    plane_depths: tuple[tuple[float, ...], ...] = ()
    """Where channels are planes: depth of each plane of each slice, in µm; NaN where unknown."""
    pixels: PixelReader = RECORDED
    views: tuple[View, ...] = ()
    """The views since opening, in order; `refresh` applies them again."""
    look_again: LookAgain | None = None

    @property
    def num_frames(self) -> int:
        """Number of frames (time points) of each field."""
        return self.layout.num_frames if self.frames is None else len(self.frames)

    def averaging_of(self, part: Part) -> int:
        """Raw frames that were averaged into each frame of a file."""
        return part.averaging or self.stack.averaging

    def frame_places(self, indices: range | IndexArray) -> range | IndexArray:
        """Frames of the recording for frames of the scan."""
        return indices if self.frames is None else self.frames.take(indices)

    def saved_channels(self, field: Field) -> tuple[Channel, ...]:
        """The channel in the files of each channel of the scan, for a field."""
        if field.plane is None:
            return self.channels
        return tuple(channel.planes[field.plane] for channel in self.channels)

    def channel_places(self, field: Field, channel_pick: Pick) -> int | IndexArray:
        """Channels of the files for channels of the scan, for a field; a number where the axis is dropped."""
        channels = self.saved_channels(field)
        if channel_pick.drops:
            return channels[channel_pick.indices[0]].place
        return np.array([channels[i].place for i in channel_pick.indices], np.int64)
