"""Every family of the package, found by discovery, is held to the whole contract."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tuning import search_spaces
from tuning.models import Task, family_names, load_family
from tuning.models.linear_gd import LinearGD

sys.path.insert(0, str(Path(__file__).parent))
from cases import Inputs, Problem, make_problem, make_sequence_problem
from conformance import CHECKS, Case
from keys import unread_keys
from series_cases import make_forecasting_problem

SPACES = Path(search_spaces.__file__).parent
SEQUENCE_TASKS = [(Task.MULTICLASS, Inputs.STEPS), (Task.BINARY, Inputs.CHARACTERS)]


def problems_of(name: str) -> list[tuple[Task, Inputs]]:
    """The tasks of a family, and sequences for those that read them."""
    family = load_family(name)
    tasks = [(task, Inputs.FEATURES) for task in Task if task in family.tasks]
    return tasks + (SEQUENCE_TASKS if family.reads_sequences else [])


CASES = [(name, *each) for name in family_names() for each in problems_of(name)]


@cache
def problem(task: Task, inputs: Inputs) -> Problem:
    if task is Task.FORECASTING:
        return make_forecasting_problem()
    return make_problem(task) if inputs is Inputs.FEATURES else make_sequence_problem(task, inputs)


def case(name: str, task: Task, inputs: Inputs) -> Case:
    return Case(load_family(name), SPACES / f"{name}.yaml", problem(task, inputs))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize(("name", "task", "inputs"), CASES)
def test_conformance(
    name: str, task: Task, inputs: Inputs, check: Callable[[Case, Path], None], tmp_path: Path
) -> None:
    check(case(name, task, inputs), tmp_path)


@pytest.mark.parametrize("name", family_names())
def test_every_key_is_read(name: str) -> None:
    assert unread_keys([case(name, *each) for each in problems_of(name)]) == set()


def test_a_key_that_nothing_reads_is_found() -> None:
    class Tireless(LinearGD):
        patience_units = None

    features = problem(Task.REGRESSION, Inputs.FEATURES)
    assert unread_keys([Case(Tireless, SPACES / "linear_gd.yaml", features)]) == {"patience"}
