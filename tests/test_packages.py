"""The house rules that a machine can check: ours, small, documented."""

import ast
import importlib
import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "tasks", "models", "data_contracts")
LONGEST_FUNCTION, LONGEST_FILE = 60, 400
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("deploy/*/*.md")])
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield every function and method, private and nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def too_long(source: str) -> list[str]:
    """Name the functions over the limit."""
    sizes = ((each, each.end_lineno - each.lineno + 1) for each in functions(ast.parse(source)))
    return [f"{each.name}: {size} lines" for each, size in sizes if size > LONGEST_FUNCTION]


def undocumented(source: str) -> list[str]:
    """Name the public functions, classes and methods without a docstring, and the module."""
    module = ast.parse(source)
    missing = [] if ast.get_docstring(module) else ["module"]
    todo: list[ast.AST] = [module]
    while todo:  # functions are not entered: what is defined inside one is not public
        public = [
            node
            for node in ast.iter_child_nodes(todo.pop())
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
        ]
        missing += [node.name for node in public if not ast.get_docstring(node)]
        todo += [node for node in public if isinstance(node, ast.ClassDef)]
    return missing


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_ours(package):
    """The names are common: another distribution must not stand in for us."""
    assert Path(importlib.import_module(package).__file__).parent == ROOT / package


def test_inits_are_empty():
    """Import from the file; nothing happens on import, and no folder of files goes without one."""
    inits = {path.parent / "__init__.py" for path in FILES}
    assert [path for path in inits if not path.is_file() or path.read_bytes()] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_short_and_documented(path):
    """No function, no file is too long, and no public name goes without a sentence."""
    source = path.read_text(encoding="utf-8")
    assert too_long(source) == []
    assert source.count("\n") <= LONGEST_FILE
    if path.name != "__init__.py":
        assert undocumented(source) == []


def test_the_rules_find_what_they_forbid():
    """A long method and an undocumented one are seen, a private one may be silent."""
    body = "\n        x = 1" * LONGEST_FUNCTION
    source = f'"""M."""\nclass A:\n    """A."""\n    def f(self):{body}\n    def _g(self): ...\n'
    assert too_long(source) == [f"f: {LONGEST_FUNCTION + 1} lines"]
    assert undocumented(source) == ["f"]
    assert undocumented("x = 1") == ["module"]


def test_models_keep_their_annotations():
    """The shape checks of the tests read annotations: they must not become strings."""
    lines = {
        path.name for path in (ROOT / "models").rglob("*.py")
        if "from __future__" in path.read_text(encoding="utf-8")
    }  # fmt: skip
    assert lines == set()


def test_every_dependency_is_pinned():
    """What pyproject asks for has one version in constraints.txt, without a local suffix."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    asked = itertools.chain(project["dependencies"], *project["optional-dependencies"].values())
    names = [name.split("[")[0].split(">")[0] for name in asked]
    assert [name for name in names if name not in pins] == []
    assert [version for version in pins.values() if "+" in version] == []


@pytest.mark.parametrize("folder", [*PACKAGES, "tests", "deploy"])
def test_folder_explains_itself(folder):
    """A newcomer finds one screen about every folder."""
    lines = (ROOT / folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert 5 <= len(lines) <= 60


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """A moved file takes its links along."""
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    relative = [target for target in targets if "://" not in target]
    assert [target for target in relative if not (page.parent / target).exists()] == []


def test_readme_names_every_command():
    """A command that nobody is told about does not exist."""
    from flows.cli import app

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [name for name in app if not name.startswith("-")]
    assert "run" in commands
    assert [name for name in commands if f"| `hoarfrost {name}` |" not in readme] == []
