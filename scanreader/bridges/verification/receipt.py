"""The receipt of a verification: digests of the recording's pages, and where their pixels went, in JSON."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.bridges.kinds import RECEIPT, refuse_other_kind
from scanreader.bridges.verification.left_out import pages_of
from scanreader.bridges.writing import atomic_path
from scanreader.errors import TargetExistsError
from scanreader.files.urls import file_name
from scanreader.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike
    from scanreader.bridges.verification.formats import Target
    from scanreader.bridges.verification.results import Verification
    from scanreader.keys import IndexArray

VERSION = 1
DIGEST = "CRC-32 (zlib.crc32) of the pixels that the field has of each page, little-endian, row after row"


def receipt_beside(target: Path) -> Path:
    """Path of the receipt of a target.

    Raises
    ------
    TargetExistsError
        If something else has this name.
    """
    resolved_target = target.resolve()
    path = resolved_target.with_name(f"{resolved_target.name}.receipt.json")
    if os.path.lexists(path):
        if not path.is_file():
            raise TargetExistsError(f"{str(path)!r}, where the receipt belongs, is not a file: move it")
        refuse_other_kind(path, RECEIPT)
    return path


def write_receipt(
    path: Path, scan: ScanLike, result: Verification, target: Target, digests: Sequence[npt.NDArray[np.uint32]]
) -> None:
    """Write a receipt, in place of an earlier one."""
    content = {
        "receipt": VERSION,
        "scanreader": __version__,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "target": result.target.name,
        "format": result.kind,
        "read_with": result.library,
        "equal": result.ok,
        "differences": [
            {"what": difference.what, "sentence": difference.sentence} for difference in result.differences
        ],
        "left_out": [omission._asdict() for omission in result.left_out],
        "source": {
            "files": [{"name": file_name(name), "size": size} for name, size in _sizes(scan)],
            "header": {"sha256": hashlib.sha256(scan.header_block.encode("utf-8", "surrogatepass")).hexdigest()},
        },
        "digest": DIGEST,
        "fields": [_field(scan, i, target, digests[i]) for i in range(scan.num_fields)],
    }
    with atomic_path(path, RECEIPT, sources=scan.filenames, overwrite=True) as partial_path:
        partial_path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _sizes(scan: ScanLike) -> Iterator[tuple[str, int]]:
    for name, file in zip(scan.filenames, scan.opened.pages.files, strict=True):
        yield name, file.size


def _field(scan: ScanLike, i: int, target: Target, digests: npt.NDArray[np.uint32]) -> dict[str, Any]:
    """Pages and digests of a field, channel by channel."""
    field, pages = scan.fields[i], pages_of(scan, i)
    channels = []
    for c, name in enumerate(scan.channel_names):
        channels.append(
            {
                "channel": scan.channel_numbers[c],
                "name": name,
                "to": target.place(i, c) if target.has(i, c) else None,
                "pages": list(_runs(pages[:, c], scan.opened.pages.starts)),
                "digests": " ".join(f"{digest:08x}" for digest in digests[:, c].tolist()),
            }
        )
    pieces = [
        {
            "page_rows": [piece.page_y, piece.page_y + piece.height],
            "page_columns": [piece.page_x, piece.page_x + piece.width],
            "field_rows": [piece.output_y, piece.output_y + piece.height],
            "field_columns": [piece.output_x, piece.output_x + piece.width],
        }
        for piece in field.pieces
    ]
    entry = {"field": i, "name": field.name, "slice": field.slice_id, "dtype": scan.dtype.name}
    return {**entry, "pixels": scan.opened.pixels.change or "as recorded", "pieces": pieces, "channels": channels}


def _runs(pages: IndexArray, starts: IndexArray) -> Iterator[dict[str, int]]:
    """Evenly spaced pages of one file, in the order of the frames; pages are counted in each file from 0."""
    files = np.searchsorted(starts, pages, side="right") - 1
    page_numbers = pages - starts[files]
    steps = np.where(np.diff(files) == 0, np.diff(page_numbers), 0)  # 0: the next page is in another file
    changes = np.append(np.flatnonzero(np.diff(steps)) + 1, len(steps))
    start = 0
    while start < len(pages):
        step = int(steps[start]) if start < len(steps) else 0
        last_index = int(changes[np.searchsorted(changes, start, side="right")]) if step else start
        yield {
            "file": int(files[start]),
            "first": int(page_numbers[start]),
            "step": step or 1,
            "count": last_index - start + 1,
        }
        start = last_index + 1
