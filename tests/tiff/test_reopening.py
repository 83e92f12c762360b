"""A file that took another's place is not read as that; what is no file is not opened."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from scanreader import ChangedFileError, PathnameError, Scan, ScanReaderError, read_scan
from scanreader.files import local
from scanreader.simulate import Recording
from scanreader.tiff.index import index_file
from scanreader.tiff.pages import Pages

RECORDING = Recording(frames_per_slice=60)
OTHER_RECORDING = replace(RECORDING, epoch=(2024, 1, 2, 3, 4, 5.0))


def keep_times(path: Path, change: Callable[[], object]) -> None:
    """Change a file, and give it back its time of change, as `rsync -t` does."""
    status = path.stat()
    change()
    assert path.stat().st_size == status.st_size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns


def take_its_place(path: Path, other_path: Path) -> None:
    """Rename another file to its name: another inode."""
    keep_times(path, lambda: other_path.replace(path))


def write_over(path: Path, other_path: Path) -> None:
    """Write the bytes of another file into it: the same inode."""
    keep_times(path, lambda: path.write_bytes(other_path.read_bytes()))


def remove_and_copy(path: Path, other_path: Path) -> None:
    """The file system may give the new file the inode of the one that was removed."""

    def change() -> None:
        path.unlink()
        shutil.copyfile(other_path, path)

    keep_times(path, change)


ways = pytest.mark.parametrize("change", [take_its_place, write_over, remove_and_copy])
USES: list[Callable[[Scan], Any]] = [
    lambda scan: scan[:],
    lambda scan: scan[0, 3, 3, 0, 5],
    lambda scan: scan[0, :, :, 0, -1],
    lambda scan: scan.frame_table,
    lambda scan: scan.timestamps,
]


@ways
@pytest.mark.parametrize("read_before", [False, True])
@pytest.mark.parametrize("use", range(len(USES)))
def test_another_recording_of_equal_size_and_time(
    tmp_path: Path, change: Callable[[Path, Path], None], read_before: bool, use: int
) -> None:
    (path,) = RECORDING.write(tmp_path / "a")
    (other_path,) = OTHER_RECORDING.write(tmp_path / "b")
    scan = read_scan(path)
    copies = [scan, pickle.loads(pickle.dumps(scan))]
    if read_before:  # with a memory map, which is kept
        scan[0, 3, 3, 0]
    change(path, other_path)
    for scan_copy in copies:
        with pytest.raises(ChangedFileError, match="another file of the same size and time"):
            USES[use](scan_copy)
    assert np.array_equal(read_scan(path)[:], read_scan(path)[0][None])


@ways
def test_an_equal_copy_is_read_on(tmp_path: Path, change: Callable[[Path, Path], None]) -> None:
    """As programs that restore files make it; also where the header was not read yet."""
    (path,) = RECORDING.write(tmp_path)
    scan = read_scan(path)
    right, header = scan[:], read_scan(path).header
    change(path, Path(shutil.copyfile(path, tmp_path / "copy")))
    assert np.array_equal(scan[:], right)
    assert np.array_equal(scan[0, 3, 3, 0], right[0, 3, 3, 0])
    assert pickle.loads(pickle.dumps(scan)).header == header


def test_a_file_that_got_another_name_or_mode_is_read_on(tmp_path: Path) -> None:
    (path,) = RECORDING.write(tmp_path)
    scan = read_scan(path)
    right = scan[:]
    path.chmod(0o644)
    os.link(path, tmp_path / "also here")
    assert path.stat().st_ctime_ns != scan.opened.pages.files[0].ctime_ns or sys.platform == "win32"
    assert np.array_equal(scan[:], right)


@pytest.mark.parametrize("change", [{"inode": 0}, {"inode": 0, "ctime_ns": 0}, {"inode": 77, "ctime_ns": 77}])
def test_shares_that_number_their_files_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    """Where inodes mean nothing, the first page tells whether it is the file that was opened."""
    (path,) = RECORDING.write(tmp_path / "a")
    (other_path,) = OTHER_RECORDING.write(tmp_path / "b")
    pages = Pages((replace(index_file(path), **change),))
    out = np.empty((60, *pages.form[:2]), pages.dtype)
    pages.read(np.arange(60), range(pages.form.height), range(pages.form.width), out)
    write_over(path, other_path)
    with pytest.raises(ChangedFileError):
        pages.read(np.arange(60), range(pages.form.height), range(pages.form.width), out)


@ways
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_files_of_another_program(
    tmp_path: Path, change: Callable[[Path, Path], None], compression: str | None
) -> None:
    """Compressed pages, too, whose first bytes tell them apart."""
    path, other_path = tmp_path / "a.tif", tmp_path / "b.tif"
    for name, first in ((path, 1), (other_path, 2)):
        images = np.random.default_rng(first).integers(0, 255, (3, 16, 16)).astype(np.uint8)
        tifffile.imwrite(name, images, photometric="minisblack", compression=compression)
    sizes = [name.stat().st_size for name in (path, other_path)]
    for name, size in zip((path, other_path), sizes, strict=True):
        with name.open("ab") as file:
            file.write(bytes(max(sizes) - size))
    with pytest.warns(UserWarning, match="not written by ScanImage"):
        scan = read_scan(path)
    change(path, other_path)
    with pytest.raises(ChangedFileError):
        scan[:]


@ways
def test_what_was_found_by_following_the_chain_is_of_that_file_alone(
    tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    """The chain of IFDs is remembered for a file, not for its name, size and time."""
    recording = Recording(frames_per_slice=200, pixels=lambda frame, _: np.full((16, 16), frame.number))
    paths = [recording.write(tmp_path / name)[0] for name in "ab"]
    offsets = []
    for path, page in zip(paths, (51, 77), strict=True):
        with tifffile.TiffFile(path) as tif:
            offset = tif.pages[page].offset + 8 + 8 * 20
        data = bytearray(path.read_bytes())
        data[offset : offset + 2] = (273).to_bytes(2, "little")
        path.write_bytes(data)
        offsets.append(offset)
    path, other_path = paths
    keep_times(other_path, lambda: os.utime(other_path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns)))
    for page in (51, 77):
        with pytest.raises(ScanReaderError, match=f"page {page} of"):
            read_scan(path)[:]
        if page == 51:
            change(path, other_path)


def test_a_stale_handle_is_not_replaced_by_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that failed is tried again with the file reopened: by then another may have its name."""
    (path,) = RECORDING.write(tmp_path / "a")
    (other_path,) = OTHER_RECORDING.write(tmp_path / "b")
    monkeypatch.setattr(local, "RETRIES", (0.0, 0.0, 0.0))
    with local.OpenFile(path) as file:
        right = file.read(0, file.size)
        take_its_place(path, other_path)
        original, failures = local._read_once, [5, 5]

        def read_stale(handle: int, offset: int, buffers: list[memoryview]) -> int:
            if failures:
                raise OSError(failures.pop(), "Input/output error")
            return original(handle, offset, buffers)

        monkeypatch.setattr(local, "_read_once", read_stale)
        assert file.read(0, file.size) == right


# ---------------------------------------------------------------------------- what is no file


def refusal(job: Callable[[], object]) -> str:
    """Why a job is refused; it runs in a thread that may be left behind, waiting for someone to write to a pipe."""
    messages: list[str] = []

    def run() -> None:
        try:
            job()
        except PathnameError as error:
            messages.append(str(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "it waits"
    assert messages, "it is not refused"
    return messages[0]


def refused_soon(path: Path) -> str:
    message = refusal(lambda: index_file(path))
    assert str(path) in message
    assert refusal(lambda: read_scan(path)) == message
    return message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_a_pipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan_00001.tif"
    os.mkfifo(path)
    assert "is a pipe, not a file" in refused_soon(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_a_pipe_among_parts_is_passed_over(tmp_path: Path) -> None:
    Recording(frames_per_slice=10, frames_per_file=5).write(tmp_path)
    os.mkfifo(tmp_path / "scan_00001_00003.tif")
    paths = [tmp_path / "scan_00001_00001.tif", tmp_path / "scan_00001_00003.tif"]
    assert "is a pipe" in refusal(lambda: read_scan(paths))
    assert read_scan(tmp_path).num_frames == 10


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scan_00001.tif").mkdir()
    with pytest.raises(PathnameError, match="is a folder, not a file"):
        index_file(tmp_path / "scan_00001.tif")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no such device")
def test_a_device_is_refused() -> None:
    assert "is a device, not a file" in refused_soon(Path("/dev/zero"))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system has no sockets with names")
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as unix_socket:
        unix_socket.bind("scan_00001.tif")
        assert "is a socket, not a file" in refused_soon(tmp_path / "scan_00001.tif")
