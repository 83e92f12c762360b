"""Names of the files in a folder behind an HTTP URL, from the links of its page."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from scanreader.errors import PathnameError
from scanreader.files.ranges import Target

MOST_LINKS = 50_000  # files of a folder: a recording has some thousand at most
MOST_BYTES = 32 << 20  # of the page
LINK = re.compile(r"""<a\s[^<>]*?\bhref\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)'|([^\s"'<>]+))""", re.IGNORECASE)


def list_files(url: str) -> list[str]:
    """List the URLs of the files that a page links to and that are in its folder.

    Raises
    ------
    PathnameError
        If there is no such page, or it has too many links.
    UnreachableError
        If the server does not answer.
    """
    parts = urlsplit(url)
    folder_url = parts._replace(path=parts.path.rstrip("/") + "/").geturl()
    try:
        data, place = Target(folder_url).page(MOST_BYTES)
    except PathnameError:
        if folder_url == url:
            raise
        data, place = Target(url).page(MOST_BYTES)
    folder = urlsplit(place)
    start = unquote(folder.path).rstrip("/") + "/"
    base = place if folder.path.endswith("/") else folder._replace(path=folder.path + "/").geturl()
    files: dict[str, None] = {}
    for match in LINK.finditer(data.decode("utf-8", "replace")):
        link = html.unescape(next(filter(None, match.groups()), ""))
        try:
            file_url = urldefrag(urljoin(base, link)).url
            parts = urlsplit(file_url)
        except ValueError:  # it is no URL
            continue
        name = unquote(parts.path).removeprefix(start)
        if parts[:2] == folder[:2] and name and "/" not in name and unquote(parts.path).startswith(start):
            files[_with_login(url, file_url)] = None
            if len(files) > MOST_LINKS:
                raise PathnameError(f"{url!r} cannot be listed: it has more than {MOST_LINKS:,} files")
    return sorted(files)


def _with_login(url: str, link: str) -> str:
    """The URL of a file with the login that the folder's URL has."""
    login, at, _ = urlsplit(url).netloc.rpartition("@")
    parts = urlsplit(link)
    return parts._replace(netloc=f"{login}{at}{parts.netloc}").geturl()
