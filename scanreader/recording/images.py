"""Images of all frames: mean, maximum and standard deviation, as methods of a scan that NumPy's functions call too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.recording.base import BaseScan
from scanreader.recording.reduced import reducing

if TYPE_CHECKING:
    import numpy.typing as npt

    Images = npt.NDArray[Any] | list[npt.NDArray[Any]]


class ScanWithImages(BaseScan):
    """A scan whose frames can be reduced to images in bounded memory."""

    def mean(self, axis: Any = -1, **options: Any) -> Images:
        """Compute the mean image of each field and channel, over all frames.

        Frames are read some at a time, so memory does not grow with the recording. Sums of integers are exact.
        NaN, of pages that could not be read, are ignored.

        Parameters
        ----------
        axis : int
            The axis of frames, -1 or 4. With another axis, or with `options`, the whole scan is read into memory and
            given to NumPy's function. ``np.mean(scan, axis=0)`` calls this method.
        **options
            Those of ``np.mean``.

        Returns
        -------
        float64 array of shape (fields, y, x, channels)
            If fields differ in size, a list with an array of shape (y, x, channels) for each.

        Raises
        ------
        ScanIndexError
            If the scan has no frames.
        DamagedPageError, ChangedFileError, ClosedScanError
            As for indexing.
        """
        return self._images("mean") if _is_over_frames(axis, options) else np.asarray(self).mean(axis, **options)

    def max(self, axis: Any = -1, **options: Any) -> Images:
        """Compute the largest value of each pixel and channel, over all frames; see `mean`.

        Parameters
        ----------
        axis, **options
            As for `mean`, for ``np.max``.

        Returns
        -------
        array of the scan's dtype, of shape (fields, y, x, channels)
            If fields differ in size, a list with an array of shape (y, x, channels) for each.
        """
        return self._images("max") if _is_over_frames(axis, options) else np.asarray(self).max(axis, **options)

    def std(self, axis: Any = -1, **options: Any) -> Images:
        """Compute the standard deviation of each pixel and channel, over all frames; see `mean`.

        Squared differences are divided by the number of frames, as by ``np.std``. For integers of up to 16 bits, the
        sums are exact.

        Parameters
        ----------
        axis, **options
            As for `mean`, for ``np.std``.

        Returns
        -------
        float64 array of shape (fields, y, x, channels)
            If fields differ in size, a list with an array of shape (y, x, channels) for each.
        """
        return self._images("std") if _is_over_frames(axis, options) else np.asarray(self).std(axis, **options)

    def _images(self, how: str) -> Images:
        view = self.view(reducing(how))
        if len({(field.height, field.width) for field in view.fields}) == 1:
            return view[..., 0]
        return [view[i, ..., 0] for i in range(view.num_fields)]


def _is_over_frames(axis: Any, options: dict[str, Any]) -> bool:
    """Whether a reduction is over the axis of frames, with nothing else asked for than NumPy's defaults."""
    defaults = (None, False, 0)
    return axis in (-1, 4) and all(any(value is default for default in defaults) for value in options.values())
