"""Lists of a property of all fields, under the names that older readers gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from scanreader.errors import FieldDimensionMismatch
from scanreader.keys import abbreviate
from scanreader.recording.facts import Facts

if TYPE_CHECKING:
    import numpy.typing as npt

V = TypeVar("V", int, float)


class Names(Facts):
    """Lists of a property of each field, and properties that all fields share."""

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
    def _common(values: list[V], quantity: str) -> V:
        if not np.allclose(values, values[0], rtol=1e-6, atol=0, equal_nan=True):
            raise FieldDimensionMismatch(
                f"fields differ: their {quantity} are {abbreviate(values)}; read them one by one, or see scan.fields"
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
        """Slice of each field, counted from 0."""
        return [field.slice_id for field in self.fields]

    @property
    def field_rois(self) -> list[list[int]]:
        """For each field, the indices of its ROIs, from 0."""
        return [field.roi_ids for field in self.fields]

    @property
    def field_masks(self) -> list[npt.NDArray[np.int64]]:
        """For each field, an array of shape (height, width): the index of the ROI at each pixel, or -1."""
        return [field.roi_mask for field in self.fields]

    @property
    def field_offsets(self) -> list[npt.NDArray[np.float64]]:
        """For each field, an array of shape (height, width) with the time of each pixel; see `Field.offset_mask`."""
        return [field.offset_mask for field in self.fields]

    @property
    def field_heights_in_microns(self) -> list[float]:
        """Height of each field, in µm."""
        return [field.height_in_microns for field in self.fields]

    @property
    def field_widths_in_microns(self) -> list[float]:
        """Width of each field, in µm."""
        return [field.width_in_microns for field in self.fields]
