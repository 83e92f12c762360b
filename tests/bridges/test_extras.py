"""Extras: what an error says to install installs what is missing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from common import VOLUME
from typer.testing import CliRunner

from scanreader import MissingExtraError, read_scan
from scanreader.cli.commands import app
from scanreader.extras import import_extra

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"dask": "dask[array]", "fsspec": "fsspec[http]", "aiohttp": "fsspec[http]"}
"""What installs a module, where it is not the distribution of its name."""


class Need(NamedTuple):
    """A call of `import_extra`."""

    module: str
    extra: str
    place: str


def needs() -> list[Need]:
    """Every call in the package."""
    calls = []
    for path in sorted((ROOT / "scanreader").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_extra"):
                module, extra = map(ast.literal_eval, node.args)
                calls.append(Need(module, extra, f"{path.relative_to(ROOT)}:{node.lineno}"))
    return calls


def requirements(extra: str) -> set[str]:
    """Distributions that an extra installs, also by the extras that it names; without versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names: set[str] = set()
    for requirement in project["optional-dependencies"][extra]:
        name = re.match(r"[\w.-]+(\[[\w,-]+\])?", requirement)
        assert name is not None
        nested_extras = re.fullmatch(r"scanreader\[(.*)\]", name[0])
        names |= set().union(*map(requirements, nested_extras[1].split(","))) if nested_extras else {name[0]}
    return names


def test_calls_are_found() -> None:
    assert len(needs()) > 10
    assert {"distributed", "filelock", "pynwb", "matplotlib"} <= {need.module for need in needs()}
    assert requirements("report") == {"jinja2", "matplotlib"}


@pytest.mark.parametrize("need", needs(), ids=lambda need: f"{need.module} at {need.place}")
def test_the_extra_that_is_named_installs_the_module(need: Need) -> None:
    name = need.module.partition(".")[0]
    assert DISTRIBUTIONS.get(name, name) in requirements(need.extra)


def test_all_is_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {*project["optional-dependencies"]}
    for_people = extras - {"all", "test", "ecosystem", "neuroconv", "fuzz", "docs"}
    assert requirements("all") == set().union(*map(requirements, for_people))


def test_a_missing_distributed_is_one_true_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("zarr")
    paths = VOLUME.write(tmp_path / "raw")
    monkeypatch.setitem(sys.modules, "distributed", None)
    sentence = "this needs distributed: pip install 'scanreader[dask]'"
    with read_scan(paths) as scan, pytest.raises(MissingExtraError, match=re.escape(sentence)):
        scan.to_ome_zarr(tmp_path / "a.zarr", client=object())
    words = ["convert", *map(str, paths), str(tmp_path / "b.zarr"), "--dask", "tcp://nowhere:1"]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, sentence in result.stderr) == (1, True)


def test_a_library_that_breaks_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breaks.py").write_text("import nothing_of_this_name")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        import_extra("breaks", "zarr")
    with pytest.raises(MissingExtraError, match=re.escape("this needs nothing: pip install 'scanreader[zarr]'")):
        import_extra("nothing.of.this", "zarr")
