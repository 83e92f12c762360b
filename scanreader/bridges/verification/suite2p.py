"""Suite2p's binary files, read back by NumPy, as suite2p does."""

from __future__ import annotations

import json
import operator
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from scanreader.bridges.kinds import WRITTEN, digests_of
from scanreader.bridges.suite2p import NAMES, facts_of_plane, file_shares
from scanreader.bridges.verification.formats import Block, Fact, blocks_of_each_channel, rotation_of, shape_of
from scanreader.errors import UnreadableTargetError
from scanreader.keys import abbreviate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from scanreader.bridges import ScanLike


class _NumPyAlone(pickle.Unpickler):
    """Reads dicts of numbers, texts and arrays; a file could ask for any function of any module."""

    def find_class(self, module: str, name: str) -> Any:
        """Give what arrays are made of.

        Raises
        ------
        UnpicklingError
            If it is anything else.
        """
        if module.split(".", maxsplit=1)[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype", "scalar"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _read_dict(path: Path) -> dict[str, Any]:
    """Read a dict that `numpy.save` wrote."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        content = _NumPyAlone(file).load().item()
    return content if isinstance(content, dict) else {}


class Suite2p:
    """A folder of suite2p's, ``plane0``, ``plane1``, …: a binary file for each of one or two channels."""

    kind = "suite2p's binary files"
    library = f"numpy {np.__version__}"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            record = json.loads((folder / WRITTEN).read_text("utf-8"))
            self._channels = [operator.index(number) for number in record["channels"]]
            self._digests = dict(record["digests"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnreadableTargetError(
                f"{str(folder)!r} cannot be verified: its file {WRITTEN}, which names the channels, is missing or "
                f"damaged ({type(error).__name__})"
            ) from error
        self._movies: dict[tuple[int, int], npt.NDArray[Any]] = {}

    def problems(self, scan: ScanLike) -> Iterator[str]:
        """Say which files are missing, have another size, or were changed."""
        wrong_channels = [channel for channel in self._channels if not 0 <= channel < scan.num_channels]
        if wrong_channels or len(set(self._channels)) != len(self._channels):
            yield f"the target has channels {abbreviate(self._channels)}, the scan has {scan.num_channels}"
        for folder in sorted(self._folder.glob("plane*")):
            if folder.name not in {f"plane{i}" for i in range(scan.num_fields)}:
                yield f"the folder {folder.name} is there, which was not written"
        for i in range(scan.num_fields):
            frames, _, height, width = shape_of(scan, i)
            for channel, name in zip(self._channels, NAMES, strict=False):
                path, expected = self._folder / f"plane{i}" / name, 2 * frames * height * width
                size = path.stat().st_size if path.is_file() else None
                if size is None:
                    yield f"the file plane{i}/{name} is missing"
                elif size != expected:
                    yield f"the file plane{i}/{name} has {size:,} bytes, not {expected:,}"
                elif expected and channel not in wrong_channels:
                    self._movies[i, channel] = np.memmap(path, "<i2", "r", shape=(frames, height, width))
        actual = digests_of(self._folder)
        for name in sorted({*actual, *self._digests}):
            if name not in actual:
                yield f"the file {name} is missing"
            elif actual[name] != self._digests.get(name):
                yield f"the file {name} is not as it was written"

    def has(self, field: int, channel: int) -> bool:
        """Whether the channel was written, and its file has the expected size."""
        return (field, channel) in self._movies

    def place(self, field: int, channel: int) -> str:
        """Name of the file in the folder."""
        return f"plane{field}/{NAMES[self._channels.index(channel)]}"

    def blocks(self, scan: ScanLike, field: int) -> Iterator[Block]:
        """Frames of one channel."""
        return (block for block in blocks_of_each_channel(scan, field) if self.has(field, block.channels.start))

    def pairs(self, block: Block, source: npt.NDArray[Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
        """Pixels of some frames of a file."""
        actual = self._movies[block.field, block.channels.start][block.frames][:, None]
        if source.dtype != actual.dtype:  # values that 16 bits cannot hold must not be wrapped
            source, actual = source.astype(np.int64), actual.astype(np.int64)
        yield "", source, actual

    def facts(self, scan: ScanLike) -> Iterator[Fact]:
        """What db.npy and settings.npy say of sizes, rates and places."""
        for i in range(scan.num_fields):
            actual: dict[str, Any] = {}
            for name in ("db.npy", "settings.npy"):
                path = self._folder / f"plane{i}" / name
                if path.is_file():
                    actual |= _read_dict(path)
            for key, value in facts_of_plane(scan, i, len(self._channels)).items():
                unit = {"z": "µm", "fs": "Hz"}.get(key, "")
                yield Fact(f"field {i}: suite2p's {key}", value, actual.get(key), unit)
            begins_bout = np.array([share.begins_bout for share in file_shares(scan, i)])
            yield Fact(f"field {i}: suite2p's first_files", begins_bout, actual.get("first_files"))

    def unsaid(self, scan: ScanLike) -> Iterator[str]:
        """Times, sizes, and channels beyond two."""
        yield "the time of each frame, sizes of pixels in µm, and the header"
        yield from rotation_of(scan)
        skipped_channels = [name for i, name in enumerate(scan.channel_names) if i not in self._channels]
        if skipped_channels:
            yield f"{abbreviate(skipped_channels)} (of at most two channels that suite2p takes, others were written)"

    def close(self) -> None:
        """Forget the files, which are mapped."""
        self._movies.clear()
