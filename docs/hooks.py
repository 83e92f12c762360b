"""Inserts generated text into pages when the site is built: the releases, the examples and the changelog."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from scanreader import VERSIONS

ROOT = Path(__file__).resolve().parents[1]


def on_page_markdown(text: str, **_: Any) -> str:
    """Replace each mark on a page by its generated text."""
    return re.sub(r"^<!-- (versions|examples|changelog) -->$", lambda mark: FILLS[mark[1]](), text, flags=re.MULTILINE)


def versions() -> str:
    """Return a table of all releases."""
    rows = [f"| {r.name} | {r.container} | `{r.scan.__name__}` | {r.evidence} |" for r in VERSIONS]
    return "\n".join(["| ScanImage | file | read by | checked by |", "|---|---|---|---|", *rows])


def examples() -> str:
    """Return all examples: the description, the code and the output of each."""
    return "\n\n".join(example(path) for path in sorted((ROOT / "examples").glob("*.py")))


def example(path: Path) -> str:
    """Return the description, the code and the output of an example."""
    description, _, code = path.read_text("utf-8").removeprefix('"""').partition('"""')
    parts = [f"## {path.name}", description.strip(), f"```python\n{code.strip()}\n```"]
    utf8 = {**os.environ, "PYTHONUTF8": "1"}
    process = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, path], stdout=subprocess.PIPE, encoding="utf-8", check=True, env=utf8
    )
    return "\n\n".join([*parts, f"```text\n{process.stdout.strip()}\n```"])


def changelog() -> str:
    """Return the changelog without its title."""
    return (ROOT / "CHANGELOG.md").read_text("utf-8").partition("\n")[2]


FILLS = {"versions": versions, "examples": examples, "changelog": changelog}
