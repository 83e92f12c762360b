"""Output files that appear only once complete, and frames in portions that fit into memory."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Self

from scanreader.chunks import frames_at_a_time
from scanreader.errors import PathnameError, TargetExistsError
from scanreader.extras import import_extra
from scanreader.files.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from scanreader.bridges import ScanLike

    Progress = Callable[[int], object]
    """Called with the number of bytes that were written since the last call."""


class Interruption:
    """Ctrl-C while a file is written: remembered, and raised by `raise_if_pressed` or at the end.

    Libraries that write files may swallow a KeyboardInterrupt in a callback. Only the main thread receives Ctrl-C.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._before: Any = None

    def raise_if_pressed(self) -> None:
        """Raise KeyboardInterrupt after Ctrl-C."""
        if self._pressed:
            raise KeyboardInterrupt

    def _press(self, *_: Any) -> None:
        self._pressed = True

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if kind is None:
            self.raise_if_pressed()


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary path beside the target, which replaces the target once complete and is removed on failure.

    Raises
    ------
    TargetExistsError
        If the target exists and `overwrite` is False.
    """
    target = local_target(path)
    _refuse_existing(target, overwrite=overwrite)
    created_parent = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial-{os.getpid()}-{target.name}")
    try:
        yield partial
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        partial.replace(target)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)
        if created_parent:
            with contextlib.suppress(OSError):  # it is not empty: it holds the target
                target.parent.rmdir()


def local_target(path: str | os.PathLike[str]) -> Path:
    """Give the path of a target on this machine.

    Raises
    ------
    PathnameError
        If it is a URL.
    """
    if is_url(os.fspath(path)):
        raise PathnameError(
            f"{os.fspath(path)!r} is a URL, but targets must be on this machine: write the target here, then copy it"
        )
    return Path(path)


def _refuse_existing(target: Path, *, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise TargetExistsError(f"{str(target)!r} exists: give overwrite=True (--overwrite) to replace it")


# ------------------------------------------------------------------- resumable folders

RECORD, LOCK, UNFINISHED = "record.json", "lock", "unfinished"
DATA, REPLACED = "data-", "replaced-"  # prefixes of names


class Partial(NamedTuple):
    """An incomplete folder: it stands in ``TARGET.partial`` until it is complete."""

    data: Path
    """What becomes the target."""
    unfinished: Path
    """Where incomplete files are; on the same file system."""


@contextlib.contextmanager
def resumable_folder(
    path: str | os.PathLike[str], what: dict[str, Any], prepare: Callable[[Path], object], *, overwrite: bool
) -> Iterator[Partial]:
    """Give a folder beside the target, which replaces the target once complete and stays on failure.

    The next call for the same target continues in it: files that exist are complete (see `atomic_file`).

    Parameters
    ----------
    path : path
        The target, a folder.
    what : dict
        What is being written, in JSON's types; only a call with the same `what` continues.
    prepare : callable
        Called with the folder when it is new: writes what must exist before all else.
    overwrite : bool
        Whether the target, or an unfinished one of another recording or with other options, may be replaced.

    Raises
    ------
    TargetExistsError
        If the target exists, another call is writing it, or ``TARGET.partial`` belongs to something else.
    """
    target = local_target(path).absolute()
    _refuse_existing(target, overwrite=overwrite)
    place = target.with_name(f"{target.name}.partial")
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place, target):
        _refuse_existing(target, overwrite=overwrite)  # another call may have finished it meanwhile
        data = _earlier_data(place, what, overwrite=overwrite) or _start_anew(place, what, prepare)
        yield Partial(data, place / UNFINISHED)
        if os.path.lexists(target):
            target.rename(place / f"{REPLACED}{uuid.uuid4().hex}")
        data.rename(target)
        (place / RECORD).unlink()


@contextlib.contextmanager
def _locked(place: Path, target: Path) -> Iterator[None]:
    """Hold a lock that the system releases when this process ends, however it ends.

    The folder is removed unless it has a record, without which nothing can be continued.
    """
    filelock = import_extra("filelock", "zarr")
    lock = filelock.FileLock(place / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise TargetExistsError(f"{str(target)!r} is being written by another call: wait until that ends") from None
    try:
        yield
    finally:
        is_finished = not (place / RECORD).exists()
        if is_finished:
            _clear(place)
        if is_finished and os.name != "nt":  # while it is held, so that a call that waits for it sees that it is gone
            (place / LOCK).unlink()
        lock.release()
        with contextlib.suppress(OSError):  # another call may have begun there
            if is_finished and os.name == "nt":
                (place / LOCK).unlink()
            if is_finished:
                place.rmdir()


def _earlier_data(place: Path, what: dict[str, Any], *, overwrite: bool) -> Path | None:
    """Find the data of an earlier call; None if there is none, or it is of something else and may be replaced."""
    try:
        record = json.loads((place / RECORD).read_text("utf-8"))
        earlier_what, data = record["what"], place / record["data"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    now = json.loads(json.dumps(what))
    if earlier_what == now:
        return data if data.is_dir() else None
    if not overwrite:
        differ = sorted(key for key in {*earlier_what, *now} if earlier_what.get(key) != now.get(key))
        raise TargetExistsError(
            f"{str(place)!r} belongs to another call ({', '.join(differ)} differ): repeat that call to complete it, or "
            "give overwrite=True to start anew"
        )
    return None


def _start_anew(place: Path, what: dict[str, Any], prepare: Callable[[Path], object]) -> Path:
    _clear(place)
    # A unique name, so that what a disconnected worker still writes for an earlier call ends up in no target.
    data = place / f"{DATA}{uuid.uuid4().hex}"
    (place / UNFINISHED).mkdir(exist_ok=True)
    prepare(data)
    for entry in data.rglob("*"):
        if entry.is_file():
            with entry.open("r+b") as file:
                os.fsync(file.fileno())
    with atomic_file(place / RECORD, place / UNFINISHED) as file:
        file.write(json.dumps({"what": what, "data": data.name}).encode())
    return data


def _clear(place: Path) -> None:
    """Remove all but the lock: the record first, without which the rest has no meaning."""
    (place / RECORD).unlink(missing_ok=True)
    for entry in place.iterdir():
        if entry.name == UNFINISHED or entry.name.startswith((DATA, REPLACED)):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)  # a disconnected worker may still write there
            else:
                entry.unlink()


@contextlib.contextmanager
def atomic_file(path: Path, unfinished: Path) -> Iterator[BinaryIO]:
    """Give a file to write to, which appears at its path only once complete and on the disk."""
    partial = unfinished / uuid.uuid4().hex
    try:
        with partial.open("wb") as file:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


# ------------------------------------------------------------------------------- frames


def frame_slices(scan: ScanLike, field: int) -> Iterator[slice]:
    """Slices of a field's frames, each of about 64 MiB."""
    shape = scan.fields[field]
    step = frames_at_a_time(shape.height * shape.width * scan.num_channels * scan.dtype.itemsize)
    for start in range(0, scan.num_frames, step):
        yield slice(start, min(scan.num_frames, start + step))
