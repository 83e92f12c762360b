"""Opens files, local or behind a URL."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from scanreader.extras import import_extra
from scanreader.files.local import Identity, OpenFile, refuse_other_than_file
from scanreader.files.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Iterator

START = 64 << 10  # bytes of a file that is kept open, which are read at once: the header and the first pages
_thread_local = threading.local()


@contextlib.contextmanager
def kept_open(path: str) -> Iterator[None]:
    """Keep a local file open: what opens it meanwhile in this thread gets the same open file, and shares its start.

    Every call may take milliseconds on a share, and opening a recording needs the same few pages several times.
    """
    if is_url(path) or getattr(_thread_local, "file", None) is not None:
        yield
        return
    with open_file(path) as file:
        file.keep_start(START)
        _thread_local.file = file
        try:
            yield
        finally:
            _thread_local.file = None


def open_file(path: str | Path, *, refresh: bool = True) -> OpenFile:
    """Open a local file or one behind a URL.

    Parameters
    ----------
    refresh : bool
        Whether to look at the path before, and to ask a server again for size and version, even if they were fetched a
        moment ago; not needed for a file that was open just now.

    Raises
    ------
    PathnameError
        If the file cannot be opened.
    """
    thread_file = getattr(_thread_local, "file", None)
    if thread_file is not None and thread_file.path == os.fspath(path):
        shared_file: OpenFile = thread_file.share()
        return shared_file
    if isinstance(path, str) and is_url(path):
        from scanreader.files.servers import is_http  # noqa: PLC0415 - local paths do not need it

        if is_http(path):
            import_extra("urllib3", "remote")
            from scanreader.files.http import HttpFile  # noqa: PLC0415 - needs an extra

            return HttpFile(path, refresh=refresh)
        from scanreader.files.remote import RemoteFile  # noqa: PLC0415 - needs an extra

        return RemoteFile(path, refresh=refresh)
    if refresh:
        refuse_other_than_file(path)
    return OpenFile(path)


def identify(path: str) -> Identity:
    """Return the current identity of a file, without opening it where that is quicker."""
    if is_url(path):
        with open_file(path) as file:
            return file.identity
    status = Path(path).stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
