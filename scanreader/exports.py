"""Where a scan goes next: each method imports its bridge, and the library that it speaks to, when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scanreader.extras import import_extra

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from scanreader.bridges import ScanLike


class Exports:
    """What a scan can be turned into."""

    def to_dask(self: ScanLike, field: int | None = None, *, frames: int | None = None) -> Any:
        """Make a dask array that reads when it is computed.

        Parameters
        ----------
        field : int, optional
            One field, of shape (y, x, channels, frames); all by default, of shape (fields, y, x, channels, frames).
        frames : int, optional
            Whole frames in each chunk, of all channels; by default as many as take about 64 MiB.

        Returns
        -------
        dask.array.Array
            Its name is the same in every process, and what workers get of the scan has kilobytes.

        Raises
        ------
        FieldDimensionMismatch
            If fields differ in size, and none is named.
        MissingExtraError
            If dask is not installed.
        """
        from scanreader.bridges.dask import to_dask  # noqa: PLC0415 - an extra

        return to_dask(self, field, frames)

    def to_xarray(self: ScanLike) -> Any:
        """Make an xarray dataset that reads when it is computed.

        Returns
        -------
        xarray.Dataset
            Where fields are of one size, with one variable, ``data``, of dimensions (field, y, x, channel, time);
            else with one for each field, ``field_0``, ``field_1``, … Coordinates are in s and µm (``y`` and ``x``
            from the field's centre, ``field_y`` and ``field_x`` from that of the scan angles; pixels where the
            header does not say), the names of channels and ROIs, and z.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        """
        import_extra("xarray", "xarray")
        from scanreader.bridges.xarray import to_xarray  # noqa: PLC0415 - an extra

        return to_xarray(self)

    def to_zarr_store(self: ScanLike) -> Any:
        """Give the recording as a store of zarr 3, to be read only, without a copy.

        Returns
        -------
        zarr.abc.store.Store
            A group with an array of (time, channel, y, x) for each field, ``field_0``, ``field_1``, … A chunk is one
            page's part of the field, read from the files and checked when it is asked for:
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
        """Write where the pixels stand in the files, as kerchunk's references: others read them as zarr 2, from there.

        Every page is compared with its IFD before. A chunk is one page's part of a field; one row of it, where the
        field is narrower than the page.

        Parameters
        ----------
        path : path
            Of a JSON file, of about 100 bytes a page.
        overwrite : bool
            Replace what is there.

        Raises
        ------
        FileFormatError
            If pages are compressed.
        LayoutError
            If fields were joined: their pixels stand in several places.
        DtypeError
            If the recording was opened with another dtype than its own.
        DamagedPageError, ChangedFileError
            If a page is not what it was when the scan was opened.
        TargetExistsError
            If there is something of that name.
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

        Frames are read and written some at a time; beyond 4 GiB it is a BigTIFF. It has its name when it is whole.

        Parameters
        ----------
        path : path
        overwrite : bool
            Replace what is there.
        progress : callable, optional
            Is told how many more bytes were written.

        Raises
        ------
        TargetExistsError
            If there is something of that name.
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
        (bioformats2raw.layout 3). z has one plane: its translation is the field's depth. Beside them, the group
        ``scanimage`` has the header, the ROIs as JSON and ``times``, when each field was begun in each frame.

        What was interrupted stays in ``PATH.partial``, and the same call goes on with the shards that are missing.

        Parameters
        ----------
        path : path
            A folder, e.g. ``"my_scan.ome.zarr"``. It has its name when it is whole.
        compression : {"zstd", None}
        levels : int
            How often y and x are halved for a pyramid, by the mean of 2 x 2 pixels; not at all by default.
        workers : int, optional
            Threads that write a shard each, of about 64 MiB, and hold it meanwhile; 2 to 4 by default.
        client : distributed.Client, optional
            Let its workers write instead. They see the same files and have scanreader; a worker gets the scan
            in kilobytes.
        overwrite : bool
            Replace what is there, or a part of something else in ``PATH.partial``.
        progress : callable, optional
            Is told how many more bytes of pixels were written; at first, how many were there.

        Raises
        ------
        TargetExistsError
            If there is something of that name, another call is writing it, or what is in ``PATH.partial`` was begun
            from another recording or with other options.
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
        """Write suite2p's binary files: ``folder/suite2p/plane0/data.bin`` and what it puts down of it, for each field.

        ``suite2p.run_s2p(settings=…, db={"data_path": […], "save_path0": folder})`` finds them and goes on from there.
        Flyback frames are not among them; ROIs have their places (``dy``, ``dx``) and rows of the page (``lines``).

        Parameters
        ----------
        folder : path
        channels : tuple of int, optional
            The functional channel, and a second one; the first two by default.
        overwrite : bool
            Replace what is there.
        progress : callable, optional
            Is told how many more bytes were written.

        Raises
        ------
        DtypeError
            If a value is larger than 32767, which suite2p's integers would wrap.
        TargetExistsError
            If ``folder/suite2p`` is there.
        """
        from scanreader.bridges.suite2p import to_suite2p  # noqa: PLC0415 - rarely needed

        to_suite2p(self, folder, channels=channels, overwrite=overwrite, progress=progress)

    def to_nwb(self: ScanLike, path: str | os.PathLike[str], **facts: Any) -> None:
        """Write an NWB file: a series for each field and channel, with its imaging plane in µm and its times.

        Frames are read, compressed and written some at a time; the file has its name when it is whole.

        Parameters
        ----------
        path : path
        **facts
            Whatever `pynwb.NWBFile` takes: session_description, identifier, experimenter, subject, …; and those below.

        Other Parameters
        ----------------
        session_start_time : datetime, optional
            By default the recording's `start_time`.
        timezone : str or tzinfo, optional
            Of the microscope's clock, e.g. ``"Europe/Zurich"``; by default this machine's, with a warning.
        series : {"TwoPhotonSeries", "OnePhotonSeries"}
        indicator, location : str
            What glows, and where in the brain; ``"unknown"`` by default.
        excitation_lambda, emission_lambda : float
            In nm; NaN by default.
        overwrite : bool
            Replace what is there.
        progress : callable, optional
            Is told how many more bytes were read.

        Raises
        ------
        HeaderError
            If nothing says when the session began.
        TargetExistsError
            If there is something of that name.
        MissingExtraError
            If pynwb is not installed.
        """
        import_extra("pynwb", "nwb")
        from scanreader.bridges.nwb import to_nwb  # noqa: PLC0415 - an extra

        to_nwb(self, path, **facts)

    def to_napari_layers(self: ScanLike) -> list[tuple[Any, dict[str, Any], str]]:
        """Make napari's image layers, a channel of a field in each, that read the frames they show.

        ``for data, options, _ in scan.to_napari_layers(): viewer.add_image(data, **options)``. Files that are opened
        in napari itself become the same.

        Returns
        -------
        list of (array, dict, "image")
            Arrays are of shape (frames, y, x), in s and µm; where the recording has several depths, (frames, z, y, x),
            with the fields of a ROI that are alike above each other. Each lies where its field does in the sample.
        """
        from scanreader.bridges.napari import to_napari_layers  # noqa: PLC0415 - rarely needed

        return to_napari_layers(self)
