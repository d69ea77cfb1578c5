"""Imports point one way: models know nothing of tuning, and only tuning.execution knows Ray."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imported_modules(path: Path) -> Iterator[str]:
    """Every absolute module name that a file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def files_importing(folder: str, packages: set[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        hits = [name for name in imported_modules(path) if name.split(".")[0] in packages]
        if hits:
            found[path.relative_to(ROOT).as_posix()] = hits
    return found


def test_models_import_neither_ray_nor_optuna_nor_the_rest_of_the_project() -> None:
    assert files_importing("models", {"ray", "optuna"}) == {}
    imported = {name for names in files_importing("models", {"tuning"}).values() for name in names}
    assert [name for name in imported if not f"{name}.".startswith("tuning.models.")] == []


def test_search_spaces_are_data_only() -> None:
    assert files_importing("search_spaces", {"ray", "optuna", "tuning"}) == {}


def test_only_execution_imports_ray() -> None:
    importers = files_importing("tuning", {"ray"})
    assert importers
    assert [path for path in importers if not path.startswith("tuning/execution/")] == []


@pytest.mark.parametrize("package", ["config", "data", "metrics", "pruning", "sampling", "space", "store"])
def test_the_core_does_not_look_up_at_what_is_built_on_it(package: str) -> None:
    above = ("tuning.study", "tuning.execution", "tuning.cli", "tuning.session", "tuning.trial")
    for path in sorted((ROOT / "tuning" / package).rglob("*.py")):
        upward = [name for name in imported_modules(path) if name.startswith(above)]
        assert upward == [], path


@pytest.mark.parametrize("module", ["tuning.models", "tuning", "tuning.cli", "tuning.data", "tuning.study"])
def test_importing_it_does_not_load_what_only_training_needs(module: str) -> None:
    heavy = {"ray", "sklearn", "torch"}
    code = f"import sys, {module}; print(sorted({heavy} & {{name.split('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "[]"
