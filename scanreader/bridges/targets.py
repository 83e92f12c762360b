"""Folders that appear under their names only once complete, and that an interrupted export continues."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from scanreader.bridges.kinds import refuse_other_kind
from scanreader.bridges.safety import checked_target, refuse_existing
from scanreader.bridges.writing import name_folder, sync, sync_folder, typed_disk_full
from scanreader.errors import TargetExistsError
from scanreader.extras import import_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from scanreader.bridges.kinds import Kind

    Progress = Callable[[int], object]
    """Called with the number of bytes that were written since the last call."""


# ------------------------------------------------------------------- resumable folders

RECORD, LOCK, UNFINISHED = "record.json", "lock", "unfinished"
OWN_NAMES = re.compile(r"data-[0-9a-f]{32}|replaced-[0-9a-f]{32}")  # of folders in ``TARGET.partial``


class Partial(NamedTuple):
    """An incomplete folder: it stands in ``TARGET.partial`` until it is complete."""

    data: Path
    """What becomes the target."""
    unfinished: Path
    """Where incomplete files are; on the same file system."""


@contextlib.contextmanager
def resumable_folder(
    path: str | os.PathLike[str],
    kind: Kind,
    request: dict[str, Any],
    prepare: Callable[[Path], object],
    *,
    sources: Iterable[str],
    overwrite: bool,
) -> Iterator[Partial]:
    """Give a folder beside the target, which replaces the target once complete and stays on failure.

    The next call for the same target continues in it: files that exist are complete (see `atomic_file`).

    Parameters
    ----------
    path : path
        The target, a folder.
    kind : Kind
        What is written: only a target of this kind is replaced.
    request : dict
        What is being written, in JSON's types; only a call with the same `request` continues.
    prepare : callable
        Called with the folder when it is new: writes what must exist before all else.
    sources : iterable of str
        The recording's files, which are never replaced.
    overwrite : bool
        Whether the target, or an unfinished one of another recording or with other options, may be replaced.

    Raises
    ------
    PathnameError
        As for `safety.checked_target`; also if ``TARGET.partial`` holds one of the recording's files.
    TargetExistsError
        If the target exists, another call is writing it, or ``TARGET.partial`` belongs to something else.
    DiskFullError
        If there is no room for it.
    """
    target = checked_target(path, sources=sources, overwrite=overwrite, is_folder=True).absolute()
    place = target.with_name(f"{target.name}.partial")
    checked_target(place, sources=sources, overwrite=True, is_folder=True)
    if os.path.lexists(target):
        refuse_other_kind(target, kind)
    place.mkdir(parents=True, exist_ok=True)
    with typed_disk_full(target), _hold_lock(place, target):
        refuse_existing(target, overwrite=overwrite)  # another call may have finished it meanwhile
        data = _earlier_data(place, request, overwrite=overwrite) or _start_anew(place, request, prepare)
        yield Partial(data, place / UNFINISHED)
        for folder in [data, *(entry for entry in data.rglob("*") if entry.is_dir())]:
            sync_folder(folder)  # files are on the disk since they have their names
        name_folder(data, target, kind, overwrite=overwrite)
        sync_folder(target.parent)
        (place / RECORD).unlink()


@contextlib.contextmanager
def _hold_lock(place: Path, target: Path) -> Iterator[None]:
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


def _earlier_data(place: Path, request: dict[str, Any], *, overwrite: bool) -> Path | None:
    """Find the data of an earlier call; None if there is none, or it is of something else and may be replaced."""
    try:
        record = json.loads((place / RECORD).read_text("utf-8"))
        earlier_request, name = record["what"], record["data"]
        if not OWN_NAMES.fullmatch(name):  # a record can name nothing outside
            return None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    data = place / name
    request_in_json = json.loads(json.dumps(request))
    if earlier_request == request_in_json:
        return data if data.is_dir() and not data.is_symlink() else None
    if not overwrite:
        differing_keys = sorted(
            key for key in {*earlier_request, *request_in_json} if earlier_request.get(key) != request_in_json.get(key)
        )
        raise TargetExistsError(
            f"{str(place)!r} belongs to another call ({', '.join(differing_keys)} differ): repeat that call to "
            "complete it, or give overwrite=True to start anew"
        )
    return None


def _start_anew(place: Path, request: dict[str, Any], prepare: Callable[[Path], object]) -> Path:
    _clear(place)
    # A unique name, so that what a disconnected worker still writes for an earlier call ends up in no target.
    data = place / f"data-{uuid.uuid4().hex}"
    (place / UNFINISHED).mkdir(exist_ok=True)
    prepare(data)
    sync(data)
    with atomic_file(place / RECORD, place / UNFINISHED) as file:
        file.write(json.dumps({"what": request, "data": data.name}).encode())
    return data


def _clear(place: Path) -> None:
    """Remove all but the lock: the record first, without which the rest has no meaning."""
    (place / RECORD).unlink(missing_ok=True)
    for entry in place.iterdir():
        if entry.name == UNFINISHED or OWN_NAMES.fullmatch(entry.name):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)  # a disconnected worker may still write there
            else:
                entry.unlink()


@contextlib.contextmanager
def atomic_file(path: Path, unfinished: Path) -> Iterator[BinaryIO]:
    """Give a file to write to, which appears at its path only once complete and on the disk."""
    partial_path = unfinished / uuid.uuid4().hex
    try:
        with partial_path.open("wb") as file:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial_path.replace(path)
    finally:
        partial_path.unlink(missing_ok=True)
