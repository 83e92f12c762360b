"""Exports of a scan: each method imports its bridge, and the library that it needs, when called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanreader.extras import import_extra

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from scanreader.bridges import ScanLike


class Exports:
    """Methods that export a scan to other libraries and formats."""

    def to_dask(self: ScanLike, field: int | None = None, *, frames: int | None = None) -> Any:
        """Make a lazy dask array.

        Parameters
        ----------
        field : int, optional
            Number of one field, for an array of shape (y, x, channels, frames); by default all fields, of shape
            (fields, y, x, channels, frames).
        frames : int, optional
            Frames in each chunk, of all channels; by default about 64 MiB.

        Returns
        -------
        dask.array.Array
            Its name is the same in every process, and workers receive the scan in kilobytes.

        Raises
        ------
        FieldDimensionMismatch
            If fields differ in size, and `field` is not given.
        MissingExtraError
            If dask is not installed.
        """
        from scanreader.bridges.dask import to_dask  # noqa: PLC0415 - an extra

        return to_dask(self, field, frames)

    def to_xarray(self: ScanLike) -> Any:
        """Make a lazy xarray dataset.

        Returns
        -------
        xarray.Dataset
            If fields have one size, with one variable, ``data``, of dimensions (field, y, x, channel, time);
            else with one for each field, ``field_0``, ``field_1``, … Coordinates are in s and µm (``y`` and ``x``
            from the field's centre, ``field_y`` and ``field_x`` from the centre of the scan angles; in pixels if the
            header has no µm), the names of channels and ROIs, and z.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        """
        import_extra("xarray", "xarray")
        from scanreader.bridges.xarray import to_xarray  # noqa: PLC0415 - an extra

        return to_xarray(self)

    def to_zarr_store(self: ScanLike) -> Any:
        """Give the recording as a read-only store of zarr 3, without copying it.

        Returns
        -------
        zarr.abc.store.Store
            A group with an array of (time, channel, y, x) for each field, ``field_0``, ``field_1``, … A chunk is one
            page's part of the field, read from the files and checked on demand:
            ``zarr.open_group(scan.to_zarr_store(), mode="r")["field_0"]``.

        Raises
        ------
        MissingExtraError
            If zarr is not installed.
        """
        import_extra("zarr", "zarr")
        from scanreader.bridges.zarr import ScanStore  # noqa: PLC0415 - an extra

        return ScanStore(self)

    def to_references(self: ScanLike, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write kerchunk's references to the pixels in the files, which other programs read as zarr 2.

        Before that, every page is compared with its IFD. A chunk is one page's part of a field, or one row of it if
        the field is narrower than the page.

        Parameters
        ----------
        path : path
            A JSON file, of about 100 bytes a page.
        overwrite : bool
            Replace an existing target.

        Raises
        ------
        FileFormatError
            If pages are compressed.
        LayoutError
            If fields were joined, since their pixels are in several places; if pixels are changed as they are read
            (a realigned scan); or if the files differ in byte order.
        DtypeError
            If the recording was opened with `dtype`.
        DamagedPageError, ChangedFileError
            If a page is not what it was when the scan was opened.
        TargetExistsError
            If the target exists.
        """
        from scanreader.bridges.references import to_references  # noqa: PLC0415 - rarely needed

        to_references(self, path, overwrite=overwrite)

    def to_ome_tiff(
        self: ScanLike,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write an OME-TIFF: an image for each field, of axes TCYX, with sizes and places in µm and times in s.

        Frames are read and written in portions; beyond 4 GiB it is a BigTIFF. The file appears under its name only
        once complete.

        Parameters
        ----------
        path : path
        overwrite : bool
            Replace an existing target.
        progress : callable, optional
            Called with the number of bytes written since the last call.

        Raises
        ------
        TargetExistsError
            If the target exists.
        """
        from scanreader.bridges.ome import to_ome_tiff  # noqa: PLC0415 - rarely needed

        to_ome_tiff(self, path, overwrite=overwrite, progress=progress)

    def to_ome_zarr(
        self: ScanLike,
        path: str | os.PathLike[str],
        *,
        compression: str | None = "zstd",
        levels: int = 0,
        workers: int | None = None,
        client: Any = None,
        overwrite: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write an OME-Zarr (NGFF 0.5): an image for each field, of axes tczyx, in s and µm, in shards, compressed.

        A single field is the image at the root; several are the images ``0``, ``1``, … of a collection
        (bioformats2raw.layout 3). z has one plane, whose translation is the field's depth. The group ``scanimage``
        has the header, the ROIs as JSON and ``times``, the start of each field in each frame.

        An interrupted export stays in ``PATH.partial``, and the same call continues with the missing shards.

        Parameters
        ----------
        path : path
            A folder, e.g. ``"my_scan.ome.zarr"``. It appears under this name only once complete.
        compression : {"zstd", None}
        levels : int
            Number of times that y and x are halved for a pyramid, by the mean of 2 x 2 pixels; 0 by default.
        workers : int, optional
            Number of threads, each of which holds and writes a shard of about 64 MiB; 2 to 4 by default.
        client : distributed.Client, optional
            Let its workers write instead. They need access to the same files, and scanreader; a worker receives the
            scan in kilobytes.
        overwrite : bool
            Replace an existing target, or another unfinished export in ``PATH.partial``.
        progress : callable, optional
            Called with the number of bytes of pixels written since the last call; first with those that exist.

        Raises
        ------
        TargetExistsError
            If the target exists, another call is writing it, or ``PATH.partial`` was begun from another recording or
            with other options.
        DtypeError
            If the dtype is neither integer nor float.
        MissingExtraError
            If zarr is not installed.
        """
        import_extra("zarr", "zarr")
        from scanreader.bridges.ome_zarr import to_ome_zarr  # noqa: PLC0415 - an extra

        to_ome_zarr(
            self,
            path,
            compression=compression,
            levels=levels,
            workers=workers,
            client=client,
            overwrite=overwrite,
            progress=progress,
        )

    def to_suite2p(
        self: ScanLike,
        folder: str | os.PathLike[str],
        *,
        channels: tuple[int, ...] | None = None,
        overwrite: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write suite2p's binary files: for each field, ``folder/suite2p/plane0/data.bin`` and its settings.

        ``suite2p.run_s2p(settings=…, db={"data_path": […], "save_path0": folder})`` continues with them.
        Flyback frames are omitted; ROIs have their places (``dy``, ``dx``) and rows of the page (``lines``).

        Parameters
        ----------
        folder : path
        channels : tuple of int, optional
            The functional channel, and optionally a second one; the first two by default.
        overwrite : bool
            Replace an existing target.
        progress : callable, optional
            Called with the number of bytes written since the last call.

        Raises
        ------
        DtypeError
            If a value does not fit into suite2p's 16-bit integers.
        TargetExistsError
            If ``folder/suite2p`` exists.
        """
        from scanreader.bridges.suite2p import to_suite2p  # noqa: PLC0415 - rarely needed

        to_suite2p(self, folder, channels=channels, overwrite=overwrite, progress=progress)

    def to_nwb(self: ScanLike, path: str | os.PathLike[str], **facts: Any) -> None:
        """Write an NWB file: a series for each field and channel, with its imaging plane in µm and its times.

        Frames are read, compressed and written in portions; the file appears under its name only once complete.

        Parameters
        ----------
        path : path
        **facts
            Arguments of `pynwb.NWBFile` (session_description, identifier, experimenter, subject, …), and those below.

        Other Parameters
        ----------------
        session_start_time : datetime, optional
            By default the recording's `start_time`.
        timezone : str or tzinfo, optional
            Time zone of the microscope's clock, e.g. ``"Europe/Zurich"``; by default this machine's, with a warning.
        series : {"TwoPhotonSeries", "OnePhotonSeries"}
        indicator, location : str
            Fluorescent indicator and brain area; ``"unknown"`` by default.
        excitation_lambda, emission_lambda : float
            Wavelengths; NaN by default, in nm.
        overwrite : bool
            Replace an existing target.
        progress : callable, optional
            Called with the number of bytes read since the last call.

        Raises
        ------
        HeaderError
            If the start time is unknown.
        TargetExistsError
            If the target exists.
        MissingExtraError
            If pynwb is not installed.
        """
        import_extra("pynwb", "nwb")
        from scanreader.bridges.nwb import to_nwb  # noqa: PLC0415 - an extra

        to_nwb(self, path, **facts)

    def to_napari_layers(self: ScanLike) -> list[tuple[Any, dict[str, Any], str]]:
        """Make napari's image layers, one for each channel of a field, which read the frames that they show.

        ``for data, options, _ in scan.to_napari_layers(): viewer.add_image(data, **options)``. Files that are opened
        in napari itself give the same layers.

        Returns
        -------
        list of (array, dict, "image")
            Arrays of shape (frames, y, x); where the recording has several depths, (frames, z, y, x), with the fields
            of a ROI that have equal size and place above each other. Placed as in the sample, in s and µm.
        """
        from scanreader.bridges.napari import to_napari_layers  # noqa: PLC0415 - rarely needed

        return to_napari_layers(self)
