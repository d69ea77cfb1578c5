"""What is particular to the tree families: blocks, weights, losses, categories, checkpoint files."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from tuning import search_spaces
from tuning.models import Loss, Model, Schema, Table, Task, load_family
from tuning.models.errors import DivergedError, ModelError

sys.path.insert(0, str(Path(__file__).parent))
from cases import Problem, default_config, make_problem, read_only

BOOSTERS = ("lightgbm", "xgboost", "catboost")
TREES = (*BOOSTERS, "random_forest")


def build(
    name: str, schema: Schema, budget: int = 20, *, seed: int = 0, threads: int = 1, **changes: Any
) -> Model[Any]:
    space = yaml.safe_load((Path(search_spaces.__file__).parent / f"{name}.yaml").read_text())
    budget_field = "iterations" if name == "catboost" else "n_estimators"
    model_class = load_family(name)
    params = model_class.Params(**{**default_config(space), budget_field: budget, **changes})
    return model_class(params, schema, seed=seed, threads=threads)


def trained(name: str, problem: Problem, budget: int = 20, **changes: Any) -> Model[Any]:
    model = build(name, problem.schema, budget, **changes)
    model.bind(problem.train, problem.valid)
    advance_to_the_end(model)
    return model


def advance_to_the_end(model: Model[Any]) -> None:
    while model.units_done < model.total_units:
        model.advance()


@pytest.fixture(scope="module")
def regression() -> Problem:
    return make_problem(Task.REGRESSION)


@pytest.mark.parametrize(
    ("name", "budget", "units", "patience"),
    [
        ("lightgbm", 2000, 80, 4),
        ("xgboost", 100, 50, 50),
        ("xgboost", 7, 7, 100),
        ("catboost", 2000, 18, 1),
        ("catboost", 500, 18, 4),
        ("random_forest", 500, 72, None),
    ],
)
def test_budget_is_cut_into_units(
    regression: Problem, name: str, budget: int, units: int, patience: int | None
) -> None:
    model = build(name, regression.schema, budget)
    assert (model.total_units, model.patience_units) == (units, patience)


@pytest.mark.parametrize("name", BOOSTERS)
def test_early_stopping_can_be_switched_off(regression: Problem, name: str) -> None:
    assert build(name, regression.schema, early_stopping_rounds=None).patience_units is None


@pytest.mark.parametrize(("name", "budget"), [("lightgbm", 120), ("xgboost", 120), ("catboost", 234)])
def test_blocks_of_many_rounds_go_on_exactly(
    regression: Problem, name: str, budget: int, tmp_path: Path
) -> None:
    whole = trained(name, regression, budget, learning_rate=0.3)
    half = build(name, regression.schema, budget, learning_rate=0.3)
    half.bind(regression.train, regression.valid)
    for _ in range(half.total_units // 2):
        half.advance()
    half.save(tmp_path / "half")
    other = build(name, regression.schema, budget, learning_rate=0.3)
    other.bind(regression.train, regression.valid)
    other.load(tmp_path / "half")
    advance_to_the_end(other)
    np.testing.assert_array_equal(other.predict_valid(), whole.predict_valid())
    np.testing.assert_array_equal(other.predict(regression.train), whole.predict(regression.train))


@pytest.mark.parametrize("task", list(Task))
def test_catboost_keeps_its_settings_when_it_passes_200_rounds(task: Task) -> None:
    # From 200 rounds on CatBoost chooses other defaults, and refuses a snapshot made under the first.
    model = trained("catboost", make_problem(task), budget=234)
    advance_to_the_end(model)
    assert model.units_done == model.total_units == 18


def test_another_booster_in_between_changes_nothing(regression: Problem) -> None:
    alone = trained("xgboost", regression).predict_valid()
    model, other = (build("xgboost", regression.schema, seed=seed) for seed in (0, 1))
    for each in (model, other):
        each.bind(regression.train, regression.valid)
    for _ in range(model.total_units):
        model.advance()
        other.advance()
    np.testing.assert_array_equal(model.predict_valid(), alone)


@pytest.mark.parametrize("name", TREES)
def test_seed_changes_the_trees(regression: Problem, name: str) -> None:
    first, second = (trained(name, regression, seed=seed).predict_valid() for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", TREES)
def test_row_weights_are_honoured(regression: Problem, name: str) -> None:
    assert regression.train.target is not None
    high = regression.train.target > np.median(regression.train.target)
    weighted = replace(regression, train=replace(regression.train, weight=np.where(high, 20.0, 1.0)))
    assert trained(name, weighted).predict_valid().mean() > trained(name, regression).predict_valid().mean()


def noise_problem(target: np.ndarray, loss: Loss = Loss.SQUARED) -> Problem:
    """One column that says nothing of the target: predictions tend to the loss's best constant."""
    n = len(target)
    nothing = np.empty((n, 0))
    table = Table(
        numeric=np.random.default_rng(0).normal(size=(n, 1)).astype(np.float32),
        categorical=nothing.astype(np.int32),
        embedding=nothing.astype(np.float32),
        dense=nothing.astype(np.float32),
        target=target,
    )
    schema = Schema(task=Task.REGRESSION, loss=loss, numeric=("noise",))
    return Problem(schema, read_only(table), read_only(table))


@pytest.mark.parametrize("name", BOOSTERS)
def test_loss_decides_between_mean_and_median(name: str) -> None:
    target = np.array([1.0, 1.0, 1.0, 11.0, 11.0] * 40)
    mean = trained(name, noise_problem(target, Loss.SQUARED)).predict_valid()
    median = trained(name, noise_problem(target, Loss.ABSOLUTE)).predict_valid()
    assert 4 < mean.mean() < 6
    assert 1 <= median.mean() < 3


@pytest.mark.parametrize("name", TREES)
def test_categories_are_used_and_unseen_ones_predicted(regression: Problem, name: str) -> None:
    model = trained(name, regression, 60)
    rows = regression.valid.take(slice(0, 20))
    codes = [rows.categorical.copy() for _ in range(3)]
    for code, value in zip(codes, (0, 3, -1), strict=True):
        code[:, 0] = value
    low, high, unseen = (model.predict(replace(rows, categorical=code)) for code in codes)
    assert high.mean() > low.mean()
    assert np.isfinite(unseen).all()


@pytest.mark.parametrize("name", TREES)
def test_a_class_missing_from_the_rows_keeps_its_column(name: str) -> None:
    problem = make_problem(Task.MULTICLASS)
    assert problem.train.target is not None
    rows = np.flatnonzero(problem.train.target != 1)
    problem = replace(problem, train=read_only(problem.train.take(rows)))
    outputs = trained(name, problem).predict_valid()
    assert outputs.shape == (len(problem.valid), 3)
    assert outputs[:, 1].max() < 0.2


@pytest.mark.parametrize("name", BOOSTERS)
def test_overflow_ends_in_divergence_with_the_best_state_kept(regression: Problem, name: str) -> None:
    model = build(name, regression.schema, 18, learning_rate=30.0)
    model.bind(regression.train, regression.valid)
    model.advance()
    model.mark_best()
    best = model.predict_valid()
    with pytest.raises(DivergedError):
        advance_to_the_end(model)
    model.restore_best()
    np.testing.assert_allclose(model.predict_valid(), best, rtol=1e-6)
    assert model.units_done == 1


@pytest.mark.parametrize("name", TREES)
def test_rows_without_target_are_refused(regression: Problem, name: str) -> None:
    model = build(name, regression.schema)
    model.bind(replace(regression.train, target=None), regression.valid)
    with pytest.raises(ModelError, match="target"):
        model.advance()


@pytest.mark.parametrize("name", TREES)
def test_a_target_that_is_not_finite_is_refused(regression: Problem, name: str) -> None:
    assert regression.train.target is not None
    target = regression.train.target.astype(np.float64)
    target[3] = np.nan
    model = build(name, regression.schema)
    model.bind(replace(regression.train, target=target), regression.valid)
    with pytest.raises(ModelError, match="training row 3 is nan"):
        model.advance()


def test_what_the_library_refuses_is_a_model_error() -> None:
    problem = noise_problem(np.arange(40.0))
    nothing_varies = replace(problem.train, numeric=np.zeros((40, 1), dtype=np.float32))
    model = build("catboost", problem.schema)
    model.bind(nothing_varies, problem.valid)
    with pytest.raises(ModelError, match="CatBoost cannot train on this table"):
        model.advance()


def test_catboost_leaves_the_working_folder_alone(
    regression: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained("catboost", regression)
    assert not list(tmp_path.iterdir())


def test_catboost_sampling_must_fit_the_bootstrap(regression: Problem) -> None:
    with pytest.raises(ValidationError, match="subsample"):
        build("catboost", regression.schema, bootstrap_type="Bayesian", subsample=0.8)
    with pytest.raises(ValidationError, match="bagging_temperature"):
        build("catboost", regression.schema, bootstrap_type="MVS", bagging_temperature=0.5)


def test_catboost_restarts_after_its_best_was_restored(regression: Problem) -> None:
    model = build("catboost", regression.schema)
    model.bind(regression.train, regression.valid)
    for _ in range(3):
        model.advance()
    third = model.predict_valid()
    model.best_units = 0
    model.mark_best()
    model.advance()
    fourth = model.predict_valid()
    model.restore_best()
    np.testing.assert_allclose(model.predict_valid(), third, rtol=1e-6)
    model.advance()
    np.testing.assert_allclose(model.predict_valid(), fourth, rtol=1e-6)


def test_forest_checkpoints_share_their_blocks(regression: Problem, tmp_path: Path) -> None:
    model = build("random_forest", regression.schema, 6)
    model.bind(regression.train, regression.valid)
    for unit in range(2):
        model.advance()
        model.save(tmp_path / str(unit))
    first, second = (tmp_path / str(unit) / "trees-000.skops" for unit in range(2))
    assert first.samefile(second)
    assert (tmp_path / "1" / "trees-001.skops").is_file()


def test_forest_writes_blocks_again_when_the_last_checkpoint_is_gone(
    regression: Problem, tmp_path: Path
) -> None:
    model = trained("random_forest", regression, 4)
    model.save(tmp_path / "first")
    shutil.rmtree(tmp_path / "first")
    model.save(tmp_path / "second")
    fresh = build("random_forest", regression.schema, 4)
    fresh.load(tmp_path / "second")
    np.testing.assert_array_equal(fresh.predict(regression.valid), model.predict(regression.valid))


def test_forest_does_not_depend_on_the_thread_count(regression: Problem) -> None:
    one, two = (trained("random_forest", regression, threads=threads).predict_valid() for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
