"""Whether a target may be written: a path of this machine that is, or holds, no file of the recording."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanreader.errors import PathnameError, TargetExistsError
from scanreader.files.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

URL_IN_A_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[A-Za-z0-9+.-]+)*:/(?!/)")
"""A `pathlib.Path` of a URL, which has one slash: ``Path("s3://bucket/a")`` is ``s3:/bucket/a``."""


def local_target(path: Any) -> Path:
    """Give the path of a target on this machine.

    Raises
    ------
    PathnameError
        If it is not a path, is empty, or is a URL.
    """
    try:
        text = os.fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise PathnameError(f"a target is a path, as text or a pathlib.Path, not {path!r}")
    if not text.strip():
        raise PathnameError("the path of the target is empty: name a file or folder to write")
    if "\0" in text:
        raise PathnameError(f"{text!r} has a NUL character, which no file name can have: name another target")
    if is_url(text) or (not isinstance(path, str) and URL_IN_A_PATH.match(text)):
        raise PathnameError(
            f"{text!r} is a URL, but targets must be on this machine: write the target here, then copy it"
        )
    return Path(text)


def checked_target(path: Any, *, sources: Iterable[str], overwrite: bool, is_folder: bool = False) -> Path:
    """Give the path of a target that may be written; nothing is touched.

    Parameters
    ----------
    path : path
    sources : iterable of str
        The recording's files: they must not be replaced, nor a folder that holds one.
    overwrite : bool
        Whether the target may be replaced.
    is_folder : bool
        Whether the target becomes a folder. A file never replaces a folder, nor a folder a file.

    Raises
    ------
    PathnameError
        If it is not the path of a file or folder on this machine, or if it is or holds one of `sources`.
    TargetExistsError
        If it exists and may not be replaced.
    """
    target = local_target(path)
    if target.name in ("", ".."):
        raise PathnameError(f"{str(path)!r} has no name of its own: name the file or folder to write")
    refuse_sources(target, sources, is_replaced=overwrite)
    _refuse_file_as_folder(target)
    if os.path.lexists(target):
        if target.exists() and not (target.is_dir() if is_folder else target.is_file()):
            kind = "folder" if is_folder else "file"
            raise TargetExistsError(
                f"{str(target)!r} exists and is not a {kind}, so a {kind} never replaces it: name another target"
            )
        refuse_existing(target, overwrite=overwrite)
    return target


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that exists, unless it may be replaced.

    Raises
    ------
    TargetExistsError
    """
    if os.path.lexists(target) and not overwrite:
        raise TargetExistsError(f"{str(target)!r} exists: give overwrite=True (--overwrite) to replace it")


def _refuse_file_as_folder(target: Path) -> None:
    nearest_parent = next((parent for parent in target.parents if parent.exists()), None)
    if nearest_parent is not None and not nearest_parent.is_dir():
        raise PathnameError(f"{str(target)!r} cannot be written: {str(nearest_parent)!r} is a file, not a folder")


# ------------------------------------------------------------------ the recording's own files


def refuse_sources(target: Path, sources: Iterable[str], *, is_replaced: bool = True) -> None:
    """Refuse a target that is one of the recording's files, or a folder that holds one, by any path or link.

    Parameters
    ----------
    target : Path
    sources : iterable of str
        Those behind URLs are skipped.
    is_replaced : bool
        Whether an existing target would be replaced: then links in it to one of the files count too.

    Raises
    ------
    PathnameError
    """
    target_identity = _identity(target)
    if target_identity is None:  # it does not exist, or is a broken link
        return
    paths = [Path(name) for name in sources if not is_url(name)][::-1]  # so that the first of several is named
    files = {identity: path for path in paths if (identity := _identity(path)) is not None}
    if target_identity in files:
        raise PathnameError(_refusal(target, "is", files[target_identity]))
    folders = {parent: path for path in paths for parent in (*path.absolute().parents, *path.resolve().parents)}
    held_source = {_identity(folder): path for folder, path in folders.items()}.get(target_identity)
    if held_source is None and is_replaced:
        held_source = next((files[entry] for entry in map(_identity, _entries(target)) if entry in files), None)
    if held_source is not None:
        raise PathnameError(_refusal(target, "holds", held_source))


def _refusal(target: Path, verb: str, source: Path) -> str:
    return (
        f"{str(target)!r} {verb} {source.name}, a file of the recording itself, which an export never replaces: name "
        "another target"
    )


def _identity(path: str | Path) -> tuple[int, int] | None:
    """What is equal for all paths of a file or folder; None if there is none."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _entries(folder: Path) -> Iterator[str]:
    """Everything in a folder, and in the folders in it."""
    for place, folders, names in os.walk(folder):
        yield from (os.path.join(place, name) for name in (*folders, *names))  # noqa: PTH118 - there may be many
