"""References to the pixels of a scan in its files, in kerchunk's format, which others read as zarr."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from scanreader.bridges import field_attributes, flat_attributes
from scanreader.bridges.kinds import REFERENCES
from scanreader.bridges.writing import atomic_path
from scanreader.errors import FileFormatError
from scanreader.files.urls import is_url

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from scanreader.bridges import ScanLike
    from scanreader.tiff.pages import BytePlaces

LINES = 1 << 16  # references that are written at a time


def axis_names(scan: ScanLike, i: int) -> list[str]:
    """Names of an array's axes: equal names have equal lengths."""
    is_one_size = len({(field.height, field.width) for field in scan.fields}) == 1
    return ["time", "channel", *(("y", "x") if is_one_size else (f"y_{i}", f"x_{i}"))]


def to_references(scan: ScanLike, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write references; see `Scan.to_references`."""
    chained_url = next((name for name in scan.filenames if is_url(name) and "::" in name), None)
    if chained_url is not None:
        raise FileFormatError(f"{chained_url!r} is a chained URL, which cannot be referenced: open a copy of the file")
    files = [json.dumps(name if is_url(name) else f"file://{_slashed_path(name)}") for name in scan.filenames]
    with (
        atomic_path(path, REFERENCES, sources=scan.filenames, overwrite=overwrite) as partial_path,
        partial_path.open("w", encoding="utf-8", newline="\n") as file,
    ):
        places = [scan.byte_places(i) for i in range(scan.num_fields)]
        root_documents = {".zgroup": {"zarr_format": 2}, ".zattrs": flat_attributes(scan)}
        documents = ",\n".join(_document(name, content) for name, content in root_documents.items())
        file.write(f'{{"version": 1, "refs": {{\n{documents}')
        for i, place in enumerate(places):
            for text in _array(scan, i, place, files):
                file.write(text)
        file.write("\n}}\n")


def _document(name: str, content: dict[str, Any]) -> str:
    """One of zarr's documents, as a string within the JSON."""
    return f"{json.dumps(name)}: {json.dumps(json.dumps(content))}"


def _array(scan: ScanLike, i: int, place: BytePlaces, files: Sequence[str]) -> Iterator[str]:
    """Documents of a field, and the place of each of its chunks."""
    field = scan.fields[i]
    rows = field.height if place.whole_rows else 1
    metadata = {
        "zarr_format": 2,
        "shape": [scan.num_frames, scan.num_channels, field.height, field.width],
        "chunks": [1, 1, rows, field.width],
        "dtype": place.dtype.str,
        "compressor": None,
        "filters": None,
        "fill_value": None,
        "order": "C",
        "dimension_separator": ".",
    }
    yield ",\n" + _document(f"field_{i}/.zarray", metadata)
    attributes = {"_ARRAY_DIMENSIONS": axis_names(scan, i), **field_attributes(scan, i)}
    yield ",\n" + _document(f"field_{i}/.zattrs", attributes)
    size, step = rows * field.width * place.dtype.itemsize, rows * place.row_bytes
    at_a_time = max(1, LINES // (scan.num_channels * (field.height // rows)))
    for first_frame in range(0, scan.num_frames, at_a_time):
        portion = slice(first_frame, first_frame + at_a_time)
        frames = zip(place.files[portion].tolist(), place.offsets[portion].tolist(), strict=True)
        yield "".join(
            f',\n"field_{i}/{frame}.{channel}.{row}.0":[{files[owner]},{start + row * step},{size}]'
            for frame, (owners, starts) in enumerate(frames, first_frame)
            for channel, (owner, start) in enumerate(zip(owners, starts, strict=True))
            for row in range(field.height // rows)
        )


def _slashed_path(name: str) -> str:
    """A path as in a URL, with ``/C:/`` on Windows; blanks stay, as fsspec expects."""
    path = PurePath(name).as_posix()
    return path if path.startswith("/") else f"/{path}"
