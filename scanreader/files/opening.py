"""Opens files, local or behind a URL."""

from __future__ import annotations

from pathlib import Path

from scanreader.files.local import Identity, OpenFile
from scanreader.files.urls import is_url


def open_file(path: str | Path, *, refresh: bool = True) -> OpenFile:
    """Open a local file or one behind a URL.

    Parameters
    ----------
    refresh : bool
        Whether to ask the server again for size and version, even if they were fetched a moment ago.

    Raises
    ------
    PathnameError
        If the file cannot be opened.
    """
    if isinstance(path, str) and is_url(path):
        from scanreader.files.remote import RemoteFile  # noqa: PLC0415 - needs an extra

        return RemoteFile(path, refresh=refresh)
    return OpenFile(path)


def identify(path: str) -> Identity:
    """Return the current identity of a file, without opening it where that is quicker."""
    if is_url(path):
        with open_file(path) as file:
            return file.identity
    status = Path(path).stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
