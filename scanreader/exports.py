"""Exports of a scan: each method imports its bridge, and the library that it needs, when called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from scanreader.extras import import_extra

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from scanreader.bridges import ScanLike
    from scanreader.bridges.verification.results import Verification


class Exports:
    """Methods that export a scan to other libraries and formats."""

    def to_dask(
        self: ScanLike,
        field: int | None = None,
        *,
        frames: int | None = None,
        grouped: Literal["z", "field"] | None = None,
    ) -> Any:
        """Make a lazy dask array.

        Parameters
        ----------
        field : int, optional
            Number of one field, for an array of shape (y, x, channels, frames); by default all fields, of shape
            (fields, y, x, channels, frames).
        frames : int, optional
            Frames in each chunk, of all channels; -1 for all of them in one chunk. By default about 64 MiB.
        grouped : {None, "z", "field"}
            ``"z"`` gives all fields as one volume (`Scan.volumes`), of shape (z, y, x, channels, frames), from
            the smallest depth to the largest. By default the first axis is the fields, in their order.

        Returns
        -------
        dask.array.Array
            The array's dask name (`.name`) identifies its pixels and chunks, and is the same in every process. A worker
            receives a few
            kilobytes, and opens the files itself.

        Raises
        ------
        FieldDimensionMismatch
            If fields differ in size, and `field` is not given.
        ScanIndexError
            If there is no such field.
        LayoutError
            If `grouped` is "z", and the fields are not one volume.
        ScanKeyError
            If `field` or `frames` is not an integer, or `frames` is 0 or below -1.
        MissingExtraError
            If dask is not installed.
        """
        from scanreader.bridges.dask import to_dask  # noqa: PLC0415 - an extra

        return to_dask(self, field, frames, grouped)

    def to_xarray(self: ScanLike, *, grouped: Literal["z", "field"] | None = None) -> Any:
        """Make a lazy xarray dataset.

        Parameters
        ----------
        grouped : {None, "z", "field"}
            ``"z"``: the depths of a ROI become the dimension z of one variable (`Scan.volumes`). ``"field"``: each
            field stays apart. By default ``"z"`` if all volumes are evenly spaced, otherwise ``"field"``.

        Returns
        -------
        xarray.Dataset
            If all fields are one volume, it has one variable, ``data``, with dimensions (z, y, x, channel, time).
            Coordinates are ``z``, ``y`` and ``x`` in µm (y and x from scan angle 0), ``time`` in s, at which the scan
            of the first-scanned plane begins, ``plane_time`` of each plane, and the numbers of fields and slices. If
            there are several volumes, or also fields that are in no volume, each has its own variable: ``volume_0``
            with dimensions (z_v0, y_v0, …), and so on, and ``field_0`` with dimensions (y_0, x_0, …), and so on.

            Otherwise, if all fields have the same size, it has one variable, ``data``, with dimensions (field, y, x,
            channel, time). Coordinates are ``time`` and ``field_time`` in s, ``y`` and ``x`` in µm from the field's
            centre,
            ``field_y`` and ``field_x`` in µm from scan angle 0, ``z`` in µm, ``rotation`` in degrees, and the names of
            channels and ROIs. If the size of a pixel in µm differs between fields, ``y`` and ``x`` are pixel indices
            from 0 (with units "pixel"), and only ``field_y`` and ``field_x`` are in µm. If fields differ in size, it
            has a variable ``field_0``, ``field_1``, … for each field, with dimensions (y_0, x_0, channel, time_0) and
            so on, where ``y_0`` and ``x_0`` are in µm from scan angle 0. If the header has no µm per degree, positions
            are in pixels. In texts, control characters are replaced, since netCDF refuses them.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        """
        import_extra("xarray", "xarray")
        from scanreader.bridges.xarray import to_xarray  # noqa: PLC0415 - an extra

        return to_xarray(self, grouped)

    def to_zarr_store(self: ScanLike) -> Any:
        """Make a read-only zarr 3 store that reads from the original files.

        Returns
        -------
        zarr.abc.store.Store
            A group with an array of (time, channel, y, x) for each field, ``field_0``, ``field_1``, … A chunk has
            frames of one channel of the field, of about 4 MiB; it is read and checked when it is used:
            ``zarr.open_group(scan.to_zarr_store(), mode="r")["field_0"]``.

        Raises
        ------
        DtypeError
            If zarr does not support the scan's dtype, e.g. longdouble.
        MissingExtraError
            If zarr is not installed.
        """
        import_extra("zarr", "zarr")
        from scanreader.bridges.zarr import ScanStore  # noqa: PLC0415 - an extra

        return ScanStore(self)

    def to_references(self: ScanLike, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a kerchunk reference file, with which other programs read the original files as zarr 2.

        First, the place of every page is checked against its TIFF tags (its IFD). A chunk is one frame of one channel
        of a field; if the field is narrower than the page, each row of that frame is a chunk.

        Parameters
        ----------
        path : path
            A JSON file, of about 100 bytes a page.
        overwrite : bool
            Whether to replace an existing target. A target of another format is never replaced.

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
        PathnameError, TargetExistsError
            If the target may not be written; see `to_ome_tiff`.
        """
        from scanreader.bridges.references import to_references  # noqa: PLC0415 - rarely needed

        to_references(self, path, overwrite=overwrite)

    def to_ome_tiff(
        self: ScanLike,
        path: str | os.PathLike[str],
        *,
        grouped: Literal["z", "field"] | None = None,
        overwrite: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write an OME-TIFF: an image for each volume, of axes TCZYX, with sizes and places in µm and times in s.

        Frames are read and written in portions; beyond 4 GiB it is a BigTIFF. The file gets its final name only when it
        is complete. In texts, characters that XML does not have are replaced.

        Parameters
        ----------
        path : path
        grouped : {None, "z", "field"}
            ``"z"``: the depths of a ROI become the z axis of one image (`Scan.volumes`). ``"field"``: each field is an
            image. By default ``"z"`` if all volumes are evenly spaced, otherwise ``"field"``; ``"z"`` also takes uneven
            depths, since each
            plane has a position of its own.
        overwrite : bool
            Whether to replace an existing target. A target of another format is never replaced.
        progress : callable, optional
            Called with the number of bytes written since the last call.

        Raises
        ------
        DtypeError
            If OME-TIFF does not support the scan's dtype, e.g. int64.
        PathnameError
            If the target is not a local path; or if it is one of the recording's files, or a folder that holds one: no
            export ever replaces these.
        TargetExistsError
            If the target exists and `overwrite` is False, or if it is of another format, a link or a folder.
        DiskFullError
            If there is no room for it.

        Warns
        -----
        ScanReaderWarning
            If the file lacks something that the scan has: the places and times of more than 100,000 planes, or the
            rotation of fields.
        """
        from scanreader.bridges.ome import to_ome_tiff  # noqa: PLC0415 - rarely needed

        to_ome_tiff(self, path, grouped=grouped, overwrite=overwrite, progress=progress)

    def to_ome_zarr(
        self: ScanLike,
        path: str | os.PathLike[str],
        *,
        compression: str | None = "zstd",
        levels: int = 0,
        grouped: Literal["z", "field"] | None = None,
        workers: int | None = None,
        client: Any = None,
        overwrite: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write an OME-Zarr (NGFF 0.5): an image for each volume, of axes tczyx, in s and µm, in shards, compressed.

        A single image is at the root; several are the images ``0``, ``1``, … of a collection (bioformats2raw.layout 3).
        The translation of z is the smallest depth. The group ``scanimage`` has the header, the ROIs as JSON
        and ``times``, the time at which the scan of each field began in each frame.

        An interrupted export stays in ``PATH.partial``, and repeating the same call writes only the missing shards.

        Parameters
        ----------
        path : path
            A folder, e.g. ``"my_scan.ome.zarr"``. It gets this name only when it is complete.
        compression : {"zstd", None}
        levels : int
            Number of times that y and x are halved for a pyramid, by the mean of 2 x 2 pixels; 0 by default.
        grouped : {None, "z", "field"}
            ``"z"``: the depths of a ROI become the z axis of one image (`Scan.volumes`). ``"field"``: each field is an
            image. By default ``"z"`` if all volumes are evenly spaced, otherwise ``"field"``. A field that is in no
            volume is an image of one plane.
        workers : int, optional
            Number of threads, each of which holds and writes a shard of about 64 MiB; 2 to 4 by default.
        client : distributed.Client, optional
            Let its workers write instead. The workers need scanreader and access to the same files; only a few
            kilobytes are sent to each.
        overwrite : bool
            Replace an existing target of the same kind, or another unfinished export in ``PATH.partial``.
        progress : callable, optional
            Called with the number of bytes of pixels written since its last call. If an interrupted export is
            continued, it is first called with the bytes that were written before.

        Raises
        ------
        PathnameError
            If the target may not be written; see `to_ome_tiff`.
        TargetExistsError
            If the target exists and `overwrite` is False; if it holds other files, is a file or a link; if another call
            is writing it; or if ``PATH.partial`` was begun from another recording or with other options.
        DiskFullError
            If there is no room for it.
        DtypeError
            If the dtype is neither integer nor float, or has more than 64 bits.
        MissingExtraError
            If zarr is not installed; or distributed, if `client` is given.

        Warns
        -----
        ScanReaderWarning
            If OME-XML does not support the dtype, e.g. int64: the collection is written without its OME-XML file.
        """
        import_extra("zarr", "zarr")
        from scanreader.bridges.ome_zarr import to_ome_zarr  # noqa: PLC0415 - an extra

        to_ome_zarr(
            self,
            path,
            compression=compression,
            levels=levels,
            grouped=grouped,
            workers=workers,
            client=client,
            overwrite=overwrite,
            progress=progress,
        )

    def to_suite2p(
        self: ScanLike,
        folder: str | os.PathLike[str],
        *,
        channels: int | tuple[int, ...] | None = None,
        overwrite: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write suite2p's binary files and settings.

        For each field, ``folder/suite2p`` has a folder ``plane0``, ``plane1``, … with ``data.bin`` and its settings.
        ``suite2p.run_s2p(settings=…, db={"data_path": […], "save_path0": folder})`` continues with them.
        Flyback frames are omitted. The settings have each field's position (``dy``, ``dx``, in pixels) and, for each
        row of the field, the row of the page that it was read from (``lines``; where joined ROIs are side by side, the
        row of the leftmost).

        Parameters
        ----------
        folder : path
        channels : int or tuple of int, optional
            Index of the functional channel, from 0, and optionally of a second one; by default the first two, with a
            warning if there are more.
        overwrite : bool
            Whether to replace an existing target. A target of another format is never replaced.
        progress : callable, optional
            Called with the number of bytes written since the last call.

        Raises
        ------
        DtypeError
            If pixels are not integers, or a value does not fit into suite2p's 16-bit integers.
        ScanIndexError
            If there is no such channel, or `channels` are not one or two integers.
        PathnameError
            If ``folder/suite2p`` may not be written; see `to_ome_tiff`.
        TargetExistsError
            If ``folder/suite2p`` exists and `overwrite` is False, or if it holds other files (``iscell.npy``) or is a
            file.
        DiskFullError
            If there is no room for it.

        Warns
        -----
        ScanReaderWarning
            If channels or the rotation of fields are skipped, or frames are not evenly spaced.
        """
        from scanreader.bridges.suite2p import to_suite2p  # noqa: PLC0415 - rarely needed

        to_suite2p(self, folder, channels=channels, overwrite=overwrite, progress=progress)

    def suite2p_settings(self: ScanLike) -> dict[str, Any]:
        """Give the settings with which suite2p reads the TIFF files of this recording itself.

        ``suite2p.run_s2p(db={**scan.suite2p_settings(), "save_path0": folder}, settings={"fs": scan.fps})`` reads the
        files without a copy. `to_suite2p` works for every recording; suite2p's own reader works only for those that do
        not raise the LayoutError below.

        Returns
        -------
        dict
            Under suite2p's names, in JSON's types: ``nrois``, ``nplanes`` (flyback frames count as planes, too;
            ``ignore_flyback`` lists their folders), ``nchannels``, ``functional_chan`` (from 1), ``fs`` in Hz,
            ``mesoscan``,
            ``data_path`` and ``file_list``. If there are several ROIs, also ``lines`` (the rows of the page of each)
            and ``dy``, ``dx`` (its place, in pixels).

        Raises
        ------
        LayoutError
            If suite2p would read other pixels: ROIs that are narrower than the page, or differ between slices, several
            frames a slice, missing frames, joined, trimmed or realigned fields, selected frames.

        Warns
        -----
        ScanReaderWarning
            If suite2p will change or skip something: more than two channels, pixels of uint16 (which it halves), the
            rotation of fields.
        """
        from scanreader.bridges.suite2p_settings import suite2p_settings  # noqa: PLC0415 - rarely needed

        return suite2p_settings(self)

    def to_nwb(self: ScanLike, path: str | os.PathLike[str], **facts: Any) -> None:
        """Write an NWB file: a series for each volume (frame, x, y, z) and channel, in µm, with its times.

        A field that is in no volume has a series (frame, x, y). Times of a volume are those at which the scan of its
        first-scanned plane begins; the table ``scanimage_planes`` in ``scratch`` has the depth and the time offset of
        each plane.

        Frames are read, compressed and written in portions; the file gets its final name only when it is complete.

        Parameters
        ----------
        path : path
        **facts
            Arguments of `pynwb.NWBFile` (session_description, identifier, experimenter, subject, …), and those below.

        Other Parameters
        ----------------
        session_start_time : datetime, optional
            By default the recording's `start_time`.
        compression : {"gzip", None}
            ``"gzip"`` by default, which every reader of HDF5 can decode; None writes 3 to 4 times as fast.
        grouped : {None, "z", "field"}
            ``"z"``: the depths of a ROI become the z axis of one series (`Scan.volumes`). ``"field"``: each field has a
            series. By default ``"z"`` if all volumes are evenly spaced, otherwise ``"field"``.
        timezone : str or tzinfo, optional
            Time zone of the microscope's clock, e.g. ``"Europe/Zurich"``; by default this machine's, with a warning.
        series : {"TwoPhotonSeries", "OnePhotonSeries"}
        indicator, location : str
            Fluorescent indicator and brain area; ``"unknown"`` by default.
        excitation_lambda, emission_lambda : float
            Wavelengths; NaN by default, in nm.
        overwrite : bool
            Whether to replace an existing target. A target of another format is never replaced.
        progress : callable, optional
            Called with the number of bytes read since the last call.

        Raises
        ------
        HeaderError
            If the start time is unknown.
        ScanKeyError
            If `series`, `compression` or the time zone is unknown, or `session_start_time` is no datetime.
        DtypeError
            If NWB does not support the scan's dtype, e.g. complex.
        PathnameError, TargetExistsError
            If the target may not be written; see `to_ome_tiff`.
        MissingExtraError
            If pynwb is not installed.

        Warns
        -----
        ScanReaderWarning
            If the start has no time zone, the depths or times of fields are unknown, or their rotation is skipped.
        """
        import_extra("pynwb", "nwb")
        from scanreader.bridges.nwb import to_nwb  # noqa: PLC0415 - an extra

        to_nwb(self, path, **facts)

    def verify(
        self: ScanLike,
        target: str | os.PathLike[str],
        *,
        receipt: bool = True,
        progress: Callable[[int], object] | None = None,
    ) -> Verification:
        """Read a target back, and compare its pixels, times, and positions and sizes in µm with this scan.

        The target is read with the library that people usually use for its format. Use the scan, or the selection, that
        was written: ``scan.to_nwb("a.nwb"); print(scan.verify("a.nwb"))``.

        Parameters
        ----------
        target : path
            What `to_ome_tiff`, `to_ome_zarr`, `to_nwb` or `to_suite2p` was given, or a NumPy file of ``scan[:]``.
        receipt : bool
            Whether to write ``TARGET.receipt.json``: it has, for each page of the recording, a digest and the place of
            its pixels in the target, and all that the returned `Verification` has. It replaces an earlier receipt.
        progress : callable, optional
            Called with the number of bytes compared since the last call.

        Returns
        -------
        Verification
            ``ok`` is True if nothing differs. ``differences`` names each frame, time, position, name and file that
            differs. ``left_out`` says what the target does not have of the recording, and why: flyback frames,
            incomplete volumes, channels or frames that were not selected. ``print`` shows all.

        Raises
        ------
        UnreadableTargetError
            If the target cannot be opened, or is of none of these formats.
        DamagedPageError, ChangedFileError
            If the recording cannot be read.
        MissingExtraError
            If the library that reads the target is not installed.
        """
        from scanreader.bridges.verification.verify import verify  # noqa: PLC0415 - rarely needed

        return verify(self, target, receipt=receipt, progress=progress)

    def to_napari_layers(
        self: ScanLike, *, grouped: Literal["z", "field"] | None = None
    ) -> list[tuple[Any, dict[str, Any], str]]:
        """Make image layers for napari, one for each channel of each field, which read a frame when it is shown.

        ``for data, options, _ in scan.to_napari_layers(): viewer.add_image(data, **options)``. Files that are opened
        in napari itself give the same layers.

        Parameters
        ----------
        grouped : {None, "z", "field"}
            ``"field"`` gives a layer for each field. By default, and with ``"z"``, the depths of a ROI are the z axis
            of one layer: in µm if they are evenly spaced, otherwise counted 0, 1, 2, …

        Returns
        -------
        list of (array, dict, "image")
            Arrays of shape (frames, y, x). If the recording has several depths, they have shape (frames, z, y, x):
            fields of one ROI that have the same size and position at different depths are one layer. The options
            place each layer at its position in the sample, in s and µm.

        Raises
        ------
        DtypeError
            If napari cannot show the scan's dtype, e.g. complex.
        """
        from scanreader.bridges.napari import to_napari_layers  # noqa: PLC0415 - rarely needed

        return to_napari_layers(self, grouped)
