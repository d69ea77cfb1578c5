"""What a model foretells of its memory covers what Python and numpy allocate, and is of the same order."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import pytest
import yaml

from tuning import search_spaces
from tuning.models import Task, load_family

sys.path.insert(0, str(Path(__file__).parent))
from cases import Problem, default_config, make_problem
from series_cases import make_forecasting_problem

SLACK_BYTES = 2**18


def many_rows() -> Problem:
    return make_problem(Task.REGRESSION, n_train=20_000, n_valid=5_000)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("xgboost", many_rows()),
        ("lightgbm", many_rows()),
        ("dual_path", many_rows()),
        ("lstm", make_forecasting_problem()),
    ],
)
def test_the_rows_that_a_model_holds_are_foretold(name: str, problem: Problem) -> None:
    space = yaml.safe_load((Path(search_spaces.__file__).parent / f"{name}.yaml").read_text())
    family = load_family(name)
    params = family.Params(**default_config(space))
    model = family(params, problem.schema)
    tracemalloc.start()
    model.bind(problem.train, problem.valid)
    if not name.startswith("lstm"):
        model.advance()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    foretold = sum(family.host_bytes(params, problem.schema, part) for part in (problem.train, problem.valid))
    assert peak < foretold + SLACK_BYTES
    assert foretold < 20 * peak + SLACK_BYTES
