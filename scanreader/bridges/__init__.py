"""Where the data goes next: one module for each library, imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from scanreader.extras import needed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy as np
    import numpy.typing as npt

    from scanreader.fields import Field


__all__ = ["ScanLike", "frames_at_a_time", "needed"]


class ScanLike(Protocol):
    """What a bridge knows of a scan."""

    @property
    def fields(self) -> Sequence[Field]: ...  # noqa: D102
    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102
    @property
    def num_fields(self) -> int: ...  # noqa: D102
    @property
    def num_channels(self) -> int: ...  # noqa: D102
    @property
    def num_frames(self) -> int: ...  # noqa: D102
    @property
    def channel_names(self) -> list[str]: ...  # noqa: D102
    @property
    def fps(self) -> float: ...  # noqa: D102
    @property
    def start_time(self) -> datetime | None: ...  # noqa: D102
    @property
    def token(self) -> str: ...  # noqa: D102
    @property
    def header(self) -> str: ...  # noqa: D102
    @property
    def release(self) -> str: ...  # noqa: D102
    @property
    def microns_per_degree(self) -> float: ...  # noqa: D102
    @property
    def roi_metadata(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def filenames(self) -> list[str]: ...  # noqa: D102
    def field_timestamps(self, field: int) -> npt.NDArray[np.float64]: ...  # noqa: D102
    def __getitem__(self, key: Any) -> npt.NDArray[Any]: ...


def frames_at_a_time(frame_bytes: int, most: int = 64 << 20) -> int:
    """How many whole frames of so many bytes fit into a chunk of about 64 MiB."""
    return max(1, most // max(1, frame_bytes))
