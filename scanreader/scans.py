"""The scan that users hold: the array with its facts and views, and one line to each picture and report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from scanreader.errors import LayoutError
from scanreader.exports import Exports
from scanreader.extras import import_extra
from scanreader.recording.base import BaseScan
from scanreader.scanimage.stacks import StackManagerOrder

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    import numpy.typing as npt
    from matplotlib.figure import Figure

    from scanreader.check import Report
    from scanreader.view.canvas import Canvas


class Scan(StackManagerOrder, BaseScan, Exports):
    """A recording: an array of fields, indexed ``scan[field, y, x, channel, frame]``, that reads on demand.

    Made by `scanreader.read_scan`. It is whole when it exists and does not change; it can be pickled and used
    from threads and processes. Between reads no file is held open, but for maps of a few files of which a
    little of each page was read (a pixel's trace), until `close` or the scan's end.

    Its subclasses list the settings that a release moved; `VERSIONS` tells which release has which.
    """

    def canvas(
        self,
        slice_id: int = 0,
        channel: int = 0,
        frames: Any = slice(None),
        how: str = "mean",
        *,
        pixel_size: float | None = None,
        fill: float = math.nan,
    ) -> Canvas:
        """Place the fields of one slice by their centres into one picture, as they lie in the sample.

        Parameters
        ----------
        slice_id, channel : int
        frames : int, slice or list of int
            Which frames; a slice or list is reduced to one picture.
        how : {"mean", "max"}
            How frames become one picture. They are read some at a time.
        pixel_size : float, optional
            Of the picture, in µm; by default the smallest of the fields.
        fill : float
            Where nothing was scanned.

        Returns
        -------
        Canvas
            ``canvas.image`` has shape (y, x); where fields overlap, the later in `fields` is seen. Each of its
            pixels is the nearest of the field: nothing is interpolated.

        Warns
        -----
        ScanReaderWarning
            If the header does not say how many µm a degree is (``objectiveResolution``): then it is in degrees.
        """
        from scanreader.view.canvas import canvas  # noqa: PLC0415 - rarely needed

        return canvas(self, slice_id, channel, frames, how, pixel_size=pixel_size, fill=fill)

    def plot(
        self,
        *,
        fields: Any = None,
        channels: Any = slice(None),
        frames: Any = slice(None),
        max_frames: int | None = None,
        percentiles: tuple[float, float] = (1, 99.5),
    ) -> Figure:
        """Draw what the recording looks like: each field and channel as the mean of evenly spaced frames.

        Fields of a multi-ROI recording are also placed as they lie in the sample, turned where they are; a volume
        becomes a contact sheet. Fields are as large as there is room, with a scale bar wherever the scale changes.

        Parameters
        ----------
        fields, channels : int, slice, sequence or mask
            Which to draw; by default all channels, and all fields but those of some slices where there are more
            than 100 fields.
        frames : int, slice, sequence or mask
            Which frames to take the mean of.
        max_frames : int, optional
            How many of them to read, evenly spaced; by default up to 60, fewer where fields are so many or
            so large that these would be more than 1 GiB of 16-bit integers.
        percentiles : (float, float)
            Of the values of each picture, those that become black and white.

        Returns
        -------
        matplotlib.figure.Figure
            Notebooks show it; ``savefig`` writes it. pyplot is not touched, and no display is needed.

        Raises
        ------
        ScanIndexError
            If nothing is picked, or something that is not there.
        MissingExtraError
            If matplotlib is not installed.
        """
        import_extra("matplotlib", "plot")
        from scanreader.view.plots import plot  # noqa: PLC0415 - an extra

        return plot(self, fields, channels, frames, max_frames, percentiles)

    def plot_layout(self) -> Figure:
        """Draw where the fields lie: a map of the sample, in µm, and beside it where each stands in the page.

        Slices are colours; a ROI that is scanned in several has a band of each. Nothing is read.

        Returns
        -------
        matplotlib.figure.Figure
            As of `plot`.

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
        """Write what the recording is, and how good, as one HTML page that needs nothing but itself.

        It has the facts, what `check` finds and what that means, the pictures, brightness over time, the intervals
        between frames, the events, saturation, the offset between scan directions (which is shown, and never taken
        out) and all settings. Of a large recording some frames are read, evenly spaced, and the page says which.
        Pages that cannot be read are left out.

        Parameters
        ----------
        path : path
            E.g. ``"report.html"``. It has its name when it is whole.
        overwrite : bool
            Replace what is there.
        progress : callable, optional
            Is told what is done next, and which part of all is done: between 0 and 1.

        Raises
        ------
        TargetExistsError
            If there is something of that name.
        LayoutError
            If pixels are changed as they are read, e.g. realigned.
        MissingExtraError
            If jinja2 or matplotlib is not installed.
        """
        import_extra("jinja2", "report")
        import_extra("matplotlib", "report")
        from scanreader.view.report import write  # noqa: PLC0415 - an extra

        self._refuse_closed()
        if self.opened.pixels.change:
            raise LayoutError("a report is of the pixels as they were recorded: ask the scan that this was made of")
        write(self, path, overwrite=overwrite, progress=progress)

    def check(self) -> Report:
        """Look at the whole recording for what is missing, doubled, damaged or odd.

        Reads the IFD and the description of every page, no pixels.

        Returns
        -------
        Report
            Its `ok` is whether nothing is wrong; printed, it says everything that was found.
        """
        from scanreader.check import check  # noqa: PLC0415 - rarely needed

        self._refuse_closed()
        return check(self)

    def refresh(self) -> Self:
        """Look at the recording again, while ScanImage writes it: what has come since is in a new scan.

        Returns
        -------
        Scan
            With the frames that are complete by now, of all files that are there by now. This one stays as it is,
            and can be read as before.

        Raises
        ------
        ChangedFileError, PathnameError, …
            As `read_scan`, if the files are not those of this recording any more.
        LayoutError
            If the scan shows chosen frames (`select`): they do not grow.

        Warns
        -----
        ScanReaderWarning
            Of what was not said of this scan.
        """
        from scanreader.live import refreshed  # noqa: PLC0415 - rarely needed

        self._refuse_closed()
        return refreshed(self)

    def follow(
        self, timeout: float = 60.0, *, field: int | None = None, interval: float = 0.1
    ) -> Iterator[npt.NDArray[Any]]:
        """Read frames as ScanImage writes them, those after this scan's own, until the acquisition ends.

        Parameters
        ----------
        timeout : float
            Seconds without a new frame after which it is given up, with a warning.
        field : int, optional
            Read one field; needed where fields differ in size.
        interval : float
            Seconds between looks at the files.

        Yields
        ------
        array of shape (fields, y, x, channels, frames)
            The frames that came; (y, x, channels, frames) of one field. Each frame once, in order, and none that is
            not complete.

        Raises
        ------
        FieldDimensionMismatch
            If fields differ in size, and none is named.
        LayoutError
            If the scan shows chosen frames (`select`): they do not grow.
        """
        from scanreader.live import follow  # noqa: PLC0415 - rarely needed

        self._refuse_closed()
        return follow(self, timeout, field=field, interval=interval)

    def _repr_html_(self) -> str:
        """What notebooks show."""
        from scanreader.view.html import scan_html  # noqa: PLC0415 - rarely needed

        return scan_html(self)
