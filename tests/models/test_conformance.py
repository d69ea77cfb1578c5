"""Every family of the package, found by discovery, is held to the whole contract."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import search_spaces
from models import Task, family_names, load_family

sys.path.insert(0, str(Path(__file__).parent))
from cases import Problem, make_problem
from conformance import CHECKS, Case

SPACES = Path(search_spaces.__file__).parent
CASES = [(name, task) for name in family_names() for task in Task if task in load_family(name).tasks]


@cache
def problem(task: Task) -> Problem:
    return make_problem(task)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize(("name", "task"), CASES)
def test_conformance(name: str, task: Task, check: Callable[[Case, Path], None], tmp_path: Path) -> None:
    check(Case(load_family(name), SPACES / f"{name}.yaml", problem(task)), tmp_path)
