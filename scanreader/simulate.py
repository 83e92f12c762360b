"""Writes small, byte-true ScanImage recordings: for tests, demo, docs, and users' own pipelines.

`write_bigtiff` and `write_classic` know the containers, byte by byte; `Recording` makes up what goes into them.
The layout of pages is worked out here anew, so that the reader can be checked against it.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from scanreader.fields import parse_rois
from scanreader.header import BLOCK_START, MAGIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Image = npt.NDArray[Any]

SLOT = 2000  # characters that FPGA loggers keep for each description; galvo loggers keep none
TRUNCATED = "<output truncated>"
TRUNCATED_AT = 1982
RELEASES = (
    *("3.8", "4.2", "5.0", "5.1", "5.2", "5.3", "5.4", "5.5", "5.7"),
    *("2015.4", "2016a", "2016b", "2017a", "2017b", "2018a", "2018b", "2019b"),
    *("2020", "2020.0", "2020.1", "2021.0", "2021.1", "2022.0", "2022.1", "2023.0", "2023.1"),
)
FLUSH = 4 << 20  # bytes gathered before they are written


# ------------------------------------------------------------------ containers


def _r8(size: int) -> int:
    return size + -size % 8


class Resolution(NamedTuple):
    """Pixels per cm as ScanImage writes them: 2**30 over a denominator."""

    x: int = 1 << 20
    y: int = 1 << 20
    numerator: int = 1 << 30


DEFAULT_RESOLUTION = Resolution()


def write_bigtiff(
    path: str | Path,
    header: bytes,
    rois: bytes,
    pages: Iterable[tuple[bytes, Image]],
    *,
    version: int = 4,
    resolution: Resolution = DEFAULT_RESOLUTION,
    slot: int | None = SLOT,
    closed: bool = True,
    holes: bool = False,
) -> None:
    """Write a BigTIFF as ScanImage has since late 2015 (section 2 of the format reference).

    Parameters
    ----------
    path : path
    header, rois : bytes
        The texts of the block, each with its last NUL; `rois` may be empty.
    pages : iterable of (description, image)
        Descriptions without padding; images of shape (height, width), all alike.
    version : int
        Of the block: 3 or 4.
    slot : int or None
        Characters that each description is padded to with spaces; None for a galvo logger's varying lengths.
    closed : bool
        Whether the program that wrote it lived to mark the last page as the last.
    holes : bool
        Leave all but the first row of each image out, as a hole in the file: for sizes that no disk has.
    """
    start = 2 * BLOCK_START + len(header) + len(rois)
    ifd = start + start % 8  # ScanImage adds the remainder instead of completing to 8
    with Path(path).open("wb") as file:
        file.write(struct.pack("<2s3HQ", b"II", 43, 8, 0, ifd))
        file.write(struct.pack("<4I", MAGIC, version, len(header), len(rois)))
        file.write(header + rois + bytes(ifd - start))
        last = _write_records(file, ifd, pages, _BigRecord(header, rois, resolution, slot), holes=holes)
        if closed and last is not None:
            file.seek(last)
            file.write(bytes(8))


class _BigRecord:
    """The bytes of a page: its IFD, its description, its pixels."""

    entries, size = 18, 8 + 18 * 20 + 8

    def __init__(self, header: bytes, rois: bytes, resolution: Resolution, slot: int | None) -> None:
        self.header, self.rois, self.resolution, self.slot = header, rois, resolution, slot
        self._ifds: dict[tuple[int, int, int, str], bytes] = {}

    def head(self, at: int, description: bytes, image: Image) -> tuple[bytes, int, int]:
        """Everything before the pixels, the record's size, and where in it the next IFD is pointed to."""
        if self.slot is not None:
            if len(description) > self.slot:
                description = description[:TRUNCATED_AT] + TRUNCATED.encode()
            description = description.ljust(self.slot)
        pixels = _r8(self.size + len(description) + 1)
        stride = _r8(pixels + image.nbytes)
        kind = (len(description) + 1, *image.shape, image.dtype.str)
        if kind not in self._ifds:
            self._ifds[kind] = self._ifd(len(description) + 1, image)
        head = bytearray(pixels)
        head[: self.size] = self._ifds[kind]
        struct.pack_into("<Q", head, 8 + 5 * 20 + 12, at + self.size)
        struct.pack_into("<Q", head, 8 + 6 * 20 + 12, at + pixels)
        struct.pack_into("<Q", head, self.size - 8, at + stride)
        head[self.size : self.size + len(description)] = description
        return bytes(head), stride, at + self.size - 8

    def _ifd(self, length: int, image: Image) -> bytes:
        height, width = image.shape
        bits, kind = image.dtype.itemsize * 8, 2 if image.dtype.kind == "i" else 1
        x, y, numerator = self.resolution
        artist = 32 + len(self.header) if self.rois else 0
        tags = (
            (256, 3, 1, width),
            (257, 3, 1, height),
            (258, 3, 1, bits),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (270, 2, length, 0),
            (273, 16, 1, 0),
            (274, 3, 1, 1),
            (277, 3, 1, 1),
            (278, 3, 1, height),
            (279, 16, 1, image.nbytes),
            (282, 5, 1, numerator | x << 32),
            (283, 5, 1, numerator | y << 32),
            (284, 3, 1, 1),
            (296, 3, 1, 3),
            (305, 2, len(self.header), 32),
            (315, 2, max(1, len(self.rois)), artist),
            (339, 3, 1, kind),
        )
        return struct.pack("<Q", len(tags)) + b"".join(struct.pack("<HHQQ", *tag) for tag in tags) + bytes(8)


def write_classic(
    path: str | Path,
    pages: Iterable[tuple[bytes, Image]],
    *,
    appended: bytes = b"",
    signed: bool = True,
    nominal_strip: int = 2048,
    closed: bool = True,
) -> None:
    r"""Write a classic TIFF as ScanImage did before 2015.4 (section 3 of the format reference).

    Parameters
    ----------
    path : path
    pages : iterable of (description, image)
        Descriptions hold the whole header, with its last NUL.
    appended : bytes
        ROIs behind the last page, of 5.1 and 2015.0 to 2015.3; their length follows them.
    signed : bool
        Whether a SampleFormat is written, which 3.x did not.
    nominal_strip : int
        Pixels of a strip, about: it differed between builds.
    """
    records = _ClassicRecord(signed, nominal_strip)
    with Path(path).open("wb") as file:
        file.write(struct.pack("<2sHI", b"II", 42, 0))
        end, last = 8, None
        for description, image in pages:
            if last is None:
                file.seek(4)
                file.write(struct.pack("<I", 8 + image.nbytes))
            record, last = records.record(end, description, image)
            end += len(record)
            file.write(record)
        if closed and last is not None:
            file.seek(last)
            file.write(bytes(4))
            file.seek(end)
        if appended:
            file.write(appended + struct.pack("<I", len(appended)))


class _ClassicRecord:
    """The bytes of a page: its pixels, its IFD, and the values that do not fit into that."""

    def __init__(self, signed: bool, nominal_strip: int) -> None:
        self.signed, self.nominal_strip = signed, nominal_strip

    def record(self, at: int, description: bytes, image: Image) -> tuple[bytes, int]:
        """Return the bytes, and where in the file the next IFD is pointed to."""
        height, width = image.shape
        rows = max(1, min(height, round(self.nominal_strip / width)))
        row = width * image.dtype.itemsize
        starts = [at + y * row for y in range(0, height, rows)]
        counts = [(min(y + rows, height) - y) * row for y in range(0, height, rows)]
        entries = 16 if self.signed else 15
        ifd = at + image.nbytes
        here = ifd + 2 + entries * 12 + 4
        texts = here, here + len(description)
        arrays = texts[1], texts[1] + 4 * len(starts)
        ends = arrays[1] + 4 * len(starts)
        if len(starts) == 1:
            arrays, ends = (starts[0], counts[0]), texts[1]
        tags = [
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, 1, image.dtype.itemsize * 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (270, 2, len(description), texts[0]),
            (273, 4, len(starts), arrays[0]),
            (274, 3, 1, 1),
            (277, 3, 1, 1),
            (278, 4, 1, rows),
            (279, 4, len(starts), arrays[1]),
            (282, 5, 1, ends),
            (283, 5, 1, ends + 8),
            (284, 3, 1, 1),
            (296, 3, 1, 2),
        ]
        if self.signed:
            tags.append((339, 3, 1, 2 if image.dtype.kind == "i" else 1))
        resolution = struct.pack("<2I", 72 << 24, 1 << 24)
        strips = struct.pack(f"<{2 * len(starts)}I", *starts, *counts) if len(starts) > 1 else b""
        stride = ends + 16 - at
        data = b"".join(
            (
                np.ascontiguousarray(image).tobytes(),
                struct.pack("<H", len(tags)),
                *(struct.pack("<HHII", *tag) for tag in tags),
                struct.pack("<I", (ifd + stride) & 0xFFFFFFFF),
                description,
                strips,
                resolution * 2,
            )
        )
        return data, here - 4


def _write_records(
    file: BinaryIO, at: int, pages: Iterable[tuple[bytes, Image]], records: _BigRecord, *, holes: bool
) -> int | None:
    """Write pages one behind the other; returns where the last points to the next."""
    last: int | None = None
    pending: list[bytes] = []
    size = 0
    for description, image in pages:
        head, stride, last = records.head(at, description, image)
        if holes:
            file.seek(at)
            file.write(head + image[0].tobytes())
        else:
            body = image.tobytes()
            pending += (head, body, bytes(stride - len(head) - len(body)))
            size += stride
            if size > FLUSH:
                file.write(b"".join(pending))
                pending, size = [], 0
        at += stride
    file.write(b"".join(pending))
    if holes:
        file.truncate(at)
    return last


# ------------------------------------------------------------- MATLAB and JSON texts


class Column(list[Any]):
    """A MATLAB column vector."""


class Cell(list[Any]):
    """A MATLAB cell array."""


class Verbatim(str):
    """A value's text as it is."""

    __slots__ = ()


def literal(value: Any, digits: int = 6) -> str:
    """Spell a value as MATLAB's in a header: 6 significant digits up to 2023.0, 16 from 2023.1 on."""
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        text = f"{value:.{digits}g}"
        return {"nan": "NaN", "inf": "Inf", "-inf": "-Inf"}.get(text, text)
    items = [literal(item, digits) for item in value]
    if isinstance(value, Cell):
        return "{" + " ".join(items) + "}"
    if value and isinstance(value[0], list):
        return "[" + ";".join(item[1:-1] for item in items) + "]"
    if len(items) == 1:
        return items[0]
    return "[" + (";" if isinstance(value, Column) else " ").join(items) + "]"


def plain_header(settings: Mapping[str, Any], digits: int = 6) -> str:
    """Write settings one a line, sorted as ScanImage does, each name behind ``SI.``."""
    return "".join(f"SI.{name} = {literal(settings[name], digits)}\n" for name in sorted(settings))


def json_header(settings: Mapping[str, Any]) -> str:
    """Write settings as the JSON of ``useJsonHeaderFormat``."""
    tree: dict[str, Any] = {}
    for name in sorted(settings):
        *path, leaf = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[leaf] = _json_value(settings[name])
    return json.dumps({"SI": tree}, indent=2) + "\n"


def _json_value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "_NaN_" if math.isnan(value) else f"{'-' if value < 0 else ''}_Inf_"
    if isinstance(value, Column):
        return [[_json_value(item)] for item in value] if len(value) > 1 else _json_value(value[0])
    if isinstance(value, list):
        values = [_json_value(item) for item in value]
        return None if not values else values[0] if len(values) == 1 else values
    return value


def roi_json(value: Any, indent: int = 0) -> str:
    """Write JSON as ScanImage's JSONLab does: rows of numbers on one line, 10 digits."""
    pad, inner = "  " * indent, "  " * (indent + 1)
    if isinstance(value, dict):
        items = [f"{inner}{json.dumps(name)}: {roi_json(item, indent + 1)}" for name, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{pad}}}"
    if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        items = [inner + roi_json(item, indent + 1) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{pad}]"
    if isinstance(value, list):
        return "[" + ",".join(roi_json(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:.10g}"
    return json.dumps(value)


def scanfield(
    centre: tuple[float, float] = (0.0, 0.0),
    size: tuple[float, float] = (10.0, 10.0),
    pixels: tuple[int, int] = (16, 16),
    *,
    rotation: float = 0.0,
    enabled: bool = True,
) -> dict[str, Any]:
    """Describe the shape of a ROI at one depth: centre and size (x, y) in degrees, pixels (x, y)."""
    angle = math.radians(rotation)
    cos, sin = math.cos(angle), math.sin(angle)
    (x, y), (w, h), (nx, ny) = centre, size, pixels
    affine: list[list[float]] = [
        [w * cos, -h * sin, x - (w * cos - h * sin) / 2],
        [w * sin, h * cos, y - (w * sin + h * cos) / 2],
        [0, 0, 1],
    ]
    to_ref = [[row[0] / nx, row[1] / ny, row[2] - row[0] / nx / 2 - row[1] / ny / 2] for row in affine[:2]]
    return {
        "ver": 1,
        "classname": "scanimage.mroi.scanfield.fields.RotatedRectangle",
        "name": "",
        "UserData": None,
        "roiUuid": "0000000000000000",
        "roiUuiduint64": 0,
        "centerXY": [x, y],
        "sizeXY": [w, h],
        "rotationDegrees": rotation,
        "enable": int(enabled),
        "pixelResolutionXY": [nx, ny],
        "pixelToRefTransform": [*to_ref, [0, 0, 1]],
        "affine": affine,
    }


def roi(
    *scanfields: dict[str, Any],
    zs: Sequence[float] = (0,),
    name: str = "",
    discrete: bool = False,
    enabled: bool = True,
) -> dict[str, Any]:
    """Describe a ROI by its scanfields and their depths in µm; single ones collapse as ScanImage's do."""
    return {
        "ver": 1,
        "classname": "scanimage.mroi.Roi",
        "name": name,
        "UserData": None,
        "roiUuid": "0000000000000000",
        "roiUuiduint64": 0,
        "zs": zs[0] if len(zs) == 1 else list(zs),
        "scanfields": scanfields[0] if len(scanfields) == 1 else list(scanfields),
        "discretePlaneMode": int(discrete),
        "powers": None,
        "pzAdjust": None,
        "Lzs": None,
        "interlaceDecimation": None,
        "interlaceOffset": None,
        "enable": int(enabled),
    }


def roi_groups(rois: Sequence[dict[str, Any]], name: str = "MROI Imaging ROI Group") -> dict[str, Any]:
    """Put ROIs into the document that stands behind the header."""
    none = {"_ArrayType_": "double", "_ArraySize_": [1, 0], "_ArrayData_": None}
    common = {"UserData": None, "roiUuid": "0000000000000000", "roiUuiduint64": 0}
    collapsed: Any = none if not rois else rois[0] if len(rois) == 1 else list(rois)
    group = {"ver": 1, "classname": "scanimage.mroi.RoiGroup"}
    return {
        "RoiGroups": {
            "imagingRoiGroup": group | {"name": name} | common | {"rois": collapsed},
            "photostimRoiGroups": None,
            "integrationRoiGroup": group | {"name": ""} | common | {"rois": none},
        }
    }


# ------------------------------------------------------------------ a recording


class Logged(NamedTuple):
    """A frame that is saved."""

    acquisition: int
    """The file counter, from 1."""
    slice: int
    """-1 in flyback."""
    number: int
    in_acquisition: int
    acquisition_number: int
    ends_acquisition: bool


def _packet(data: bytes | str, quote: str = "'") -> str:
    return f"{quote}{data}{quote}" if isinstance(data, str) else f"[{','.join(map(str, data))}]"


@dataclass(frozen=True)
class Recording:
    """What to record; every setting of the header follows from it.

    Attributes
    ----------
    stem : str
        Beginning of the files' names.
    release : str
        '3.8', '5.0', '5.1', '2015.4', '2016b' … '2023.1'.
    mode : str
        'planar', 'fast' or 'slow'.
    height, width : int
        Of a page, in pixels; with ROIs they follow from those.
    channels : tuple of int
        Numbers of the channels saved.
    zs : tuple of float
        Depth of each slice, in µm.
    frames_per_slice : int
        Raw frames; of a planar recording, all of them.
    volumes, flyback, averaging : int
        Volumes; raw flyback frames after each; raw frames averaged into each saved one.
    loops : int
        Acquisitions, each in files of its own.
    stop : int or None
        Saved frames after which the (last) acquisition was stopped.
    dropped : tuple of int
        Saved frames that are missing though they were counted, from 0.
    rois : tuple of dict
        Of `roi`: a multi-ROI recording.
    resonant, bidirectional, scanner_frequency, flyto, flyback_time
        The scanner; times in s.
    lines_averaged : int
        Scan lines in each stored row.
    frames_per_file : int or None
        Saved frames after which a new file is begun.
    first_file_frames : int or None
        Saved frames of the first file, if not as many.
    json_headers, json_descriptions : bool
        The JSON styles.
    slot : int or None
        As for `write_bigtiff`; by default as the scanner's logger pads.
    closed, holes : bool
        As for `write_bigtiff`.
    dtype : str
    triggers : list of (int, float)
        Edges of the auxiliary triggers: which, 0 to 3, and when, in seconds since the recording began.
    packets : list of (float, bytes or str)
        I2C packets: when, and what.
    settings : dict
        Settings of the header to add or to set otherwise; None takes one out.
    pixels : callable, optional
        What the pages show instead of the test pattern: is given the frame and the channel's number, and returns
        an array of `page_shape`.
    """

    stem: str = "scan"
    release: str = "2023.1"
    mode: str = "planar"
    height: int = 16
    width: int = 16
    channels: tuple[int, ...] = (1,)
    zs: tuple[float, ...] = (0.0,)
    frames_per_slice: int = 1
    volumes: int = 1
    flyback: int = 0
    averaging: int = 1
    loops: int = 1
    stop: int | None = None
    dropped: tuple[int, ...] = ()
    rois: tuple[dict[str, Any], ...] = ()
    resonant: bool = True
    bidirectional: bool = True
    scanner_frequency: float = 7930.0
    flyto: float = 0.001
    flyback_time: float = 0.001
    lines_averaged: int = 1
    frames_per_file: int | None = None
    first_file_frames: int | None = None
    json_headers: bool = False
    json_descriptions: bool = False
    slot: int | None = -1
    closed: bool = True
    holes: bool = False
    dtype: str = "int16"
    epoch: tuple[float, ...] = (2023, 9, 22, 12, 46, 9.383)
    triggers: tuple[tuple[int, float], ...] = ()
    packets: tuple[tuple[float, bytes | str], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    pixels: Callable[[Logged, int], Image] | None = None

    def __post_init__(self) -> None:
        for name in ("channels", "zs", "rois"):
            if not isinstance(getattr(self, name), (tuple, list)):
                raise TypeError(f"{name} is a tuple, not {getattr(self, name)!r}")
        if self.release not in RELEASES:
            raise ValueError(f"{self.release!r} is not one of the releases {', '.join(RELEASES)}")
        if self.mode not in ("planar", "fast", "slow"):
            raise ValueError(f"mode is 'planar', 'fast' or 'slow', not {self.mode!r}")
        if np.dtype(self.dtype).kind not in "iu" or np.dtype(self.dtype).itemsize > 4:
            raise ValueError(f"pixels are integers of up to 32 bits, not {self.dtype}")
        if self.rois and self.release in ("3.8", "4.2", "5.0"):
            raise ValueError(f"ScanImage {self.release} had no ROIs")
        if self.mode == "planar" and len(self.zs) != 1:
            raise ValueError(f"a planar recording has one depth, not {len(self.zs)}: use mode='fast' or 'slow'")
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels are numbered from 1, not {self.channels}")
        counts = (self.height, self.width, self.frames_per_slice, self.volumes, self.averaging, self.loops)
        if min(counts) < 1 or self.flyback < 0:
            raise ValueError("height, width, frames_per_slice, volumes, averaging and loops are at least 1, flyback 0")

    # ------------------------------------------------------------ what is scanned

    def logged(self) -> Iterator[Logged]:
        """Frames that are saved, in order."""
        a = self.averaging
        number = visits = saved = 0
        for loop in range(1, self.loops + 1):
            within = 0
            in_volume = self._raw_volume()
            total = len(in_volume) * self.volumes
            last = total - 1
            if self.stop is not None and loop == self.loops:
                last = min(last, self.stop * a - 1)
            for raw in range(total):
                position = raw % len(in_volume)
                slice_id, first = in_volume[position]
                if self.mode == "slow" and first:
                    within, visits = 0, visits + 1
                number, within = number + 1, within + 1
                if (raw + 1) % a or raw > last:
                    continue
                ends = raw + a > last or (self.mode == "slow" and in_volume[(raw + 1) % len(in_volume)][1])
                if saved not in self.dropped:
                    yield Logged(loop, slice_id, number, within, visits if self.mode == "slow" else loop, bool(ends))
                saved += 1

    def _raw_volume(self) -> list[tuple[int, bool]]:
        """Slice of each raw frame of a volume, and whether it is the slice's first."""
        if self.mode == "planar":
            return [(0, i == 0) for i in range(self.frames_per_slice)]
        frames = [(s, i == 0) for s in range(len(self.zs)) for i in range(self.frames_per_slice)]
        return frames + [(-1, False)] * self.flyback

    def slots(self) -> list[list[tuple[int, int, int]]]:
        """For each slice, its fields: number of the ROI, height in lines, width."""
        rois = parse_rois({"rois": list(self.rois)})
        found = []
        for z in self.zs:
            shapes = [(i, r.at(z)) for i, r in enumerate(rois)]
            found.append([(i, s.height, s.width) for i, s in shapes if s is not None])
        return found

    @property
    def gap(self) -> int:
        """Lines between two fields: whole periods of a resonant mirror; none for galvos."""
        if not self.resonant:
            return 0
        return math.ceil(self.flyto * self.scanner_frequency - 1e-9) * (2 if self.bidirectional else 1)

    @property
    def page_shape(self) -> tuple[int, int]:
        """Rows and columns of a page."""
        if not self.rois:
            return self.height, self.width
        slots = self.slots()
        lines = max(sum(h for _, h, _ in s) + (len(s) - 1) * self.gap for s in slots)
        return lines // self.lines_averaged, max(w for s in slots for *_, w in s)

    def field_rows(self) -> list[list[tuple[int, int, int]]]:
        """For each slice, where its fields stand in the page: first row, rows, columns."""
        if not self.rois:
            return [[(0, self.height, self.width)] for _ in self.zs]
        n, placed = self.lines_averaged, []
        for slots in self.slots():
            line, here = 0, []
            for _, height, width in slots:
                here.append((line // n, height // n, width))
                line += height + self.gap
            placed.append(here)
        return placed

    # ----------------------------------------------------------------- pixels

    def image(self, page: int, frame: Logged, channel: int, backdrop: Image | None = None) -> Image:
        """Pixels of a page: each field's first three name page, field and channel; gaps and flyback are junk."""
        if self.pixels is not None:
            image = np.asarray(self.pixels(frame, channel)).astype(self.dtype)
            if image.shape != self.page_shape:
                raise ValueError(f"pixels are of shape {image.shape}, pages of {self.page_shape}")
            return image
        if backdrop is None:
            backdrop = self._backdrops()[frame.slice]
        image = ((backdrop + page * 7919) % 24007 - 4001).astype(self.dtype)
        if frame.slice >= 0:
            base = sum(len(fields) for fields in self.field_rows()[: frame.slice])
            for i, (row, _, _) in enumerate(self.field_rows()[frame.slice]):
                image[row, :3] = np.array([page % 32768, base + i, channel]).astype(self.dtype)[: image.shape[1]]
        return image

    def _backdrops(self) -> list[Image]:
        """One for each slice, and at the end one for flyback."""
        height, width = self.page_shape
        pattern = np.arange(height * width, dtype=np.int64).reshape(height, width) * 13
        return [pattern + 311 * s for s in range(len(self.zs))] + [pattern * 17 + 5003]

    # ----------------------------------------------------------------- texts

    @property
    def digits(self) -> int:
        """Significant digits of the release's header."""
        return 16 if self._year >= (2023, 1) else 6

    @property
    def _year(self) -> tuple[int, int]:
        """The release as year and minor number; the open releases as the years that they were like."""
        named = {"3.8": 2010, "5.0": 2014, "5.1": 2015, "5.2": 2015, "5.3": 2016, "5.4": 2018, "5.5": 2018}
        if self.release in named:
            return named[self.release], 4 if self.release == "5.2" else 0
        if self.release in ("5.7", "2019b"):
            return 2019, 1
        major, _, minor = self.release.rstrip("ab").partition(".")
        return int(major), int(minor or 0)

    @property
    def is_classic(self) -> bool:
        """Whether the release wrote classic TIFF."""
        return self._year < (2015, 4)

    def header_settings(self) -> dict[str, Any]:
        """Every setting of the header, without ``SI.``."""
        year, minor = self._year
        rows, columns = self.page_shape
        per_line = 1 / self.scanner_frequency / (2 if self.bidirectional else 1)
        if not self.resonant:
            per_line = 0.001
        flyback_lines = (
            math.ceil(self.flyback_time * self.scanner_frequency) * (2 if self.bidirectional else 1)
            if self.resonant
            else 0
        )
        period = (rows * self.lines_averaged + flyback_lines) * per_line
        in_volume = self._raw_volume()
        per_volume = 1 if self.mode == "planar" else len(in_volume)
        by_name = self.release.rstrip("ab") != self.release
        quoted = year < 2020 or self.release.startswith("5")
        major: Any = self.release if by_name else self.release.partition(".")[0]
        if self.release.startswith("5"):
            major = self.release
        corners = [[-6, -6], [6, -6], [6, 6], [-6, 6]]
        settings: dict[str, Any] = {
            "LINE_FORMAT_VERSION": 1,
            "TIFF_FORMAT_VERSION": 4 if year >= 2019 and (year, minor) >= (2019, 1) else 3,
            "VERSION_MAJOR": str(major) if quoted else int(major),
            "VERSION_MINOR": str(minor if year < 2016 else 0) if quoted else minor,
            "acqState": "loop" if self.loops > 1 else "grab",
            "acqsPerLoop": self.loops,
            "hChannels.channelAdcResolution": Cell([14] * 4),
            "hChannels.channelLUT": Cell([[0, 1500]] * 4),
            "hChannels.channelMergeColor": Cell(["green", "red", "red", "red"]),
            "hChannels.channelName": Cell([f"Channel {n}" for n in range(1, 5)]),
            "hChannels.channelOffset": [412, -37, 0, 0],
            "hChannels.channelSave": (list if year >= 2021 else Column)(self.channels),
            "hChannels.channelSubtractOffset": [True] * 4,
            "hChannels.channelsActive": Column([1, 2, 3, 4]),
            "hChannels.channelsAvailable": 4,
            "hChannels.loggingEnable": 1,
            "hFastZ.discardFlybackFrames": self.flyback > 0,
            "hFastZ.enable": self.mode == "fast",
            "hFastZ.flybackTime": 0.02,
            "hFastZ.numDiscardFlybackFrames": self.flyback,
            "hRoiManager.imagingFovDeg": [] if self.rois else corners,
            "hRoiManager.imagingFovUm": [] if self.rois else [[15 * v for v in c] for c in corners],
            "hRoiManager.linePeriod": per_line,
            "hRoiManager.linesPerFrame": 512 if self.rois else rows * self.lines_averaged,
            "hRoiManager.mroiEnable": int(bool(self.rois)),
            "hRoiManager.pixelsPerLine": 512 if self.rois else columns,
            "hRoiManager.scanFramePeriod": period,
            "hRoiManager.scanFrameRate": 1 / period,
            "hRoiManager.scanVolumeRate": 1 / period / per_volume,
            "hRoiManager.scanZoomFactor": 1.5,
            "hScan2D.bidirectional": self.bidirectional,
            "hScan2D.channelsDataType": self.dtype,
            "hScan2D.fillFractionSpatial": 0.9,
            "hScan2D.fillFractionTemporal": 0.712867,
            "hScan2D.flybackTimePerFrame": self.flyback_time,
            "hScan2D.flytoTimePerScanfield": self.flyto,
            "hScan2D.hasResonantMirror": self.resonant,
            "hScan2D.logAverageFactor": self.averaging,
            "hScan2D.logFramesPerFile": self.frames_per_file or math.inf,
            "hScan2D.mask": Column([16, 15, *[12] * 508, 15, 16]),
            "hScan2D.scannerFrequency": self.scanner_frequency if self.resonant else math.nan,
            "hScan2D.scannerType": ("Resonant" if self.resonant else "Linear"),
            "hScan2D.uniformSampling": False,
            "hStackManager.framesPerSlice": self.frames_per_slice,
            "hStackManager.numSlices": len(self.zs),
            "imagingSystem": "ImagingScanner",
            "loopAcqInterval": 10,
            "objectiveResolution": 15,
        }
        if self.lines_averaged > 1:
            settings["hScan2D.LineAveragingLineCount"] = self.lines_averaged
        managed = (year, minor) >= (2019, 1)
        settings |= self._stack_manager(per_volume) if managed else self._fast_z(per_volume)
        if managed:
            settings["hScan2D.scannerType"] = "RGG" if self.resonant else "GG"
            settings["hScan2D.scanMode"] = "resonant" if self.resonant else "linear"
        if year >= 2021:
            settings |= {
                "PREMIUM": True,
                "VERSION_UPDATE": 0,
                "hChannels.channelName": Cell([f"Channel {n}" for n in range(1, 65)]),
                "hFastZ.position": 0,
                "hMotors.axesPosition": [12.5, 1840, 655],
                "hMotors.samplePosition": [-12.5, -1840, -655],
            }
        else:
            settings["hMotors.motorPosition"] = [-12.5, -1840, -655]
        settings |= self.settings
        return {name: value for name, value in settings.items() if value is not None}

    def _stack_manager(self, per_volume: int) -> dict[str, Any]:
        """How volumes were scanned, since 2019b: each z stands once for every raw frame of its slice."""
        stack = self.mode != "planar"
        repeated = [z for z in self.zs for _ in range(self.frames_per_slice)] if stack else [self.zs[0]]
        return {
            "hStackManager.actualNumSlices": len(self.zs) if stack else 1,
            "hStackManager.actualNumVolumes": self.volumes if stack else 1,
            "hStackManager.enable": stack,
            "hStackManager.numFramesPerVolume": per_volume - self.flyback if stack else 1,
            "hStackManager.numFramesPerVolumeWithFlyback": per_volume,
            "hStackManager.numVolumes": self.volumes,
            "hStackManager.stackActuator": "fastZ" if self.mode == "fast" else "motor",
            "hStackManager.stackDefinition": "arbitrary" if stack else "uniform",
            "hStackManager.stackMode": "fast" if self.mode == "fast" else "slow",
            "hStackManager.zs": repeated,
            "hStackManager.zsAllActuators": Column(repeated),
            "hStackManager.zsRelative": Column(repeated),
        }

    def _fast_z(self, per_volume: int) -> dict[str, Any]:
        """How volumes were scanned, before 2019b: each z stands once."""
        fast = self.mode == "fast"
        return {
            "hFastZ.numFramesPerVolume": per_volume if fast else [],
            "hFastZ.numVolumes": self.volumes,
            "hFastZ.positionTarget": self.zs[0],
            "hFastZ.useArbitraryZs": fast,
            "hFastZ.userZs": list(self.zs),
            "hStackManager.slowStackWithFastZ": False,
            "hStackManager.zs": list(self.zs),
        }

    def header_text(self) -> str:
        """The header, as it stands in the file without its NUL."""
        settings = self.header_settings()
        return json_header(settings) if self.json_headers else plain_header(settings, self.digits)

    def roi_text(self) -> str:
        """The JSON of the ROIs, as it stands in the file without its NUL."""
        if self.rois:
            return roi_json(roi_groups(self.rois)) + "\n"
        whole = scanfield(size=(12.0, 12.0), pixels=(self.width, self.height * self.lines_averaged))
        default = roi(whole, name="Default Imaging Roi")
        return roi_json(roi_groups([default], "Default Imaging ROI Group")) + "\n"

    def description(self, frame: Logged, period: float) -> str:
        """What stands beside each page of a frame, in the style of the logger."""
        seconds = (frame.number - 1) * period
        year, month, day, hours, minutes, sec = self.epoch
        values: dict[str, str] = {
            "frameNumbers": f"{frame.number}",
            "acquisitionNumbers": f"{frame.acquisition_number}",
            "frameNumberAcquisition": f"{frame.in_acquisition}",
            "frameTimestamps_sec": f"{seconds:.9f}",
            "acqTriggerTimestamps_sec": "-0.000087000" if frame.in_acquisition == 1 else "-1.000000000",
            "nextFileMarkerTimestamps_sec": "-1.000000000",
            "endOfAcquisition": f"{int(frame.ends_acquisition)}",
            "endOfAcquisitionMode": "0",
            "dcOverVoltage": "0",
        }
        if self.slot is None or not self.resonant:
            values["frameTimestamps_sec"] = f"{seconds:f}"
            text = "".join(f"{name} = {value}\n" for name, value in values.items())
            clock = f"{year:.0f},{month:.0f},{day:.0f},{hours:.0f},{minutes:.0f},{sec:.3f}"
            return f"{text}epoch = [{clock}]\n"
        edges = [self._edges(n, seconds, period) for n in range(4)]
        packets = [(at, data) for at, data in self.packets if self._came_with(at, seconds, period)]
        if self.json_descriptions:
            quote = '"'
            clock = f"[{year:.0f},{month:2.0f},{day:2.0f},{hours:2.0f},{minutes:2.0f},{sec:2.3f}]"
            lists = {f"auxTrigger{n}": f"[{','.join(times)}]" for n, times in enumerate(edges)}
            held = [f'    {{"timestamp": {at:.9f}, "data": {_packet(data, quote)}}}' for at, data in packets]
            values |= {"epoch": clock, **lists, "I2CData": "[\n" + ",\n".join(held) + "\n  ]" if held else "[]"}
            return "{\n" + ",\n".join(f'  "{name}": {value}' for name, value in values.items()) + "\n}\n"
        text = "".join(f"{name} = {value}\n" for name, value in values.items())
        clock = f"{year:4.0f} {month:2.0f} {day:2.0f} {hours:2.0f} {minutes:2.0f} {sec:2.3f}"
        came = "".join(f"auxTrigger{n} = [{''.join(times)}]\n" for n, times in enumerate(edges))
        held_text = "".join(f"{{{at:.9f}, {_packet(data)}}} " for at, data in packets)
        return f"{text}epoch = [{clock}]\n{came}I2CData = {{{held_text}}}\n"

    def _came_with(self, at: float, seconds: float, period: float) -> bool:
        """Whether something came while a saved frame was scanned, whose last raw frame began at `seconds`."""
        return seconds - (self.averaging - 1) * period <= at < seconds + period

    def _edges(self, trigger: int, seconds: float, period: float) -> list[str]:
        times = (at for n, at in self.triggers if n == trigger and self._came_with(at, seconds, period))
        return [f"{at:.9f} " for at in times]

    # ------------------------------------------------------------------ files

    def pages(self) -> Iterator[tuple[Logged, int, Image]]:
        """Every page: its frame, its channel's number, its pixels."""
        backdrops = self._backdrops()
        page = 0
        for frame in self.logged():
            for channel in self.channels:
                yield frame, channel, self.image(page, frame, channel, backdrops[frame.slice])
                page += 1

    def write(self, folder: str | Path) -> list[Path]:
        """Write the recording's files into a folder, named as ScanImage names them, and return their paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        pages = self.pages()
        frames = list(self.logged())
        start = 0
        for loop in range(1, self.loops + 1):
            count = sum(frame.acquisition == loop for frame in frames)
            sizes = list(self._file_sizes(count))
            for part, size in enumerate(sizes, 1):
                rolled = f"_{part:05d}" if self.frames_per_file else ""
                path = folder / f"{self.stem}_{loop:05d}{rolled}.tif"
                self.write_file(path, islice(pages, size * len(self.channels)))
                paths.append(path)
                start += size
        return paths

    def _file_sizes(self, count: int) -> Iterator[int]:
        first = self.first_file_frames or self.frames_per_file or count
        yield min(first, count)
        left = count - first
        while left > 0:
            size = min(left, self.frames_per_file or left)
            yield size
            left -= size

    def write_file(self, path: str | Path, pages: Iterable[tuple[Logged, int, Image]]) -> None:
        """Write one file of the recording."""
        period = float(self.header_settings()["hRoiManager.scanFramePeriod"])
        if self.is_classic:
            write_classic(path, self._classic_pages(pages, period), signed=self.release != "3.8", closed=self.closed)
            return
        described = ((self.description(frame, period).encode(), image) for frame, _, image in pages)
        write_bigtiff(
            path,
            self.header_text().encode() + b"\0",
            self.roi_text().encode() + b"\0",
            described,
            version=4 if self._year >= (2019, 1) else 3,
            resolution=self._resolution(),
            slot=(SLOT if self.resonant else None) if self.slot == -1 else self.slot,
            closed=self.closed,
            holes=self.holes,
        )

    def _resolution(self) -> Resolution:
        """Pixels per cm of the first scanfield."""
        shape = parse_rois({"rois": list(self.rois)})[0].scanfields[0] if self.rois else None
        size = (shape.width_in_degrees, shape.height_in_degrees) if shape else (12.0, 12.0)
        pixels = (shape.width, shape.height) if shape else (self.width, self.height)
        x, y = (round(2**30 / (1e4 * n / (s * 15))) for n, s in zip(pixels, size, strict=True))
        return Resolution(x, y)

    def _classic_pages(
        self, pages: Iterable[tuple[Logged, int, Image]], period: float
    ) -> Iterator[tuple[bytes, Image]]:
        text: Callable[[Logged], str]
        if self.release == "3.8":
            whole = legacy_header(self)

            def text(_: Logged) -> str:
                return whole
        else:
            whole = flat_header(self) if self.release in ("4.2", "5.0") else self.header_text()
            prefix = {"4.2": "SI4.", "5.0": "SI5."}.get(self.release, "SI.")
            whole = whole.replace("SI.", f"scanimage.{prefix}")

            def text(frame: Logged) -> str:
                return f"{self._older_description(frame, period)}{whole}".ljust(len(whole) + 1000)

        for frame, _, image in pages:
            yield text(frame).encode() + b"\0", image

    def _older_description(self, frame: Logged, period: float) -> str:
        seconds = (frame.number - 1) * period
        if self.release == "5.0":
            return f"Frame Number = {frame.number}\nFrame Timestamp(s) = {seconds:.9f}\n"
        return (
            f"frameNumbers = {frame.number}\nframeNumberAcquisition = {frame.in_acquisition}\n"
            f"frameTimestamps = {seconds:.9f}\n"
        )


def legacy_header(recording: Recording) -> str:
    """Write the header of 3.8: ``state.*`` lines that end with a carriage return."""
    r = recording
    settings: dict[str, Any] = {
        "configName": "simulated",
        "software.version": 3.8,
        "software.minorRev": 0,
        "acq.numberOfZSlices": len(r.zs),
        "acq.zStepSize": r.zs[1] - r.zs[0] if len(r.zs) > 1 else 1,
        "acq.numAvgFramesSave": r.averaging,
        "acq.averaging": int(r.averaging > 1),
        "acq.numberOfFrames": r.frames_per_slice,
        "acq.linesPerFrame": r.height,
        "acq.pixelsPerLine": r.width,
        "acq.frameRate": 3.90625,
        "acq.zoomFactor": 2,
        "acq.msPerLine": 1,
        "acq.fillFraction": 0.8192,
        "acq.bidirectionalScan": int(r.bidirectional),
        "acq.framesPerFile": r.frames_per_file or math.inf,
        **{f"acq.acquiringChannel{n}": int(n in r.channels) for n in range(1, 5)},
        **{f"acq.savingChannel{n}": int(n in r.channels) for n in range(1, 5)},
        "motor.absXPosition": 659.6,
        "motor.absYPosition": -10386.6,
        "motor.absZPosition": -8068.4,
        "internal.triggerTimeString": "10/9/2017 16:57:07.967",
    }
    return "".join(f"state.{name}={literal(value)}\r" for name, value in {**settings, **r.settings}.items())


def flat_header(recording: Recording) -> str:
    """Write the header of 5.0: flat settings."""
    r = recording
    settings: dict[str, Any] = {
        "VERSION_MAJOR": int(r.release.split(".")[0]),
        "VERSION_MINOR": int(r.release.split(".")[1]),
        "acqNumAveragedFrames": r.averaging,
        "acqNumFrames": r.frames_per_slice,
        "bidirectionalAcq": r.bidirectional,
        "channelsSave": Column(r.channels),
        "fastZEnable": r.mode == "fast",
        "fastZNumVolumes": r.volumes,
        "fillFraction": 0.9,
        "fillFractionTime": 0.712867,
        "loggingFramesPerFile": r.frames_per_file or math.inf,
        "scanFramePeriod": r.header_settings()["hRoiManager.scanFramePeriod"],
        "stackNumSlices": len(r.zs),
        "zoomFactor": 3,
    }
    merged = {**settings, **r.settings}
    return plain_header({name: value for name, value in merged.items() if value is not None})


DEMO = Recording(
    stem="demo",
    mode="fast",
    zs=(0.0, 40.0, 80.0),
    flyback=1,
    volumes=50,
    channels=(1, 2),
    frames_per_file=64,
    scanner_frequency=12013.0,
    rois=(
        roi(scanfield((-3.0, 1.0), (2.4, 4.0), (120, 200)), name="V1"),
        roi(scanfield((0.5, 1.5), (2.4, 4.0), (120, 200)), name="LM"),
        roi(scanfield((3.5, -0.5), (2.4, 2.4), (120, 120)), zs=(80,), discrete=True, name="RSC"),
    ),
)
"""Three ROIs at three depths, one of them only at the deepest: what `scanreader demo` writes."""
