"""Pathnames → files: a pathname is a file, a glob, a folder, a URL or a list of them."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanreader.errors import PathnameError
from scanreader.files.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.files.servers import Url

    Pathname = str | os.PathLike[str]
    Place = Path | Url

SUFFIXES = (".tif", ".tiff")
MOST_NAMES = 5000  # of a folder that are compared with a name that is missing in it


def absolute(pathnames: Any) -> Any:
    """Make paths absolute, so that they can be opened again when the working directory has changed."""
    if isinstance(pathnames, (str, os.PathLike)) and os.fspath(pathnames).strip():
        return pathnames if is_url(pathnames) else str(Path(pathnames).expanduser().absolute())
    if isinstance(pathnames, Iterable) and not isinstance(pathnames, (str, bytes)) and not hasattr(pathnames, "read"):
        return [absolute(name) for name in pathnames]
    return pathnames


def resolve(pathnames: Any) -> tuple[list[Place], bool]:
    """Find the files of pathnames, and tell whether a list of several named each file singly."""
    if isinstance(pathnames, (str, bytes, os.PathLike)):
        return _resolve_one(pathnames), False
    if hasattr(pathnames, "read") or not isinstance(pathnames, Iterable):
        raise PathnameError(f"expected a path, a glob, a directory or a list of them, not {pathnames!r}")
    names = list(pathnames)
    if not names:
        raise PathnameError("the list of files is empty")
    if len(names) == 1:
        return _resolve_one(names[0]), False
    matches = [_resolve_one(name) for name in names]
    return [path for paths in matches for path in paths], all(len(paths) == 1 for paths in matches)


def _resolve_one(name: Any) -> list[Place]:
    if not isinstance(name, (str, bytes, os.PathLike)):
        raise PathnameError(f"expected a path, a glob or a directory, not {name!r}")
    text = os.fsdecode(name)
    if not text.strip():
        raise PathnameError("the path is empty")
    if is_url(text):
        return _resolve_url(text)
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            matches: list[Place] = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
        else:
            matches = [path] if path.exists() else [*_glob(str(path))]
    except (OSError, ValueError) as error:  # names that no file system allows
        raise PathnameError(f"{text!r} cannot be looked up: {error}") from None
    if not matches and path.is_dir():
        raise PathnameError(f"the folder {str(path)!r} holds no TIFF file (folders in it are not searched)")
    if not matches:
        problem = "no file matches" if glob.has_magic(text) else "there is no file or folder"
        raise PathnameError(f"{problem} {text!r} (looked in {str(path.absolute().parent)!r}{_suggestion(path)})")
    return matches


def _suggestion(path: Path) -> str:
    """A question that offers the most similar name of the folder; '' if none is similar."""
    import difflib  # noqa: PLC0415 - needed for wrong names only

    try:
        names = [p.name for p in itertools.islice(path.absolute().parent.iterdir(), MOST_NAMES)]
    except (OSError, ValueError):
        return ""
    similar = difflib.get_close_matches(path.name, names, 1, 0.8)
    return f"; did you mean {similar[0]!r}?" if similar else ""


def _resolve_url(url: str) -> list[Place]:
    """Files behind a URL; those of ``file://`` URLs as paths, which are quicker to read."""
    if url.lower().startswith("file://"):
        from urllib.request import url2pathname  # noqa: PLC0415 - it imports all of http

        host, slash, path = url[len("file://") :].partition("/")
        if host not in ("", "localhost"):
            raise PathnameError(f"{url!r} names a file of another machine ({host}): give its path")
        return _resolve_one(url2pathname(slash + path))
    from scanreader.files.servers import expand  # noqa: PLC0415 - an extra

    matches = expand(url, SUFFIXES)
    if not matches:
        raise PathnameError(f"nothing is found at {url!r}")
    return list(matches)


def _glob(pattern: str) -> list[Path]:
    """Files that match a pattern, whose brackets are also taken as a part of the name."""
    escaped = pattern.replace("[", "[[]")
    names = {name for p in (pattern, escaped) for name in glob.glob(p, recursive=True)}  # noqa: PTH207 - takes absolute patterns
    return sorted(path for path in map(Path, names) if path.is_file())


def refuse_duplicates(paths: Sequence[Place]) -> None:
    """Check that no file is named twice, also by different paths.

    Raises
    ------
    PathnameError
        If a file is named twice.
    """
    seen: dict[Place, Place] = {}
    for path in paths:
        resolved = path.resolve()
        if resolved in seen:
            also = "" if path == seen[resolved] else f" (also as {str(seen[resolved])!r})"
            raise PathnameError(f"{str(path)!r} is named twice{also}")
        seen[resolved] = path
