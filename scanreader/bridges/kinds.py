"""What exports write, recognised: only a target of the same kind is ever replaced."""

from __future__ import annotations

import json
import os
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import ScanReaderError, TargetExistsError
from scanreader.extras import import_extra
from scanreader.files.opening import open_file
from scanreader.keys import abbreviate
from scanreader.tiff.ifd import DESCRIPTION, SOFTWARE, BadIfdError, read_flavour, read_ifd, tag_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRITTEN = "scanreader.json"
"""Name of the file in suite2p's folder that has the numbers of the channels, and digests of what was written."""
HDF5_START = b"\x89HDF\r\n\x1a\n"
WRITTEN_TIFFS = f".{WRITTEN}"
"""Name of the file in a folder of TIFF files that has the numbers of fields and channels; ``*`` does not match it."""
START = 4096  # bytes of a file that tell its kind


class Kind(NamedTuple):
    """A kind of target."""

    name: str
    is_own: Callable[[Path], bool]
    """Whether a file, or what a folder holds, is of this kind."""
    own_names: re.Pattern[str] | None = None
    """Of a folder: the paths in it, with slashes, that an export writes; None of a file."""


def refuse_other_kind(target: Path, kind: Kind) -> None:
    """Refuse to replace what is not of a kind, or a folder that also holds something else.

    Raises
    ------
    TargetExistsError
    """
    if target.is_symlink():
        raise TargetExistsError(f"{str(target)!r} is a link, which is never replaced: name the target itself")
    if kind.own_names is not None:
        other_names = [name for name in _paths_in(target) if not kind.own_names.fullmatch(name)]
        if other_names:
            raise TargetExistsError(
                f"{str(target)!r} holds what an export of {kind.name} does not write ({abbreviate(other_names)}), and "
                "would be lost: move it, or name another target"
            )
    if not _is_empty(target) and not kind.is_own(target):
        raise TargetExistsError(f"{str(target)!r} is not {kind.name}, so it is not replaced: name another target")


def _is_empty(target: Path) -> bool:
    return not any(target.iterdir()) if target.is_dir() else target.stat().st_size == 0


def _paths_in(folder: Path) -> list[str]:
    """All files in a folder and the folders in it, and empty folders, relative to it."""
    paths: list[str] = []
    for place, folders, files in os.walk(folder):
        relative_path = os.path.relpath(place, folder).replace(os.sep, "/")
        start = "" if relative_path == "." else f"{relative_path}/"
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118 - many
        paths += [start + name for name in (*files, *links)]
        if start and not folders and not files:
            paths.append(relative_path)
    return paths


def begins_with(*starts: bytes, contains: bytes = b"") -> Callable[[Path], bool]:
    """Function that tells whether a file begins with one of some bytes, and soon has others."""

    def is_own(path: Path) -> bool:
        with path.open("rb") as file:
            start = file.read(START)
        return start.startswith(starts) and contains in start

    return is_own


def _first_texts(path: Path) -> tuple[bytes, bytes] | None:
    """The description of a TIFF's first page and the program that wrote it; None if the file is no TIFF."""
    try:
        with open_file(path) as file:
            flavour, offset = read_flavour(file)
            tags = read_ifd(file, flavour, offset).tags
            return tuple(  # type: ignore[return-value] # it has two
                tag_bytes(file, flavour, tags[tag], START) if tag in tags else b"" for tag in (DESCRIPTION, SOFTWARE)
            )
    except (ScanReaderError, BadIfdError):
        return None


def is_ome_tiff(path: Path) -> bool:
    """Whether a file is an OME-TIFF."""
    texts = _first_texts(path)
    return texts is not None and b"openmicroscopy.org" in texts[0]


def is_own_ome_tiff(path: Path) -> bool:
    """Whether a file is an OME-TIFF that scanreader wrote."""
    texts = _first_texts(path)
    return texts is not None and b"openmicroscopy.org" in texts[0] and b'Creator="scanreader' in texts[0]


def _is_own_tiff(path: Path) -> bool:
    """Whether a file is a TIFF that an export wrote: ScanImage's own are never replaced."""
    texts = _first_texts(path)
    return texts is not None and texts[1].rstrip(b"\0") == b"scanreader" and b"openmicroscopy.org" not in texts[0]


def _is_own_tiff_folder(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / WRITTEN_TIFFS).read_text("utf-8"))["format"] == "tiff")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_own_hdf5(path: Path) -> bool:
    """Whether a file is HDF5 with the one dataset that an export writes."""
    if not begins_with(HDF5_START)(path):
        return False
    h5py = import_extra("h5py", "hdf5")
    with h5py.File(path, "r") as file:
        return list(file) == ["mov"] and "scanimage_header" in file["mov"].attrs


def _is_own_nwb(path: Path) -> bool:
    """Whether a file is NWB, has the header that an export writes, and nothing that was made of it since."""
    if not begins_with(HDF5_START)(path):
        return False
    import h5py  # noqa: PLC0415 - pynwb, which writes these files, needs it

    with h5py.File(path, "r") as file:
        return "scratch/scanimage_header" in file and set(file.get("processing", ())) <= {"scanimage"}


def _is_line_scan(path: Path) -> bool:
    if not begins_with(b"\x89HDF\r\n\x1a\n")(path):
        return False
    import h5py  # noqa: PLC0415 - to write these files needs it

    with h5py.File(path, "r") as file:
        return "scanreader_line_scan" in file.attrs


def _is_own_ome_zarr(folder: Path) -> bool:
    """Whether a folder has the group that an export writes, and no image or array that it does not list."""
    if not (folder / "scanimage" / "zarr.json").is_file():
        return False
    listed_arrays: set[Path] = set()
    arrays: set[Path] = set()
    for place in folder.rglob("zarr.json"):
        if place.relative_to(folder).parts[0] == "scanimage":
            continue
        try:
            document = json.loads(place.read_text("utf-8"))
        except ValueError:
            return False
        if document.get("node_type") == "array":
            arrays.add(place.parent)
        for image in document.get("attributes", {}).get("ome", {}).get("multiscales", ()):
            listed_arrays |= {place.parent / dataset["path"] for dataset in image["datasets"]}
    return arrays <= listed_arrays


def digests_of(folder: Path) -> dict[str, str]:
    """Digests of the small files of a folder of suite2p's, by which an export recognises what it wrote."""
    places = sorted(folder.glob("plane*/*.npy"))
    return {
        f"{place.parent.name}/{place.name}": blake2b(place.read_bytes(), digest_size=16).hexdigest() for place in places
    }


def _is_own_suite2p(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / WRITTEN).read_text("utf-8"))["digests"] == digests_of(folder))
    except (OSError, ValueError, KeyError, TypeError):
        return False


OME_TIFF = Kind("an OME-TIFF", is_ome_tiff)
TIFF = Kind("a plain TIFF of scanreader", _is_own_tiff)
TIFF_FOLDER = Kind(
    "a folder of TIFF files of scanreader",
    _is_own_tiff_folder,
    re.compile(rf"{re.escape(WRITTEN_TIFFS)}|field\d+_channel\d+\.tif"),
)
HDF5 = Kind("an HDF5 file of scanreader", _is_own_hdf5)
NWB = Kind("an NWB file of scanreader, as it was written", _is_own_nwb)
LINE_SCAN = Kind("an HDF5 file of a line scan, as scanreader wrote it", _is_line_scan)
NPY = Kind("a NumPy file", begins_with(b"\x93NUMPY"))
REFERENCES = Kind("a file of references", begins_with(b'{"version": 1, "refs"', contains=b'\\"release\\"'))
SUITE2P_SETTINGS = Kind("settings for suite2p", begins_with(b'{\n "nrois": ', contains=b'"ignore_flyback"'))
REPORT = Kind("a report", begins_with(b"<!doctype html>", contains=b'name="generator" content="scanreader'))
PICTURE = Kind("a picture", begins_with(b"\x89PNG", b"%PDF", b"<?xml", b"<svg"))
RECEIPT = Kind("a receipt", begins_with(b'{\n "receipt": '))
SUITE2P = Kind(
    "suite2p's binary files as scanreader wrote them",
    _is_own_suite2p,
    re.compile(rf"{WRITTEN}|plane\d+/(data|data_chan2)\.bin|plane\d+/(db|settings|ops)\.npy"),
)
OME_ZARR = Kind(
    "an OME-Zarr of scanreader",
    _is_own_ome_zarr,
    re.compile(
        r"(\d+/)*zarr\.json|(\d+/){1,2}c(/\d+)+|OME/(zarr\.json|METADATA\.ome\.xml)"
        r"|scanimage/(times/)?zarr\.json|scanimage/times/c(/\d+)+"
    ),
)
