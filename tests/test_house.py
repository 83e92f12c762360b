"""The rules of the house (CONTRIBUTING.md draws it), read off the code: who may import whom, and what nobody does."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "scanreader"

FLOORS = (
    ("scanreader", "__main__"),
    ("cli",),
    ("plugins", "compat", "core"),
    ("recordings",),
    ("reader", "line_scans"),
    ("agreement",),
    ("releases",),
    ("scans",),
    ("exports",),
    ("view",),
    ("bridges",),
    ("check", "live", "phase"),
    ("simulate",),
    ("naming", "line_files"),
    ("paths",),
    ("recording",),
    ("scanimage",),
    ("tiff",),
    ("files",),
    ("keys", "chunks", "extras", "notices", "tables", "version"),
    ("texts", "exceptions"),
    ("errors",),
)
"""From the top down: a module imports what is on its own floor in its own package, and what is below."""

MOST_LINES, MOST_OF_SCAN = 500, 350
FORBIDDEN_NAMES = ("__dict__", "catch_warnings")
READS_WITH_TIFFFILE = {
    "scanreader.tiff.decoding",
    "scanreader.bridges.verification.ome_tiff",
    "scanreader.bridges.verification.tiff",
}
WRITES_WITH_TIFFFILE = {"TiffWriter", "TiffFileError", "OmeXml", "OmeXmlError", "matlabstr2py", "__version__"}
"""What other modules use of tifffile: they write, or parse a text."""


def modules() -> dict[str, Path]:
    """Names of all modules of the package, and their files."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules()
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}


class Import(NamedTuple):
    """One module imports another."""

    module: str
    target: str
    line: int


def imports_of(module: str) -> Iterator[Import]:
    """Every import of the package in a module, also in functions and for types."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are written in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == "scanreader":
                target = name if name in MODULES else name.rpartition(".")[0]
                assert target in MODULES, f"{module}:{node.lineno}: {name}"
                yield Import(module, target, node.lineno)


IMPORTS = {name: list(imports_of(name)) for name in MODULES}


def floor_of(module: str) -> int:
    """Number of a module's floor, from the top."""
    first = module.removeprefix("scanreader.").partition(".")[0]
    (floor,) = (i for i, names in enumerate(FLOORS) if first in names)
    return floor


def package_of(module: str) -> str:
    """The first name below scanreader."""
    return module.removeprefix("scanreader.").partition(".")[0]


def test_imports_go_down() -> None:
    violations = [
        item
        for item in itertools.chain(*IMPORTS.values())
        if floor_of(item.target) < floor_of(item.module)
        or (floor_of(item.target) == floor_of(item.module) and package_of(item.target) != package_of(item.module))
    ]
    assert violations == []


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of modules each of which reaches itself through the others (Tarjan's algorithm, without recursion)."""

    def names_in_reach(start: str) -> set[str]:
        names_reached: set[str] = set()
        todo = [start]
        while todo:
            for name in graph[todo.pop()] - names_reached:
                names_reached.add(name)
                todo.append(name)
        return names_reached

    reach = {name: names_in_reach(name) for name in graph}
    return [
        {other_name for other_name in reach[name] if name in reach[other_name]} for name in graph if name in reach[name]
    ]


def test_there_is_no_circle() -> None:
    graph = {name: {item.target for item in imports} for name, imports in IMPORTS.items()}
    assert circles(graph) == []


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}
    assert circles(graph) == [{"a", "b", "c"}] * 3


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in ("_replace", "_asdict")


@pytest.mark.parametrize("module", MODULES)
def test_nobody_reaches_into_another(module: str) -> None:
    """Private names are used of oneself alone: `self._x`, `cls._x`, and names of the own module."""
    violations = []
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            is_parents = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"
            if not is_own and not is_parents:
                violations.append((node.lineno, ast.unparse(node)))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scanreader"):
            violations += [(node.lineno, alias.name) for alias in node.names if is_private(alias.name)]
    assert violations == []


@pytest.mark.parametrize("module", MODULES)
def test_nobody_goes_behind_python(module: str) -> None:
    violations = []
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Attribute) and (node.attr in FORBIDDEN_NAMES or ast.unparse(node) == "object.__new__"):
            violations.append((node.lineno, ast.unparse(node)))
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("vars", "type")
            and (len(node.args) == 3 or ast.unparse(node.func) == "vars")
        ):
            violations.append((node.lineno, ast.unparse(node)))
        if isinstance(node, ast.ExceptHandler) and (
            node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
        ):
            violations.append((node.lineno, "except Exception"))
    assert violations == []


def test_tifffile_reads_in_three_modules() -> None:
    users = {}
    for module, tree in TREES.items():
        if "tifffile" in {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }:
            users[module] = {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tifffile"
            }
        assert not any(isinstance(node, ast.ImportFrom) and node.module == "tifffile" for node in ast.walk(tree))
    assert {module for module, names in users.items() if names - WRITES_WITH_TIFFFILE} == READS_WITH_TIFFFILE


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short_and_say_what_they_know(module: str) -> None:
    lines = MODULES[module].read_text("utf-8").count("\n")
    assert lines <= (MOST_OF_SCAN if module == "scanreader.scans" else MOST_LINES)
    docstring = ast.get_docstring(TREES[module])
    assert docstring
    assert docstring.splitlines()[0].endswith((".", "…"))


def test_the_core_needs_numpy_and_tifffile_alone() -> None:
    """What `import scanreader` imports, function by function apart, is Python's own, numpy or tifffile."""
    import sys

    todo, modules_seen, foreign_packages = ["scanreader"], set(), set()
    while todo:
        module = todo.pop()
        if module in modules_seen:
            continue
        modules_seen.add(module)
        for node in TREES[module].body:  # what stands at the top is imported at once
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                first = name.partition(".")[0]
                if first == "scanreader":
                    todo.append(name if name in MODULES else name.rpartition(".")[0])
                elif first not in sys.stdlib_module_names:
                    foreign_packages.add(first)
    assert foreign_packages == {"numpy", "tifffile"}
