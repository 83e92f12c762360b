"""Some fields, channels and frames of a scan, as a bridge sees a scan."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.errors import ScanIndexError
from scanreader.exports import Exports
from scanreader.keys import AXES, as_array, from_start, pick, split_key

if TYPE_CHECKING:
    from datetime import datetime

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.fields import Field
    from scanreader.tiff.pages import BytePlaces


class Selected(Exports):
    """A part of a scan, which it reads on demand.

    Parameters
    ----------
    scan : ScanLike
    fields, channels, frames : slice or list of int
        What of it.

    Raises
    ------
    ScanIndexError
        If there is nothing of the kind, or it is out of bounds.
    """

    def __init__(
        self, scan: ScanLike, *, fields: Any = slice(None), channels: Any = slice(None), frames: Any = slice(None)
    ) -> None:
        entries = split_key((fields, ..., channels, frames))
        sizes = (scan.num_fields, 0, 0, scan.num_channels, scan.num_frames)
        chosen = [as_array(pick(entries[axis], sizes[axis], AXES[axis]).indices) for axis in (0, 3, 4)]
        for axis, some in zip((0, 3, 4), chosen, strict=True):
            if not some.size:
                raise ScanIndexError(f"no {AXES[axis]} is picked of {sizes[axis]}")
        self.scan = scan
        self._fields, self._channels, self._frames = chosen

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that were picked."""
        return tuple(self.scan.fields[i] for i in self._fields.tolist())

    @property
    def field_numbers(self) -> list[int]:
        """Numbers of the fields that were picked, in what they were picked of."""
        return [int(i) for i in self._fields]

    @property
    def num_fields(self) -> int:
        """Number of fields."""
        return len(self._fields)

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return len(self._channels)

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self._frames)

    @property
    def nbytes(self) -> int:
        """Bytes that all values take in memory."""
        pixels = sum(field.height * field.width for field in self.fields)
        return pixels * self.num_channels * self.num_frames * self.dtype.itemsize

    @property
    def dtype(self) -> np.dtype[Any]:
        """The scan's."""
        return self.scan.dtype

    @property
    def channel_names(self) -> list[str]:
        """Names of the channels that were picked."""
        return [self.scan.channel_names[i] for i in self._channels.tolist()]

    @property
    def fps(self) -> float:
        """Frames a second; NaN if the frames are not evenly spaced."""
        steps = set(np.diff(self._frames).tolist()) or {1}
        step = steps.pop()
        return self.scan.fps / step if not steps and step > 0 else math.nan

    @property
    def start_time(self) -> datetime | None:
        """The scan's."""
        return self.scan.start_time

    @property
    def token(self) -> str:
        """What tells this part from others."""
        picked = b"|".join(some.astype("<i8").tobytes() for some in (self._fields, self._channels, self._frames))
        return hashlib.sha256(self.scan.token.encode() + picked).hexdigest()[:32]

    @property
    def header(self) -> str:
        """The scan's."""
        return self.scan.header

    @property
    def release(self) -> str:
        """The scan's."""
        return self.scan.release

    @property
    def microns_per_degree(self) -> float:
        """The scan's."""
        return self.scan.microns_per_degree

    @property
    def roi_metadata(self) -> dict[str, Any]:
        """The scan's."""
        return self.scan.roi_metadata

    @property
    def filenames(self) -> list[str]:
        """The scan's."""
        return self.scan.filenames

    def field_timestamps(self, field: int) -> npt.NDArray[np.float64]:
        """When a field's page was begun in each frame, in s, of shape (frames,)."""
        return np.asarray(self.scan.field_timestamps(self._field(field))[self._frames])

    def byte_places(self, field: int) -> BytePlaces:
        """Find where the pixels of a field stand in the files."""
        places = self.scan.byte_places(self._field(field))
        some = np.ix_(self._frames, self._channels)
        return places._replace(files=places.files[some], offsets=places.offsets[some])

    def _field(self, field: int) -> int:
        return int(self._fields[from_start(field, self.num_fields, AXES[0])])

    def __dask_tokenize__(self) -> str:
        return self.token

    def __repr__(self) -> str:
        return f"<{self.num_fields} fields, {self.num_channels} channels, {self.num_frames} frames of {self.scan!r}>"

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a part, indexed as a scan is."""
        entries = split_key(key)
        places = []
        for axis, chosen in ((0, self._fields), (3, self._channels), (4, self._frames)):
            picked = pick(entries[axis], len(chosen), AXES[axis])
            some = chosen[as_array(picked.indices)]
            places.append(int(some[0]) if picked.drops else some)
        return self.scan[(places[0], entries[1], entries[2], places[1], places[2])]
