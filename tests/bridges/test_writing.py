"""Writers lose nothing: names appear once complete, one writer wins, only what is recognised is replaced."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from common import VOLUME

from scanreader import DiskFullError, PathnameError, Scan, TargetExistsError, read_scan
from scanreader.bridges import writing
from scanreader.bridges.hdf5 import to_hdf5
from scanreader.bridges.kinds import Kind
from scanreader.bridges.npy import to_npy
from scanreader.bridges.suite2p_settings import write_suite2p_settings
from scanreader.bridges.tiff import to_tiff, to_tiff_folder
from scanreader.bridges.writing import atomic_path
from scanreader.simulate import Recording

FILE = Kind("a test's file", lambda path: path.read_bytes().startswith(b"own"))
FOLDER = Kind("a test's folder", lambda _: True, re.compile("own.*"))
EXPORTS: dict[str, tuple[Callable[..., Any], str]] = {
    "ome-tiff": (Scan.to_ome_tiff, "a.ome.tif"),
    "references": (Scan.to_references, "a.json"),
    "npy": (to_npy, "a.npy"),
    "report": (Scan.report, "a.html"),
    "ome-zarr": (Scan.to_ome_zarr, "a.zarr"),
    "suite2p": (Scan.to_suite2p, "a"),
    "tiff": (lambda scan, path, **options: to_tiff(scan.select(fields=[0]), path, **options), "a.tif"),
    "imagej": (functools.partial(to_tiff, imagej=True), "b.tif"),
    "tiff folder": (to_tiff_folder, "tiffs"),
    "hdf5": (lambda scan, path, **options: to_hdf5(scan.select(fields=[0], channels=[0]), path, **options), "a.h5"),
    "settings": (write_suite2p_settings, "settings.json"),
}
each_export = pytest.mark.parametrize("name", EXPORTS)


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    VOLUME.write(tmp_path / "raw")
    return read_scan(tmp_path / "raw")


def write(path: Path, text: str, *, kind: Kind = FILE, overwrite: bool = False) -> None:
    with atomic_path(path, kind, sources=(), overwrite=overwrite) as partial:
        if kind is FOLDER:
            partial.mkdir()
            (partial / f"own {text}").write_text(text)
        else:
            partial.write_text(f"own {text}")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# ------------------------------------------------------------------ what is replaced


@each_export
def test_only_a_target_of_the_same_kind_is_replaced(scan: Scan, tmp_path: Path, name: str) -> None:
    export, target = EXPORTS[name]
    folder = tmp_path / "out"
    folder.mkdir()
    own_target = folder / target / "suite2p" if name == "suite2p" else folder / target
    export(scan, folder / target)
    with pytest.raises(TargetExistsError, match="overwrite=True"):
        export(scan, folder / target)
    export(scan, folder / target, overwrite=True)
    if own_target.is_dir():
        curated_file = own_target / ("plane0/iscell.npy" if name == "suite2p" else "labels.json")
        curated_file.write_text("curated")
        with pytest.raises(TargetExistsError, match=curated_file.name):
            export(scan, folder / target, overwrite=True)
        assert curated_file.read_text() == "curated"
        return
    own_target.write_bytes(b"not of this kind")
    with pytest.raises(TargetExistsError, match="so it is not replaced"):
        export(scan, folder / target, overwrite=True)
    assert own_target.read_bytes() == b"not of this kind"
    own_target.write_bytes(b"")
    export(scan, folder / target, overwrite=True)  # nothing is lost
    assert names(folder) == [target]


def test_a_recording_is_no_ome_tiff(scan: Scan, tmp_path: Path) -> None:
    (other_path,) = Recording(stem="other", frames_per_slice=3).write(tmp_path / "others")
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((4, 8, 8), np.int16), photometric="minisblack")
    for path in (other_path, tmp_path / "plain.tif"):
        content_before = path.read_bytes()
        with pytest.raises(TargetExistsError, match="is not an OME-TIFF"):
            scan.to_ome_tiff(path, overwrite=True)
        assert path.read_bytes() == content_before


# ------------------------------------------------------------------- one writer a name


@pytest.mark.parametrize("kind", [FILE, FOLDER], ids=["file", "folder"])
@pytest.mark.parametrize("has_links", [True, False])
def test_what_appears_meanwhile_is_not_replaced(
    tmp_path: Path, kind: Kind, has_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_link(*_: object) -> None:
        raise PermissionError("no links on this file system")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse_link)
    target = tmp_path / "a"

    def write_late() -> None:
        with atomic_path(target, kind, sources=(), overwrite=False) as partial:
            write(partial, "late", kind=kind)
            write(target, "early", kind=kind)

    with pytest.raises(TargetExistsError, match="appeared while this call was writing"):
        write_late()
    text = target.read_text() if kind is FILE else (target / "own early").read_text()
    assert text.endswith("early")
    assert [name for name in names(tmp_path) if "partial" in name or "replaced" in name] == []


@pytest.mark.parametrize("kind", [FILE, FOLDER], ids=["file", "folder"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_of_many_writers_one_wins_and_the_others_are_told(tmp_path: Path, kind: Kind, overwrite: bool) -> None:
    target = tmp_path / "a"
    start = threading.Barrier(8)
    messages: list[str] = []

    def run(n: int) -> None:
        start.wait()
        try:
            write(target, f"{n}" * 100, kind=kind, overwrite=overwrite)
        except TargetExistsError as error:
            messages.append(str(error))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (content,) = [target] if kind is FILE else list(target.iterdir())
    text = content.read_text().removeprefix("own ")
    assert len(text) == 100
    assert len(set(text)) == 1
    assert len(messages) == 7 if not overwrite else len(messages) < 8
    assert [name for name in names(tmp_path) if name.startswith(".")] == []


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has_name: list[bool] = []
    fsync = os.fsync

    def record(number: int) -> None:
        has_name.append((tmp_path / "a").exists())
        fsync(number)

    monkeypatch.setattr(os, "fsync", record)
    write(tmp_path / "a", "text")
    assert has_name[0] is False  # the file
    assert os.name == "nt" or has_name[-1] is True  # its name


# ----------------------------------------------------------------------- what is left


def test_the_next_call_removes_what_a_killed_writer_left(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from scanreader.bridges.kinds import Kind\n"
        "from scanreader.bridges.writing import atomic_path\n"
        "with atomic_path(Path('a'), Kind('x', lambda _: True), sources=(), overwrite=False) as partial:\n"
        "    partial.write_text('half')\n"
        "    os._exit(9)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert result.returncode == 9
    assert len(names(tmp_path)) == 2
    write(tmp_path / "b", "text")
    assert names(tmp_path) == ["b"]


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a", FILE, sources=(), overwrite=False) as partial:
        partial.write_text("own half")
        write(tmp_path / "b", "text")
        assert partial.read_text() == "own half"
    assert names(tmp_path) == ["a", "b"]


def test_without_locks_nothing_of_others_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_lock", lambda _: False)
    partial_path = tmp_path / f".partial-{0:032x}-a"
    partial_path.write_text("half")
    partial_path.with_name(f".partial-{0:032x}.lock").touch()
    write(tmp_path / "b", "text")
    assert partial_path.read_text() == "half"


def test_folders_that_were_made_for_a_failed_export_go(scan: Scan, tmp_path: Path) -> None:
    def fail(_: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scan.to_ome_tiff(tmp_path / "x" / "y" / "a.ome.tif", progress=fail)
    assert not (tmp_path / "x").exists()
    scan.to_ome_tiff(tmp_path / "x" / "y" / "a.ome.tif")
    assert names(tmp_path / "x") == ["y", "y/a.ome.tif".replace("/", os.sep)]


# --------------------------------------------------------------------- a full disk


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A disk of 20 MB, where this system lets tests mount one."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def large_scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    folder = tmp_path_factory.mktemp("large")
    (path,) = Recording(frames_per_slice=60, height=512, width=512).write(folder)
    data = np.random.default_rng(0).integers(-1000, 1000, (512, 512), np.int16).tobytes()
    with tifffile.TiffFile(path) as tif:
        places = [page.aspage().dataoffsets[0] for page in tif.pages]
    with path.open("r+b") as file:  # pixels that cannot be compressed
        for n, place in enumerate(places):
            file.seek(place)
            file.write(data[n:] + data[:n])
    return read_scan(path)


@pytest.mark.parametrize("name", [name for name in EXPORTS if name not in ("references", "report", "settings", "hdf5")])
def test_a_full_disk_is_a_typed_error(large_scan: Scan, small_disk: Path, name: str) -> None:
    export, target = EXPORTS[name]
    with pytest.raises(DiskFullError, match="no room left"):
        export(large_scan, small_disk / "deep" / target)
    paths_left = [
        path for path in small_disk.rglob("*") if not path.is_relative_to(small_disk / "deep" / "a.zarr.partial")
    ]
    assert paths_left == ([small_disk / "deep"] if name == "ome-zarr" else [])  # an OME-Zarr can be resumed
    for path in sorted(small_disk.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


NWB = "scan.to_nwb({!r}, timezone='UTC')"
HDF5 = "from scanreader.bridges.hdf5 import to_hdf5; to_hdf5(scan, {!r})"


@pytest.mark.parametrize("call", [pytest.param(NWB, marks=pytest.mark.ecosystem), HDF5], ids=["nwb", "hdf5"])
def test_a_full_disk_does_not_end_the_process_that_writes_hdf5(large_scan: Scan, small_disk: Path, call: str) -> None:
    pytest.importorskip("pynwb" if call == NWB else "h5py")
    for room in (1, 17):  # MB: less and more than is held back
        filler = small_disk / "filler"
        filler.write_bytes(bytes((20 - room) << 20))
        code = (
            "from scanreader import read_scan, DiskFullError\n"
            f"scan = read_scan({large_scan.filenames[0]!r})\n"
            f"try: {call.format(str(small_disk / 'a.nwb'))}\n"
            "except DiskFullError: print('full')\n"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stdout) == (0, "full\n"), result.stderr
        assert names(small_disk) == ["filler"]
        filler.unlink()


def test_another_error_stays_what_it_is(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_path(tmp_path / "a", FILE, sources=(), overwrite=False):
            raise PermissionError("that is not allowed")

    with pytest.raises(PermissionError, match="not allowed"):
        fail()
    with pytest.raises(PathnameError):
        write(Path(), "text")


def test_what_others_made_of_an_export_is_not_replaced(scan: Scan, tmp_path: Path) -> None:
    scan.to_suite2p(tmp_path / "out")
    (ops,) = (tmp_path / "out").glob("suite2p/plane0/ops.npy")
    np.save(ops, np.array({"registered": True}, dtype=object), allow_pickle=True)  # as suite2p's registration does
    with pytest.raises(TargetExistsError, match="so it is not replaced"):
        scan.to_suite2p(tmp_path / "out", overwrite=True)
    zarr = pytest.importorskip("zarr")
    scan.to_ome_zarr(tmp_path / "a.zarr", grouped="field")
    zarr.open_group(tmp_path / "a.zarr", mode="r+").create_array("0/9", shape=(2,), dtype="i2")
    scan.to_ome_zarr(tmp_path / "b.zarr")
    zarr.open_group(tmp_path / "b.zarr", mode="r+").create_array("9", shape=(2,), dtype="i2")
    foreign_path = tmp_path / "results.zarr"
    zarr.create_group(foreign_path).create_array("0", shape=(2,), dtype="i2")
    for path in (tmp_path / "a.zarr", tmp_path / "b.zarr", foreign_path):
        with pytest.raises(TargetExistsError, match="so it is not replaced"):
            scan.to_ome_zarr(path, overwrite=True)
    other_path = tmp_path / "refs.json"
    other_path.write_text('{"version": 1, "refs": {".zgroup": "{}"}}')
    with pytest.raises(TargetExistsError, match="so it is not replaced"):
        scan.to_references(other_path, overwrite=True)


@pytest.mark.ecosystem
def test_hdf5_of_others_is_not_replaced(scan: Scan, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.nwb"
    scan.to_nwb(path, timezone="UTC")
    scan.to_nwb(path, timezone="UTC", overwrite=True)
    with h5py.File(path, "r+") as file:
        file.create_group("processing/ophys")
    with h5py.File(tmp_path / "caiman.hdf5", "w") as file:
        file["estimates"] = [1, 2]
    for target in (path, tmp_path / "caiman.hdf5"):
        with pytest.raises(TargetExistsError, match="so it is not replaced"):
            scan.to_nwb(target, timezone="UTC", overwrite=True)
