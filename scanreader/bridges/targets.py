"""Files that are written whole or not at all, and frames on their way there."""

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
    """Is told how many more bytes were written."""


class Interruption:
    """Ctrl-C while something is written: it is put down, and raised where `ask` is called, or at the end.

    Callbacks of libraries that write files may swallow Python's own. Only the main thread hears of Ctrl-C.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._before: Any = None

    def ask(self) -> None:
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
            self.ask()


@contextlib.contextmanager
def written(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Give a name beside the target to write to; it takes the target's place when all is written, else it is removed.

    Raises
    ------
    TargetExistsError
        If the target is there and is not to be overwritten.
    """
    target = local(path)
    _refuse_existing(target, overwrite=overwrite)
    made = not target.parent.exists()
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
        if made:
            with contextlib.suppress(OSError):  # it has the target in it
                target.parent.rmdir()


def local(path: str | os.PathLike[str]) -> Path:
    """A target on this machine.

    Raises
    ------
    PathnameError
        If it is a URL.
    """
    if is_url(os.fspath(path)):
        raise PathnameError(
            f"{os.fspath(path)!r} is a URL, and targets are on this machine: write it here, then copy it"
        )
    return Path(path)


def _refuse_existing(target: Path, *, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise TargetExistsError(f"{str(target)!r} exists: give overwrite=True (--overwrite) to replace it")


# ------------------------------------------------------------- what can be gone on with

RECORD, LOCK, UNFINISHED = "record.json", "lock", "unfinished"
DATA, REPLACED = "data-", "replaced-"  # what names begin with


class Partial(NamedTuple):
    """A folder on its way: it stands in ``TARGET.partial`` until it is whole."""

    data: Path
    """What becomes the target."""
    unfinished: Path
    """Where files are that are not whole yet; on the same file system."""


@contextlib.contextmanager
def resumable(
    path: str | os.PathLike[str], what: dict[str, Any], prepare: Callable[[Path], object], *, overwrite: bool
) -> Iterator[Partial]:
    """Give a folder beside the target to write to; it takes the target's place when all is written, else it stays.

    The next call for the same target goes on in it: a file is there if it is whole (see `put_down`).

    Parameters
    ----------
    path : path
        The target, a folder.
    what : dict
        What is being written, in JSON's types; only a call that says the same goes on.
    prepare : callable
        Is given the folder by the call that begins: writes what must be there before all else.
    overwrite : bool
        Whether the target, or a part of something else that is on its way there, may be replaced.

    Raises
    ------
    TargetExistsError
        If the target is there, another call is writing it, or a part of something else is on its way there.
    """
    target = local(path).absolute()
    _refuse_existing(target, overwrite=overwrite)
    place = target.with_name(f"{target.name}.partial")
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place, target):
        _refuse_existing(target, overwrite=overwrite)  # another call may have finished it meanwhile
        data = _begun(place, what, overwrite=overwrite) or _begin(place, what, prepare)
        yield Partial(data, place / UNFINISHED)
        if os.path.lexists(target):
            target.rename(place / f"{REPLACED}{uuid.uuid4().hex}")
        data.rename(target)
        (place / RECORD).unlink()


@contextlib.contextmanager
def _locked(place: Path, target: Path) -> Iterator[None]:
    """Hold a lock that the system takes back when this process ends, however it does.

    If no record is left, there is nothing to go on with, and the folder goes.
    """
    filelock = import_extra("filelock", "zarr")
    lock = filelock.FileLock(place / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise TargetExistsError(f"{str(target)!r} is being written by another call; wait for its end") from None
    try:
        yield
    finally:
        over = not (place / RECORD).exists()
        if over:
            _clear(place)
        if over and os.name != "nt":  # while it is held: who waits for it sees that it is gone
            (place / LOCK).unlink()
        lock.release()
        with contextlib.suppress(OSError):  # another call may have begun there
            if over and os.name == "nt":
                (place / LOCK).unlink()
            if over:
                place.rmdir()


def _begun(place: Path, what: dict[str, Any], *, overwrite: bool) -> Path | None:
    """Find what an earlier call began; None if there is nothing, or something else that may be replaced."""
    try:
        record = json.loads((place / RECORD).read_text("utf-8"))
        begun, data = record["what"], place / record["data"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    now = json.loads(json.dumps(what))
    if begun == now:
        return data if data.is_dir() else None
    if not overwrite:
        differ = sorted(key for key in {*begun, *now} if begun.get(key) != now.get(key))
        raise TargetExistsError(
            f"{str(place)!r} is a part of something else ({', '.join(differ)} differ): go on with what it was begun "
            "with, or give overwrite=True to begin anew"
        )
    return None


def _begin(place: Path, what: dict[str, Any], prepare: Callable[[Path], object]) -> Path:
    _clear(place)
    # A name of its own: what a worker that lost touch still writes for an earlier call ends up in no target.
    data = place / f"{DATA}{uuid.uuid4().hex}"
    (place / UNFINISHED).mkdir(exist_ok=True)
    prepare(data)
    for one in data.rglob("*"):
        if one.is_file():
            with one.open("r+b") as file:
                os.fsync(file.fileno())
    with put_down(place / RECORD, place / UNFINISHED) as file:
        file.write(json.dumps({"what": what, "data": data.name}).encode())
    return data


def _clear(place: Path) -> None:
    """Remove what was written here, but for the lock: the record first, without which the rest is nothing."""
    (place / RECORD).unlink(missing_ok=True)
    for one in place.iterdir():
        if one.name == UNFINISHED or one.name.startswith((DATA, REPLACED)):
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one, ignore_errors=True)  # a worker that lost touch may write there still
            else:
                one.unlink()


@contextlib.contextmanager
def put_down(path: Path, unfinished: Path) -> Iterator[BinaryIO]:
    """Give a file to write to; it has its name once it is whole and on the disk, or never."""
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


def steps(scan: ScanLike, field: int) -> Iterator[slice]:
    """Frames of a field, as many at a time as take about 64 MiB."""
    shape = scan.fields[field]
    step = frames_at_a_time(shape.height * shape.width * scan.num_channels * scan.dtype.itemsize)
    for start in range(0, scan.num_frames, step):
        yield slice(start, min(scan.num_frames, start + step))
