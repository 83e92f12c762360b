"""The formats that convert writes, by the ending of the target's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scanreader.bridges.hdf5 import to_hdf5
from scanreader.bridges.npy import to_npy
from scanreader.bridges.suite2p_settings import write_suite2p_settings
from scanreader.bridges.tiff import to_tiff, to_tiff_folder
from scanreader.errors import ScanKeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scanreader.scans import Scan

ENDINGS = ".zarr, .ome.tif, .tif, .nwb, .h5, .npy, .bin (a folder for suite2p), or .json (suite2p's settings)"


class Format(NamedTuple):
    """A format."""

    write: Callable[..., object]
    """Called with the scan, the path, `overwrite`, `progress` and the options below."""
    options: frozenset[str] = frozenset()
    """Options of the command that this format alone has."""
    is_folder: bool = False
    is_resumable: bool = False
    can_be_verified: bool = True
    folder: str = ""
    """What is written in the target, where that may exist."""


def _write_settings(scan: Scan, path: Path, *, overwrite: bool, progress: Callable[[int], object]) -> None:
    write_suite2p_settings(scan, path, overwrite=overwrite)
    progress(scan.nbytes)


def _method(name: str) -> Callable[..., object]:
    """A method of a scan, which imports its bridge when it is called."""

    def write(scan: Scan, path: Path, **options: Any) -> object:
        return getattr(scan, name)(path, **options)

    return write


_ZARR = Format(
    _method("to_ome_zarr"), frozenset({"--workers", "--dask", "--grouped"}), is_folder=True, is_resumable=True
)
_OME = Format(_method("to_ome_tiff"), frozenset({"--grouped"}))
_TIFF = Format(to_tiff, frozenset({"--imagej"}))
_HDF5 = Format(to_hdf5)
_SUITE2P = Format(_method("to_suite2p"), is_folder=True, folder="suite2p")
TIFF_FOLDER = Format(to_tiff_folder, is_folder=True)
FORMATS = {
    ".ome.zarr": _ZARR,
    ".zarr": _ZARR,
    ".ome.tif": _OME,
    ".ome.tiff": _OME,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".nwb": Format(_method("to_nwb"), frozenset({"--timezone", "--start", "--grouped"})),
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    ".npy": Format(to_npy),
    ".bin": _SUITE2P,
    ".suite2p": _SUITE2P,
    ".json": Format(_write_settings, can_be_verified=False),
}
"""The first ending that fits counts."""


def suffix_of(target: Path) -> str:
    """Give the ending of a name that stands for a format.

    Raises
    ------
    ScanKeyError
        If the format is unknown.
    """
    for suffix in FORMATS:
        if target.name.lower().endswith(suffix):
            return suffix
    raise ScanKeyError(
        f"the format of {str(target)!r} is unknown; the known endings are {ENDINGS}; --tiff writes a folder of TIFFs"
    )


def check_options(suffix: str, format_options: dict[str, Any]) -> None:
    """Check that a format has the options that were given.

    Raises
    ------
    ScanKeyError
        If it does not, or a value is unknown.
    """
    known_options = FORMATS[suffix].options if suffix else frozenset()
    if format_options.get("--grouped") not in (None, "z", "field"):
        raise ScanKeyError(f"--grouped is z or field, not {format_options['--grouped']!r}")
    for name, value in format_options.items():
        if value not in (None, False) and name not in known_options:
            endings = ", ".join(ending for ending, file_format in FORMATS.items() if name in file_format.options)
            raise ScanKeyError(f"{name} is not for {suffix or '--tiff'}, but for {endings}: leave it out")
