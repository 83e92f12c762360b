"""The napari plug-in, which opens recordings, and its sample; napari itself is not needed."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanreader.bridges.napari import Movie, to_napari_layers
from scanreader.notices import notify
from scanreader.paths import SUFFIXES
from scanreader.reader import read_scan
from scanreader.scanimage.blocks import is_scanimage
from scanreader.simulate import DEMO, with_tissue
from scanreader.tiff.index import index_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scanreader.bridges import ScanLike

# ------------------------------------------------------------------------ plug-in


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[Any]] | None:
    """Give napari the reader of a file, a folder or a list of files; None if ScanImage wrote none of them."""
    return read_layers if any(map(_is_scanimage, _as_list(path))) else None


def read_layers(path: str | list[str]) -> list[Any]:
    """Open a recording as layers.

    napari passes files that are dropped together one by one, and the first of them opens the whole recording: for
    the others, which the viewer shows by then, nothing is added.
    """
    viewer = _current_viewer()
    scans_shown = [_scan_in_viewer(viewer, name) for name in _as_list(path)]
    if all(scans_shown):
        file = Path(scans_shown[0].filenames[0]).name
        notify([f"{file}: the viewer already shows this recording with all its files"])
        return [(None,)]  # tells npe2: read, but no layer to add
    return _layers_of(read_scan(path, on_damage="fill", siblings=True))


def _as_list(path: str | Iterable[str]) -> list[str]:
    return [path] if isinstance(path, (str, os.PathLike)) else list(path)


def _is_scanimage(name: str) -> bool:
    """Whether ScanImage wrote a file, or one of those in a folder."""
    path = Path(name)
    if path.is_dir():
        return any(is_scanimage(p) for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES)
    return is_scanimage(path)


def _current_viewer() -> Any:
    napari = sys.modules.get("napari")
    return napari.current_viewer() if napari else None


def _scan_in_viewer(viewer: Any, name: str) -> Any:
    """Find the scan that a viewer shows and that holds a file, unchanged since; None if there is none."""
    if viewer is None or not Path(name).is_file():
        return None
    scans: list[Any] = [layer.data.scan for layer in viewer.layers if isinstance(layer.data, Movie)]
    index = index_file(name) if scans else None
    return next((scan for scan in scans if index in scan.opened.pages.files), None)


def _layers_of(scan: ScanLike) -> list[Any]:
    """Layers of a scan; an empty viewer is reset once all of them are added, not after the first."""
    layers: list[Any] = list(to_napari_layers(scan))
    viewer = _current_viewer()

    def reset_view(_: Any) -> None:
        if len(viewer.layers) == len(layers):
            viewer.layers.events.inserted.disconnect(reset_view)
            viewer.reset_view()

    if viewer is not None and not viewer.layers:
        viewer.layers.events.inserted.connect(reset_view, position="last")
    return layers


# ------------------------------------------------------------------------- sample


@cache
def _sample_folder() -> Path:
    """Folder of the sample, which is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="scanreader-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with_tissue(replace(DEMO, volumes=25)).write(folder)
    return folder


def sample() -> list[Any]:
    """Three ROIs at three depths, in two channels."""
    return _layers_of(read_scan(_sample_folder()))
