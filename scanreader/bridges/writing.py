"""Files and folders that appear under their final name only once complete and on the disk, one writer a name."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import re
import shutil
import uuid
from typing import IO, TYPE_CHECKING, Any

from scanreader.bridges.kinds import refuse_other_kind
from scanreader.bridges.safety import checked_target
from scanreader.errors import DiskFullError, ScanReaderError, TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scanreader.bridges.kinds import Kind

LOCK = re.compile(r"\.partial-[0-9a-f]{32}\.lock")
"""Name of the lock of what is being written. It is unique: containers share disks and process numbers."""
FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
ATTEMPTS = 20  # to be quicker than other calls for the same target
LITTLE = 1 << 20  # bytes: some libraries raise an error without a number where the disk is full


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str], kind: Kind, *, sources: Iterable[str], overwrite: bool) -> Iterator[Path]:
    """Give a temporary path beside a target, which gets the target's name once complete and on the disk.

    On failure it is removed. An earlier target stays until then.

    Parameters
    ----------
    path : path
    kind : Kind
        What is written: a file or a folder. Only a target of this kind is replaced.
    sources : iterable of str
        The recording's files, which are never replaced.
    overwrite : bool
        Whether the target may be replaced.

    Raises
    ------
    PathnameError, TargetExistsError
        As for `safety.checked_target`; also if the target is of another kind, or another call wrote it meanwhile.
    DiskFullError
        If there is no room for it.
    """
    is_folder = kind.own_names is not None
    target = checked_target(path, sources=sources, overwrite=overwrite, is_folder=is_folder)
    if os.path.lexists(target):
        with contextlib.suppress(FileNotFoundError):  # another call moves it just now
            refuse_other_kind(target, kind)
    with _make_parents(target), _partial_beside(target) as partial_path, typed_disk_full(target):
        yield partial_path
        sync(partial_path)
        if is_folder:
            name_folder(partial_path, target, kind, overwrite=overwrite)
        else:
            _name_file(partial_path, target, kind, overwrite=overwrite)
        sync_folder(target.parent)


@contextlib.contextmanager
def typed_disk_full(target: Path) -> Iterator[None]:
    """Raise a DiskFullError in place of an error of the system, or of a library, that has this cause.

    Raises
    ------
    DiskFullError
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, ScanReaderError) or not (error.errno in FULL or _free_bytes(target) < LITTLE):
            raise
        raise DiskFullError(
            f"there is no room left for {str(target)!r}: free some, or name a target on another disk"
        ) from error


def _free_bytes(target: Path) -> float:
    """Free bytes of the disk of a target; infinite if unknown."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(next(folder for folder in target.absolute().parents if folder.exists())).free
    return math.inf


# ---------------------------------------------------------------------- the final name


def _taken_error(target: Path) -> TargetExistsError:
    return TargetExistsError(
        f"{str(target)!r} appeared while this call was writing: another one wrote it. Nothing was replaced; give "
        "overwrite=True (--overwrite) to replace it"
    )


def _name_file(partial_path: Path, target: Path, kind: Kind, *, overwrite: bool) -> None:
    """Give a complete file its name; without `overwrite`, nothing is ever replaced."""
    if overwrite:
        with contextlib.suppress(FileNotFoundError):
            refuse_other_kind(target, kind)  # it may have appeared meanwhile
        partial_path.replace(target)
        return
    try:
        if os.name == "nt":
            partial_path.rename(target)  # which fails if the target exists
        else:
            os.link(partial_path, target)  # the same; on other systems, a rename would replace it
    except FileExistsError:
        raise _taken_error(target) from None
    except OSError:  # a file system without links
        try:
            target.open("xb").close()  # claims the name
        except FileExistsError:
            raise _taken_error(target) from None
        partial_path.replace(target)


def name_folder(partial_path: Path, target: Path, kind: Kind, *, overwrite: bool) -> None:
    """Give a complete folder its name; an earlier one is removed only then, and comes back if that fails."""
    for _ in range(ATTEMPTS):
        earlier_target = target.with_name(f".replaced-{uuid.uuid4().hex}")
        if overwrite:
            with contextlib.suppress(FileNotFoundError):  # there is none, or another call moves it just now
                refuse_other_kind(target, kind)
                target.rename(earlier_target)
        elif os.path.lexists(target):
            raise _taken_error(target)
        try:
            partial_path.rename(target)
        except OSError:
            if not os.path.lexists(target):
                if earlier_target.exists():
                    earlier_target.rename(target)
                raise
            remove(earlier_target)  # another call was quicker, whose target is replaced in turn
        else:
            remove(earlier_target)
            return
    raise _taken_error(target)


def sync(path: Path) -> None:
    """Wait until a file, or all files of a folder, are on the disk."""
    if not path.is_dir():
        with path.open("r+b") as file:
            os.fsync(file.fileno())
        return
    for entry in path.rglob("*"):
        sync_folder(entry) if entry.is_dir() else sync(entry)
    sync_folder(path)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can say that."""
    with contextlib.suppress(OSError):  # Windows does not open folders
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# ------------------------------------------------------------------- while it is written


@contextlib.contextmanager
def _make_parents(target: Path) -> Iterator[None]:
    """Make the folders that the target is in; after a failure, those that were made are removed."""
    new_folders = [folder for folder in target.absolute().parents if not folder.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    is_complete = False
    try:
        yield
        is_complete = True
    finally:
        with contextlib.suppress(OSError):  # another call may have written there
            for folder in new_folders if not is_complete else ():
                folder.rmdir()


@contextlib.contextmanager
def _partial_beside(target: Path) -> Iterator[Path]:
    """Give a temporary path in the target's folder; what is left there at the end is removed.

    A lock, which the system releases however the process ends, tells it from what a killed process left behind.
    """
    _remove_leftovers(target.parent)
    place, lock = _locked_name(target.parent)
    partial_path = target.with_name(f"{place.stem}-{target.name[-40:]}")
    with lock:
        try:
            yield partial_path
        finally:
            remove(partial_path)
            if os.name != "nt":
                place.unlink(missing_ok=True)
    place.unlink(missing_ok=True)


def _locked_name(folder: Path) -> tuple[Path, IO[bytes]]:
    """Make a file of a new name in a folder and lock it: its path, and the open file."""
    for _ in range(ATTEMPTS):
        place = folder / f".partial-{uuid.uuid4().hex}.lock"
        lock = place.open("xb")
        if _lock(lock) and place.exists():  # else another call took it for a leftover, just before it was locked
            return place, lock
        lock.close()
        place.unlink(missing_ok=True)
    place = folder / f".partial-{uuid.uuid4().hex}.lock"  # on a file system without locks
    return place, place.open("xb")


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left in a folder: partial files whose lock nobody holds."""
    for place in folder.glob(".partial-*.lock"):
        if not LOCK.fullmatch(place.name):
            continue
        with contextlib.suppress(OSError):  # it has gone, or is not ours to remove
            with place.open("r+b") as lock:
                if not _lock(lock):
                    continue
                for partial_path in folder.glob(f"{place.stem}-*"):
                    remove(partial_path)
            place.unlink()


def _lock(file: IO[bytes]) -> bool:
    """Lock a file without waiting; whether that was possible. On a file system without locks, it was not."""
    try:
        if os.name == "nt":
            _lock_on_windows(file)
        else:
            import fcntl  # noqa: PLC0415 - of POSIX systems

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (OSError, ImportError):
        return False
    return True


def _lock_on_windows(file: IO[bytes]) -> None:
    import msvcrt  # noqa: PLC0415 - of Windows

    windows: Any = msvcrt
    windows.locking(file.fileno(), windows.LK_NBLCK, 1)
