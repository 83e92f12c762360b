"""What the user named → paths: files, globs, folders, lists, URLs."""

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
MOST_NAMES = 5000  # in a folder that are compared with one that is not there


def absolute(pathnames: Any) -> Any:
    """Paths as they are from here, so that they can be looked up again from another folder."""
    if isinstance(pathnames, (str, os.PathLike)) and os.fspath(pathnames).strip():
        return pathnames if is_url(pathnames) else str(Path(pathnames).expanduser().absolute())
    if isinstance(pathnames, Iterable) and not isinstance(pathnames, (str, bytes)) and not hasattr(pathnames, "read"):
        return [absolute(name) for name in pathnames]
    return pathnames


def resolve(pathnames: Any) -> tuple[list[Place], bool]:
    """Turn what was named into files, and tell whether each was named by itself in a list."""
    if isinstance(pathnames, (str, bytes, os.PathLike)):
        return _resolve_one(pathnames), False
    if hasattr(pathnames, "read") or not isinstance(pathnames, Iterable):
        raise PathnameError(f"expected a path, a glob, a directory or a list of them, not {pathnames!r}")
    named = list(pathnames)
    if not named:
        raise PathnameError("the list of files is empty")
    if len(named) == 1:
        return _resolve_one(named[0]), False
    found = [_resolve_one(name) for name in named]
    return [path for paths in found for path in paths], all(len(paths) == 1 for paths in found)


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
    except (OSError, ValueError) as error:  # names that no file system takes
        raise PathnameError(f"{text!r} cannot be looked up: {error}") from None
    if not matches and path.is_dir():
        raise PathnameError(f"the folder {str(path)!r} holds no TIFF file (folders in it are not searched)")
    if not matches:
        what = "no file matches" if glob.has_magic(text) else "there is no file or folder"
        raise PathnameError(f"{what} {text!r} (looked in {str(path.absolute().parent)!r}{_suggestion(path)})")
    return matches


def _suggestion(path: Path) -> str:
    """The name in its folder that a path may have meant."""
    import difflib  # noqa: PLC0415 - for names that are wrong alone

    try:
        names = [p.name for p in itertools.islice(path.absolute().parent.iterdir(), MOST_NAMES)]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, names, 1, 0.8)
    return f"; did you mean {near[0]!r}?" if near else ""


def _resolve_url(url: str) -> list[Place]:
    """Files behind a URL; those of this machine by their paths, which is quicker."""
    if url.lower().startswith("file://"):
        from urllib.request import url2pathname  # noqa: PLC0415 - it brings all of http

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
    """Files that match a pattern; brackets in it may be a part of the name as well."""
    escaped = pattern.replace("[", "[[]")
    names = {name for p in (pattern, escaped) for name in glob.glob(p, recursive=True)}  # noqa: PTH207 - takes absolute patterns
    return sorted(path for path in map(Path, names) if path.is_file())


def refuse_twice(paths: Sequence[Place]) -> None:
    """See that no file was named twice, by whatever path.

    Raises
    ------
    PathnameError
        If one was.
    """
    seen: dict[Place, Place] = {}
    for path in paths:
        real = path.resolve()
        if real in seen:
            also = "" if path == seen[real] else f" (also as {str(seen[real])!r})"
            raise PathnameError(f"{str(path)!r} is named twice{also}")
        seen[real] = path
