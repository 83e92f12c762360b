"""Everything that opening a recording found: what a scan holds, and what it pickles."""

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
    from scanreader.keys import IndexArray
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
    """Gives a part of a recording, or another look at it."""


class LookAgain(Protocol):
    """Opens the files of a recording once more, as `read_scan` was asked to; the reader hands it in."""

    def __call__(self, opened: Opened) -> Opened:
        """Open the recording again; what did not change since is not read again."""


class HeaderPlace:
    """Which file has the recording's header, and the header's digest; the texts are read when they are asked for.

    Parameters
    ----------
    file : FileIndex
    digest : bytes
        Of `scanimage.blocks.block_digest`: the header that is read later must have it, too.
    block : Block, optional
        The texts, if they were read a moment ago.
    """

    def __init__(self, file: FileIndex, digest: bytes, block: Block | None = None) -> None:
        self._file, self._digest = file, digest
        self._texts = None if block is None else (block, Header(block.text))

    @classmethod
    def of(cls, file: FileIndex, block: Block) -> HeaderPlace:
        """Make the place of a header that was read a moment ago."""
        return cls(file, block_digest(block), block)

    def __reduce__(self) -> tuple[Any, ...]:
        return HeaderPlace, (self._file, self._digest)

    @property
    def is_read(self) -> bool:
        """Whether the texts are here."""
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
        """Read the texts, once.

        Raises
        ------
        ChangedFileError
            If they are not those that were there when the recording was opened.
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
"""Of a file that ScanImage did not write."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameChoice:
    """Which frames of a recording a scan shows, in its order."""

    places: range | bytes
    """Frames of the recording; where they are not evenly spaced, 8 bytes each: nobody can change them."""

    @classmethod
    def of(cls, places: range | IndexArray) -> FrameChoice:
        """Choose frames by their places."""
        evenly = as_range(places)
        if isinstance(evenly, range) and len(evenly) == 1:
            evenly = range(evenly[0], evenly[0] + 1)  # one frame has no step
        return cls(evenly if isinstance(evenly, range) else evenly.astype("<i8").tobytes())

    @property
    def step(self) -> int:
        """Frames from one to the next; 0 where they are not evenly spaced."""
        return self.places.step if isinstance(self.places, range) else 0

    def __len__(self) -> int:
        return len(self.places) if isinstance(self.places, range) else len(self.places) // 8

    def take(self, indices: range | IndexArray) -> range | IndexArray:
        """Frames of the recording at some places of the choice."""
        if not isinstance(self.places, range):
            return np.frombuffer(self.places, "<i8")[as_array(indices)]
        if isinstance(indices, range):
            start, step = self.places.start + indices.start * self.places.step, indices.step * self.places.step
            return range(start, start + len(indices) * step, step)
        return self.places.start + indices * self.places.step


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """What opening a recording found, and how it is looked at.

    A `Scan` holds one; a view of it is `dataclasses.replace` of some of these.
    """

    pages: Pages
    parts: tuple[Part, ...]
    header: HeaderPlace
    stack: Stack
    depths: tuple[float, ...]
    """Depth of each slice that was asked for, in µm."""
    layout: Layout
    channels: tuple[Channel, ...]
    rois: tuple[Roi, ...]
    is_multi_roi: bool
    fields: tuple[Field, ...]
    uncut: tuple[tuple[Field, ...], ...]
    """For each field, the fields that it was made of: before they lost their edges and were joined."""
    dtype: np.dtype[Any]
    """Of the arrays that reads give."""
    is_raw: bool = False
    """Whether the pages are given as they lie."""
    findings: tuple[Finding, ...] = ()
    frames: FrameChoice | None = None
    """None for all, those that are still to come among them."""
    trim: Trim = UNTRIMMED
    """What every ROI has lost at its edges."""
    is_joined: bool = False
    """Whether fields that touch are joined, so that they are again when they lose their edges."""
    pixels: PixelReader = RECORDED
    views: tuple[View, ...] = ()
    """The views that were taken since opening, in order: they are taken again of what is opened later."""
    look_again: LookAgain | None = None

    @property
    def num_frames(self) -> int:
        """Time points of each field."""
        return self.layout.num_frames if self.frames is None else len(self.frames)

    def frame_places(self, indices: range | IndexArray) -> range | IndexArray:
        """Frames of the recording at some places of the scan."""
        return indices if self.frames is None else self.frames.take(indices)
