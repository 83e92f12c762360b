"""The scan that users hold: the array with its facts and views, and one line to each picture and report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from scanreader.errors import LayoutError
from scanreader.exports import Exports
from scanreader.extras import import_extra
from scanreader.recording.images import ScanWithImages
from scanreader.scanimage.stacks import StackManagerOrder

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    import numpy.typing as npt
    from matplotlib.figure import Figure

    from scanreader.check import Report
    from scanreader.view.canvas import Canvas


class Scan(StackManagerOrder, ScanWithImages, Exports):
    """A recording: an array of fields, indexed ``scan[field, y, x, channel, frame]`` and read on demand.

    `scanreader.read_scan` makes it. A scan never changes; it can be pickled, and used from several threads and
    processes. Files are closed after each read, except that reading the trace of a few pixels keeps memory maps
    of a few files until `close`.

    Each subclass is for some releases of ScanImage and lists the settings that they renamed. `VERSIONS` lists the
    class of each release.
    """

    def canvas(
        self,
        slice_id: int = 0,
        channel: int = 0,
        frames: Any = slice(None),
        how: str = "mean",
        *,
        plane: int = 0,
        pixel_size: float | None = None,
        fill: float = math.nan,
    ) -> Canvas:
        """Place the fields of one slice in one image, at their positions in the sample.

        Parameters
        ----------
        slice_id, channel : int
            Numbers of the slice and of the channel, from 0.
        frames : int, slice or list of int
            Which frames to reduce to one image.
        how : {"mean", "max"}
            How to reduce them. Frames are read in chunks.
        plane : int
            Number of the plane, from 0, in a scan made by `channels_as_planes`.
        pixel_size : float, optional
            Pixel size of the image, in µm; by default the smallest pixel height or width of these fields.
        fill : float
            Value of pixels where nothing was scanned.

        Returns
        -------
        Canvas
            ``canvas.image`` is of float32 and of shape (y, x). Where fields overlap, the later one in `fields` is on
            top. Each pixel takes the value of the nearest pixel of the field, without interpolation.

        Raises
        ------
        ScanIndexError
            If an index is out of bounds, `how` or `pixel_size` is not allowed, or the image would be too large.
        ScanKeyError, DtypeError
            If `pixel_size`, or `fill`, is no number.
        LayoutError
            If the slice has no field, or there are several and their positions are unknown.

        Warns
        -----
        ScanReaderWarning
            If the header has no ``objectiveResolution`` (µm per degree): the canvas is then in degrees. If the
            position of the field is unknown, the canvas is in pixels (see ``canvas.unit``).
        """
        from scanreader.view.canvas import canvas  # noqa: PLC0415 - rarely needed

        return canvas(self, slice_id, channel, frames, how, plane=plane, pixel_size=pixel_size, fill=fill)

    def plot(
        self,
        *,
        fields: Any = None,
        channels: Any = slice(None),
        frames: Any = slice(None),
        max_frames: int | None = None,
        percentiles: tuple[float, float] = (1, 99.5),
    ) -> Figure:
        """Draw the mean image of each field and channel, from evenly spaced frames.

        Fields of a multi-ROI recording are also drawn at their positions in the sample, with the rotation of their
        ROI. A volume is drawn as a grid of images. Images of the same scale share a scale bar.

        Parameters
        ----------
        fields, channels : int, slice, sequence or mask
            Which to draw. By default all; if there are more than 100 fields, those of some slices.
        frames : int, slice, sequence or mask
            Which frames to average.
        max_frames : int, optional
            How many of these frames to read at most, evenly spaced. By default 60, or fewer if 60 frames would be more
            than 1 GiB.
        percentiles : (float, float)
            Percentiles of each image's values that are drawn as black and as white.

        Returns
        -------
        matplotlib.figure.Figure
            Notebooks show it, and ``savefig`` writes it. It is made without pyplot, so no display is needed.

        Raises
        ------
        ScanIndexError
            If an index is out of bounds, nothing is selected, `percentiles` or `max_frames` is not allowed, or there
            are too many fields for one figure.
        MissingExtraError
            If matplotlib is not installed.
        """
        import_extra("matplotlib", "plot")
        from scanreader.view.plots import plot  # noqa: PLC0415 - an extra

        return plot(self, fields, channels, frames, max_frames, percentiles)

    def plot_layout(self) -> Figure:
        """Draw where the fields are in the sample, in µm, and beside it, which rows of the page they occupy.

        Each slice has a colour; a ROI that was scanned in several slices has a band in the colour of each. No pixels
        are read.

        Returns
        -------
        matplotlib.figure.Figure
            As `plot` returns it.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        import_extra("matplotlib", "plot")
        from scanreader.view.layout_plot import plot_layout  # noqa: PLC0415 - an extra

        return plot_layout(self)

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: Callable[[str, float], object] | None = None,
    ) -> None:
        """Write a report of the recording and its quality, as one HTML file without external files.

        It shows a summary, the findings of `check` and what they mean, mean images, brightness over time, intervals
        between frames, events, saturation, the bidirectional phase offset (estimated, never corrected) and all
        settings. In a large recording, only evenly spaced frames are read; the report says which. Pages that
        cannot be read are skipped.

        Parameters
        ----------
        path : path
            For example ``"report.html"``. The file appears under this name only once it is complete.
        overwrite : bool
            Whether to replace an existing file.
        progress : callable, optional
            Called as ``progress(step, fraction)``: the name of the next step, and the fraction completed (0 to 1).

        Raises
        ------
        TargetExistsError
            If the file exists.
        LayoutError
            If the scan was made by `phase.realigned`: a report is about the pixels as recorded.
        MissingExtraError
            If jinja2 or matplotlib is not installed.
        """
        import_extra("jinja2", "report")
        import_extra("matplotlib", "report")
        from scanreader.view.report import write  # noqa: PLC0415 - an extra

        self._refuse_closed()
        if self.opened.pixels.change:
            raise LayoutError(
                "a report is of the pixels as they were recorded: ask the scan that this was made of", raw_helps=False
            )
        write(self, path, overwrite=overwrite, progress=progress)

    def check(self) -> Report:
        """Check the whole recording for frames that are missing, duplicated or damaged, and for unusual settings.

        This reads the TIFF tags (the IFD) and the description of every page, but no pixels.

        Returns
        -------
        Report
            Its `ok` is True if nothing is wrong; ``print(report)`` lists all findings.
        """
        from scanreader.check import check  # noqa: PLC0415 - rarely needed

        self._refuse_closed()
        return check(self)

    def refresh(self) -> Self:
        """Open the recording again, with the frames that ScanImage has written since.

        Returns
        -------
        Scan
            A new scan with all frames that are complete by now, also those in new files, and with the same views.
            This scan does not change.

        Raises
        ------
        ChangedFileError, PathnameError, …
            As for `read_scan`, if the files no longer belong to this recording.
        LayoutError
            If the scan is a selection of frames: it does not grow.

        Warns
        -----
        ScanReaderWarning
            If there are findings that this scan did not have.
        """
        from scanreader.live import refreshed  # noqa: PLC0415 - rarely needed

        self._refuse_closed()
        return refreshed(self)

    def follow(
        self, timeout: float = 60.0, *, field: int | None = None, interval: float = 0.1
    ) -> Iterator[npt.NDArray[Any]]:
        """Yield the frames that ScanImage writes after the last one of this scan, until the acquisition ends.

        Parameters
        ----------
        timeout : float
            Seconds without a new frame after which this stops, with a warning.
        field : int, optional
            Read this field only; required where fields differ in size.
        interval : float
            Seconds between checks for new frames.

        Yields
        ------
        array of shape (fields, y, x, channels, frames)
            The new frames; with `field`, of shape (y, x, channels, frames). Each complete frame comes once, in order.

        Raises
        ------
        FieldDimensionMismatch
            If fields differ in size and `field` is not given.
        LayoutError
            If the scan is a selection of frames: it does not grow.
        ChangedFileError
            If the files no longer belong to this recording.

        Warns
        -----
        ScanReaderWarning
            If no frame came within `timeout`.
        """
        from scanreader.live import follow  # noqa: PLC0415 - rarely needed

        self._refuse_closed()
        return follow(self, timeout, field=field, interval=interval)

    def _repr_html_(self) -> str:
        """Table that notebooks show."""
        from scanreader.view.html import scan_html  # noqa: PLC0415 - rarely needed

        return scan_html(self)
