"""Fills in, when the site is built, what the repository knows better than a page: releases, examples, changes."""

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
    """Replace each mark of a page by what it stands for."""
    return re.sub(r"^<!-- (versions|examples|changelog) -->$", lambda mark: FILLS[mark[1]](), text, flags=re.MULTILINE)


def versions() -> str:
    """Every release, as a table."""
    rows = [f"| {r.name} | {r.container} | `{r.scan.__name__}` | {r.evidence} |" for r in VERSIONS]
    return "\n".join(["| ScanImage | file | read by | checked by |", "|---|---|---|---|", *rows])


def examples() -> str:
    """Every example: what it is about, its code and what it prints."""
    return "\n\n".join(example(path) for path in sorted((ROOT / "examples").glob("*.py")))


def example(path: Path) -> str:
    """Give an example by itself, with what it prints."""
    about, _, code = path.read_text("utf-8").removeprefix('"""').partition('"""')
    parts = [f"## {path.name}", about.strip(), f"```python\n{code.strip()}\n```"]
    utf8 = {**os.environ, "PYTHONUTF8": "1"}
    done = subprocess.run(  # noqa: S603 - our own examples
        [sys.executable, path], stdout=subprocess.PIPE, encoding="utf-8", check=True, env=utf8
    )
    return "\n\n".join([*parts, f"```text\n{done.stdout.strip()}\n```"])


def changelog() -> str:
    """What changed, without the file's own title."""
    return (ROOT / "CHANGELOG.md").read_text("utf-8").partition("\n")[2]


FILLS = {"versions": versions, "examples": examples, "changelog": changelog}
