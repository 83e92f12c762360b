"""Targets: the recording's own files are never replaced, a file never replaces a folder, and a path is a path."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from common import VOLUME
from typer.testing import CliRunner

from scanreader import PathnameError, Scan, ScanReaderError, TargetExistsError, read_scan
from scanreader.bridges.kinds import Kind
from scanreader.bridges.npy import to_npy
from scanreader.bridges.safety import checked_target
from scanreader.bridges.writing import atomic_path
from scanreader.cli.commands import app
from scanreader.files.urls import is_url
from scanreader.simulate import Recording

Export = Callable[..., Any]

PLAIN_EXPORTS = {"ome-tiff": Scan.to_ome_tiff, "references": Scan.to_references, "npy": to_npy, "report": Scan.report}
ZARR = {"ome-zarr": Scan.to_ome_zarr}
FOLDERS = {**ZARR, "suite2p": Scan.to_suite2p}


def to_nwb(scan: Scan, path: Any, **options: Any) -> None:
    pytest.importorskip("pynwb")
    scan.to_nwb(path, timezone="UTC", **options)


NWB = pytest.param(to_nwb, id="nwb", marks=pytest.mark.ecosystem)
FILES = [*(pytest.param(export, id=name) for name, export in PLAIN_EXPORTS.items()), NWB]
OF_ONE_NAME = [*FILES, *(pytest.param(export, id=name) for name, export in ZARR.items())]
ANY_FILE = Kind("a test", lambda _: True)
ANY_FOLDER = Kind("a test", lambda _: True, re.compile(".*"))
ALL_EXPORTS = [*OF_ONE_NAME, pytest.param(Scan.to_suite2p, id="suite2p")]


@pytest.fixture
def scan(tmp_path: Path) -> Iterator[Scan]:
    """A recording of two files, in a folder of its own."""
    replace(VOLUME, frames_per_file=10).write(tmp_path / "raw")
    with read_scan(tmp_path / "raw") as opened:
        assert len(opened.filenames) == 2
        yield opened


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder; the bytes of files."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


# ------------------------------------------------------------------ the recording's own files


def as_it_is(source: Path) -> Path:
    return source


def relative_path(source: Path) -> str:
    return os.path.relpath(source)


def through_parent(source: Path) -> Path:
    return source.parent / ".." / source.parent.name / source.name


def link_to_file(source: Path) -> Path:
    link = source.parent.parent / "link.tif"
    link.symlink_to(source)
    return link


def link_to_link(source: Path) -> Path:
    link = source.parent.parent / "again.tif"
    link.symlink_to(link_to_file(source))
    return link


def link_to_folder(source: Path) -> Path:
    link = source.parent.parent / "link"
    link.symlink_to(source.parent, target_is_directory=True)
    return link / source.name


def hard_link(source: Path) -> Path:
    link = source.parent.parent / "hard.tif"
    link.hardlink_to(source)
    return link


WAYS = (as_it_is, relative_path, through_parent, link_to_file, link_to_link, link_to_folder, hard_link)


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("export", OF_ONE_NAME)
def test_a_file_of_the_recording_is_never_the_target(
    scan: Scan, tmp_path: Path, export: Export, way: Callable[[Path], Any], overwrite: bool
) -> None:
    target = way(Path(scan.filenames[1]))
    contents_before = contents(tmp_path)
    with pytest.raises(PathnameError, match="is scan_00001_00002.tif, a file of the recording itself"):
        export(scan, target, overwrite=overwrite)
    assert contents(tmp_path) == contents_before


def the_folder(source: Path) -> Path:
    return source.parent


def the_folder_above(source: Path) -> Path:
    return source.parent.parent


def a_link_to_the_folder(source: Path) -> Path:
    return link_to_folder(source).parent


def a_folder_with_a_hard_link(source: Path) -> Path:
    folder = source.parent.parent / "other"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "hard.tif").hardlink_to(source)
    return folder


def a_folder_with_a_link(source: Path) -> Path:
    folder = source.parent.parent / "other"
    folder.mkdir()
    (folder / "link.tif").symlink_to(source)
    return folder


HOLDERS = (the_folder, the_folder_above, a_link_to_the_folder, a_folder_with_a_hard_link, a_folder_with_a_link)


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("export", OF_ONE_NAME)
def test_a_folder_that_holds_the_recording_is_never_the_target(
    scan: Scan, tmp_path: Path, export: Export, holder: Callable[[Path], Path]
) -> None:
    target = holder(Path(scan.filenames[0]))
    contents_before = contents(tmp_path)
    with pytest.raises(PathnameError, match="holds scan_00001_00001.tif, a file of the recording itself"):
        export(scan, target, overwrite=True)
    assert contents(tmp_path) == contents_before


def test_a_recording_that_was_opened_through_a_link_is_never_replaced(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "here").symlink_to(tmp_path / "raw", target_is_directory=True)
    contents_before = contents(tmp_path)
    with read_scan(tmp_path / "links" / "here") as linked_scan:
        for target in (tmp_path / "links", tmp_path / "links" / "here", tmp_path / "raw", scan.filenames[0]):
            for export in (Scan.to_ome_zarr, Scan.to_ome_tiff):
                with pytest.raises(PathnameError, match="of the recording itself"):
                    export(linked_scan, target, overwrite=True)
    assert contents(tmp_path) == contents_before


def test_suite2p_s_folder_is_never_the_recording_s(tmp_path: Path) -> None:
    VOLUME.write(tmp_path / "suite2p")
    contents_before = contents(tmp_path)
    with read_scan(tmp_path / "suite2p") as scan:
        with pytest.raises(PathnameError, match="of the recording itself"):
            scan.to_suite2p(tmp_path, overwrite=True)
        assert contents(tmp_path) == contents_before
        scan.to_suite2p(tmp_path / "suite2p")  # beside the recording
    assert contents(tmp_path).items() > contents_before.items()


def test_an_unfinished_ome_zarr_never_removes_the_recording(tmp_path: Path) -> None:
    VOLUME.write(tmp_path / "a.zarr.partial" / "data-0")
    contents_before = contents(tmp_path)
    with (
        read_scan(tmp_path / "a.zarr.partial" / "data-0") as scan,
        pytest.raises(PathnameError, match=r"a\.zarr\.partial' holds scan_00001.tif"),
    ):
        scan.to_ome_zarr(tmp_path / "a.zarr", overwrite=True)
    assert contents(tmp_path) == contents_before


@pytest.mark.parametrize(
    "words", [("convert", "{raw}", "{raw}/a.npy", "--overwrite"), ("convert", "{raw}", "{raw}/a.npy")]
)
def test_convert_never_replaces_the_recording(tmp_path: Path, words: tuple[str, ...]) -> None:
    (path,) = VOLUME.write(tmp_path / "raw")
    (tmp_path / "raw" / "a.npy").hardlink_to(path)
    contents_before = contents(tmp_path)
    result = CliRunner().invoke(app, [word.format(raw=tmp_path / "raw") for word in words])
    assert result.exit_code == 1
    assert "of the recording itself" in re.sub(r"\s+", " ", result.stderr)
    assert contents(tmp_path) == contents_before


def test_preview_and_report_never_replace_the_recording(tmp_path: Path) -> None:
    (path,) = VOLUME.write(tmp_path / "raw")
    for command, name in (("preview", "a.png"), ("report", "a.html")):
        (tmp_path / name).symlink_to(path)
        contents_before = contents(tmp_path)
        result = CliRunner().invoke(app, [command, str(path), "-o", str(tmp_path / name), "--overwrite"])
        assert result.exit_code == 1
        assert "of the recording itself" in re.sub(r"\s+", " ", result.stderr)
        assert contents(tmp_path) == contents_before


def test_what_is_behind_a_url_is_no_file_here(scan: Scan, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe_file("/far/scan_00001.tif", Path(VOLUME.write(tmp_path)[0]).read_bytes())
    with read_scan("memory://far/scan_00001.tif") as far_scan:
        to_npy(far_scan, tmp_path / "far" / "scan_00001.tif", overwrite=True)
        assert np.array_equal(np.load(tmp_path / "far" / "scan_00001.tif"), far_scan[:])


# -------------------------------------------------------------------- files and folders


@pytest.mark.parametrize("is_link", [False, True])
@pytest.mark.parametrize("export", FILES)
def test_a_file_never_replaces_a_folder(scan: Scan, tmp_path: Path, export: Export, is_link: bool) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    if is_link:
        (tmp_path / "link").symlink_to(tmp_path / "mine", target_is_directory=True)
    contents_before = contents(tmp_path)
    for overwrite in (True, False):
        with pytest.raises(TargetExistsError, match="is not a file, so a file never replaces it"):
            export(scan, tmp_path / ("link" if is_link else "mine"), overwrite=overwrite)
    assert contents(tmp_path) == contents_before


@pytest.mark.parametrize("export", FOLDERS.values(), ids=list(FOLDERS))
def test_a_folder_never_replaces_a_file(scan: Scan, tmp_path: Path, export: Export) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "suite2p").write_text("mine")
    contents_before = contents(tmp_path)
    target = tmp_path / "out" if export is Scan.to_suite2p else tmp_path / "out" / "suite2p"
    with pytest.raises(TargetExistsError, match="is not a folder, so a folder never replaces it"):
        export(scan, target, overwrite=True)
    assert contents(tmp_path) == contents_before


@pytest.mark.parametrize("export", ALL_EXPORTS)
def test_a_file_is_no_folder_to_write_into(scan: Scan, tmp_path: Path, export: Export) -> None:
    contents_before = contents(tmp_path)
    with pytest.raises(PathnameError, match="is a file, not a folder"):
        export(scan, Path(scan.filenames[0]) / "deep" / "a.out", overwrite=True)
    assert contents(tmp_path) == contents_before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_only_files_and_folders_are_replaced(scan: Scan, tmp_path: Path) -> None:
    """A named pipe stands for what else has a path, such as a device."""
    os.mkfifo(tmp_path / "pipe")
    for export in (to_npy, Scan.to_ome_tiff, Scan.to_ome_zarr):
        with pytest.raises(TargetExistsError, match="exists and is not a"):
            export(scan, tmp_path / "pipe", overwrite=True)
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_is_never_replaced(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "suite2p").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "a.zarr").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "a.npy").symlink_to(tmp_path / "elsewhere" / "mine")
    contents_before = contents(tmp_path)
    for export, target in ((Scan.to_suite2p, "out"), (Scan.to_ome_zarr, "a.zarr"), (to_npy, "a.npy")):
        with pytest.raises(TargetExistsError, match="is a link"):
            export(scan, tmp_path / target, overwrite=True)
    assert contents(tmp_path) == contents_before


def test_a_broken_link_exists(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    for overwrite in (False, True):
        with (
            pytest.raises(TargetExistsError),
            atomic_path(tmp_path / "a", ANY_FILE, sources=(), overwrite=overwrite),
        ):
            pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_the_earlier_folder_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()

    def fail() -> None:
        with atomic_path(tmp_path / "a", ANY_FOLDER, sources=(), overwrite=True) as partial:
            partial.mkdir()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "old"]
    with atomic_path(tmp_path / "a", ANY_FOLDER, sources=(), overwrite=True) as partial:
        partial.mkdir()
        (partial / "new").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "new"]


# ---------------------------------------------------------------------------- the path


@pytest.mark.parametrize("path", [None, 5, 1.5, b"a", "", "  ", "a\0b", ["a"]], ids=repr)
@pytest.mark.parametrize("export", ALL_EXPORTS)
def test_what_is_no_path_is_refused(
    scan: Scan, tmp_path: Path, export: Export, path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    contents_before = contents(tmp_path)
    with pytest.raises(PathnameError, match=r"a target is a path|is empty|NUL character"):
        export(scan, path, overwrite=True)
    assert contents(tmp_path) == contents_before


@pytest.mark.parametrize("path", [".", "..", "a/..", "/"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_target_has_a_name(path: str, is_folder: bool) -> None:
    """Of the check alone, which touches nothing."""
    with pytest.raises(PathnameError, match="no name of its own"):
        checked_target(path, sources=(), overwrite=True, is_folder=is_folder)


@pytest.mark.parametrize(
    "url",
    ["s3://bucket/a.npy", "simplecache::s3://bucket/a.npy", "zip://a.npy::https://host/b.zip", "file:///tmp/a.npy"],
)
@pytest.mark.parametrize("export", ALL_EXPORTS)
def test_a_url_is_no_target(
    scan: Scan, tmp_path: Path, export: Export, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (url, Path(url)):  # a Path of a URL has lost a slash
        with pytest.raises(PathnameError, match="is a URL, but targets must be on this machine"):
            export(scan, path)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("command", ["convert", "preview", "report"])
def test_a_url_is_no_target_of_a_command(
    scan: Scan, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = {"convert": ["s3://b/a.npy"], "preview": ["-o", "s3://b/a.png"], "report": ["-o", "s3://b/a.html"]}
    result = CliRunner().invoke(app, [command, *scan.filenames, *words[command]])
    assert (result.exit_code, "is a URL" in result.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize("name", ["run::2", "simplecache::2", "zip::a", "a::b::c", "::a"])
def test_colons_alone_make_no_url(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not is_url(f"{name}.npy")
    (tmp_path / name).mkdir()
    Recording(stem=name, frames_per_slice=3).write(name)
    with read_scan(name) as scan:
        for export, ending in ((to_npy, "npy"), (Scan.to_ome_tiff, "tif"), (Scan.to_references, "json")):
            export(scan, f"{name}/{name}.{ending}")
        assert np.array_equal(np.load(f"{name}/{name}.npy"), scan[:])


@pytest.mark.parametrize(
    "url",
    [
        "s3://a",
        "https://h/a",
        "zip://x::https://h/b.zip",
        "simplecache::s3://a",
        "zip://x::simplecache::s3://a",
        "a+b://c",
    ],
)
def test_urls_are_urls(url: str) -> None:
    assert is_url(url)


def test_a_file_in_an_archive_behind_a_url_of_a_chain_is_read(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    (path,) = VOLUME.write(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, path.name)
    with read_scan(f"zip://{path.name}::file://{tmp_path}/a.zip") as far_scan, read_scan(path) as near_scan:
        assert np.array_equal(far_scan[:], near_scan[:])
        with pytest.raises(ScanReaderError, match="chained URL"):
            far_scan.to_references(tmp_path / "a.json")
