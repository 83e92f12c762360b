"""Pathnames → files: a pathname is a file, a glob, a folder, a URL or a list of them."""

from __future__ import annotations

import errno
import glob
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanreader.errors import PathnameError
from scanreader.files.ahead import results_in_order
from scanreader.files.urls import is_url
from scanreader.scanimage.line_suffixes import SUFFIXES as LINE_SCAN_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanreader.files.servers import Url

    Pathname = str | os.PathLike[str]
    Place = Path | Url

SUFFIXES = (".tif", ".tiff")
BESIDE = {
    "*.stim": "scan.photostim.log",
    "*_IntegrationRois_*.csv": "scan.integration",
    "*_Motion_*.csv": "scan.motion",
}
"""What a scan has of the files that ScanImage writes beside it, by their names."""
SIMILAR = 0.7  # as my_scan.tif is to my_scan_00001.tif
MOST_NAMES = 5000  # of a folder that are compared with a name that is missing in it


def absolute(pathnames: Any) -> Any:
    """Make paths absolute, so that they can be opened again when the working directory has changed."""
    if isinstance(pathnames, (str, os.PathLike)) and os.fspath(pathnames).strip():
        return pathnames if is_url(pathnames) else str(Path(pathnames).expanduser().absolute())
    if isinstance(pathnames, Iterable) and not isinstance(pathnames, (str, bytes)) and not hasattr(pathnames, "read"):
        return [absolute(name) for name in pathnames]
    return pathnames


def resolve(pathnames: Any) -> list[list[Place]]:
    """Find the files of pathnames: those of each entry, where they are a list."""
    if isinstance(pathnames, (str, bytes, os.PathLike)):
        return [_resolve_one(pathnames)]
    if hasattr(pathnames, "read") or not isinstance(pathnames, Iterable):
        raise PathnameError(f"expected a path, a glob, a directory or a list of them, not {pathnames!r}")
    names = list(pathnames)
    if not names:
        raise PathnameError("the list of files is empty")
    return results_in_order(_resolve_one, names)


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
        kind = _kind(path)
        if kind == "folder":
            paths = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            matches: list[Place] = list(itertools.compress(paths, results_in_order(_is_file, paths)))
        else:
            matches = [path] if kind else [*_glob(str(path))]
    except (OSError, ValueError) as error:  # names that no file system allows
        raise PathnameError(f"{text!r} cannot be looked up: {error}") from None
    for match in [*matches, *(sorted(path.iterdir()) if not matches and kind == "folder" else ())]:
        if match.name.endswith(LINE_SCAN_SUFFIXES):
            raise PathnameError(
                f"{str(match)!r} is a file of a line scan, which has no pages: give it to "
                "scanreader.read_line_scan, or on the command line to scanreader info or convert"
            )
        attributes = [name for pattern, name in BESIDE.items() if _is_no_tiff(match) and match.match(pattern)]
        if attributes:
            raise PathnameError(
                f"{str(match)!r} is a file beside a recording, without pages: read the recording, and "
                f"{attributes[0]} has what is in it"
            )
    if not matches and kind == "folder":
        raise PathnameError(
            f"the folder {str(path)!r} holds no TIFF file. Folders in it are not searched: "
            "scanreader.find_recordings (on the command line, scanreader list) shows what they hold"
        )
    if not matches:
        problem = "no file matches" if glob.has_magic(text) else "there is no file or folder"
        if glob.has_magic(text) and glob.glob(str(path)):  # noqa: PTH207 - takes absolute patterns
            raise PathnameError(f"{problem} {text!r}, but folders do: name one of them, or give a list of them")
        raise PathnameError(f"{problem} {text!r} (looked in {str(path.absolute().parent)!r}{_suggestion(path)})")
    return matches


def _is_no_tiff(path: Place) -> bool:
    return path.suffix.lower() not in SUFFIXES


def _suggestion(path: Path) -> str:
    """A question that offers the most similar name of the folder; '' if none is similar."""
    import difflib  # noqa: PLC0415 - needed for wrong names only

    try:
        names = [p.name for p in itertools.islice(path.absolute().parent.iterdir(), MOST_NAMES)]
    except (OSError, ValueError):
        return ""
    similar_names = difflib.get_close_matches(path.name, names, 1, SIMILAR)
    return f"; did you mean {similar_names[0]!r}?" if similar_names else ""


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
    """Files that match a pattern, whose brackets are also taken as a part of the name.

    Pipes and devices are among them: to leave them out in silence might hide a part of a recording.
    """
    escaped_pattern = pattern.replace("[", "[[]")
    names = {
        name
        for p in (pattern, escaped_pattern)
        for folder_pattern in _without_stars(p)
        for name in glob.glob(folder_pattern)  # noqa: PTH207 - takes absolute patterns
    }
    paths = sorted(map(Path, names))
    return [path for path, is_folder in zip(paths, results_in_order(Path.is_dir, paths), strict=True) if not is_folder]


def _without_stars(pattern: str) -> Iterator[str]:
    """Patterns of one folder each, for a pattern with ``**``.

    A folder is searched once, however many links lead to it: `glob` follows circles of links until names get too long.
    """
    head, stars, tail = _split_stars(pattern)
    if not stars:
        yield pattern
        return
    identities: set[tuple[int, int]] = set()
    for base in glob.glob(head) if head else [""]:  # noqa: PTH207 - takes absolute patterns
        folders = [base]
        while folders:
            folder = folders.pop()
            try:
                status = os.stat(folder or os.curdir)  # noqa: PTH116 - the same path as text is needed
                if (status.st_dev, status.st_ino) in identities:
                    continue
                names = sorted(os.listdir(folder or os.curdir), reverse=True)  # noqa: PTH208 - see above
            except OSError:  # no folder, or one that may not be searched
                continue
            identities.add((status.st_dev, status.st_ino))
            inner_paths = (os.path.join(folder, name) for name in names if name[0] != ".")  # noqa: PTH118
            folders += [path for path in inner_paths if os.path.isdir(path)]  # noqa: PTH112
            yield from _without_stars(os.path.join(glob.escape(folder), tail or "*"))  # noqa: PTH118


def _split_stars(pattern: str) -> tuple[str, str, str]:
    """The parts of a pattern before and after its first ``**``, if that is a whole name."""
    names = Path(pattern).parts
    if "**" not in names:
        return pattern, "", ""
    index = names.index("**")
    head, tail = (str(Path(*part)) if part else "" for part in (names[:index], names[index + 1 :]))
    return head, "**", tail


def _kind(path: Path) -> str:
    """What is at a path, in as few calls as can be: ``"folder"``, ``"file"`` (of any kind, or a link), or ``""``.

    Raises
    ------
    ValueError
        If no file system allows the name.
    """
    try:
        return "folder" if stat.S_ISDIR(path.stat().st_mode) else "file"
    except OSError:
        return "file" if path.is_symlink() else ""


def _is_file(path: Path) -> bool:
    return path.is_file() or (path.is_symlink() and not path.exists())


def is_dangling(path: Place) -> bool:
    """Whether a path is a link to a file that is not here, as git-annex has it before ``get``."""
    if not isinstance(path, Path) or not path.is_symlink():
        return False
    try:
        path.stat()
    except OSError as error:
        return error.errno != errno.ELOOP  # links in a circle lead to no file anywhere
    return False


def real_path(path: Place) -> Place:
    """The path without links; links in a circle stay, which `Path.resolve` refuses before Python 3.13."""
    return Path(os.path.realpath(path)) if isinstance(path, Path) else path.resolve()


def refuse_duplicates(paths: Sequence[Place]) -> None:
    """Check that no file is named twice, also by different paths.

    Raises
    ------
    PathnameError
        If a file is named twice.
    """
    path_by_real_path: dict[str, Place] = {}
    folders: dict[Path, str] = {}
    for path, is_link in zip(paths, results_in_order(_may_be_link, paths), strict=True):
        if is_link or not isinstance(path, Path):
            real_name = str(real_path(path))
        else:
            folder = folders.get(path.parent) or folders.setdefault(path.parent, str(real_path(path.parent)))
            real_name = os.path.join(folder, path.name)  # noqa: PTH118 - a Path takes 5 us more
        if real_name in path_by_real_path:
            other_path = (
                "" if path == path_by_real_path[real_name] else f" (also as {str(path_by_real_path[real_name])!r})"
            )
            raise PathnameError(f"{str(path)!r} is named twice{other_path}")
        path_by_real_path[real_name] = path


def _may_be_link(path: Place) -> bool:
    """Whether other names may lead to the same file; Windows ignores case in names."""
    return isinstance(path, Path) and (os.name == "nt" or path.is_symlink())
