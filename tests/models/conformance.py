"""What every model family must do, as `check_*` functions: call them on a family of your own, too.

Each takes a `Case` (a family at a task) and an empty folder, and raises AssertionError where the
family breaks its contract.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from cases import Config, Problem, arrays_of, default_config, sampled_configs
from series_cases import rows_of_windows, with_another_future

from tuning.models import TRAINING, Model, ModelClass, Params, Table
from tuning.models.errors import CheckpointError, ModelError

BUDGET_FIELDS = ("n_estimators", "iterations", "epochs")
SMALL_BUDGET = 8
SMALL_WIDTHS = {"projection_width": 32, "channels": 16, "hidden_size": 16}  # of recurrent networks
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin")

Outputs = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One family at one task."""

    model_class: ModelClass
    space_file: Path
    problem: Problem

    def params(self, config: Config | None = None) -> Params:
        """Validated hyperparameters, small in budget and width; None: the default configuration."""
        config = default_config(self.space) if config is None else config
        small = {name: SMALL_BUDGET for name in BUDGET_FIELDS if name in config}
        small |= {name: width for name, width in SMALL_WIDTHS.items() if name in config}
        return self.model_class.Params(**{**config, **small})

    def model(self, seed: int = 0) -> Model[Any]:
        """A model of the default configuration, with rows."""
        model = self.unbound(seed)
        model.bind(self.problem.train, self.problem.valid)
        return model

    def unbound(self, seed: int = 0) -> Model[Any]:
        return self.model_class(self.params(), self.problem.schema, seed=seed)

    @property
    def space(self) -> Mapping[str, Any]:
        space: Mapping[str, Any] = yaml.safe_load(self.space_file.read_text())
        return space


# -- training --------------------------------------------------------------------------------------


def train(model: Model[Any], units: int) -> Model[Any]:
    """Advance as the trial loop does: evaluate and observe after every unit."""
    for _ in range(units):
        model.advance()
        assert model._valid is not None
        model.observe(loss_of(model.predict_valid(), model._valid))
    return model


def through_checkpoint(model: Model[Any], case: Case, folder: Path, *, bind: bool = True) -> Model[Any]:
    """Save, and load into a fresh object."""
    model.save(folder)
    fresh = case.model(model.seed) if bind else case.unbound(model.seed)
    fresh.load(folder)
    return fresh


def loss_of(outputs: Outputs, table: Table) -> float:
    """Root mean squared error, or log loss."""
    assert table.target is not None
    if outputs.ndim == 1:
        return float(np.sqrt(np.mean((outputs - table.target) ** 2)))
    chosen = outputs[np.arange(len(table)), table.target.astype(np.int64)]
    return float(-np.mean(np.log(np.clip(chosen, 1e-12, 1.0))))


# -- checks ----------------------------------------------------------------------------------------


def check_space_matches_params(case: Case, folder: Path) -> None:
    space = case.space
    keys = {*space["parameters"], *(space.get("fixed") or {})}
    assert keys == set(case.model_class.Params.model_fields)
    assert space["description"]


def check_every_default_lies_in_its_range(case: Case, folder: Path) -> None:
    for name, spec in case.space["parameters"].items():
        if spec["type"] == "categorical":
            assert spec["default"] in spec["choices"], name
        else:
            assert spec["low"] <= spec["default"] <= spec["high"], name


def check_configs_build(case: Case, folder: Path) -> None:
    configs = [default_config(case.space), *sampled_configs(case.space, 20)]
    for config in configs:
        model = case.model_class(case.model_class.Params(**config), case.problem.schema)
        assert model.total_units >= 1


def check_sampled_configs_train(case: Case, folder: Path) -> None:
    for config in sampled_configs(case.space, 3):
        model = case.model_class(case.params(config), case.problem.schema)
        model.bind(case.problem.train, case.problem.valid)
        model.advance()
        assert np.isfinite(model.predict_valid()).all()


def check_loss_falls(case: Case, folder: Path) -> None:
    model = train(case.model(), 1)
    before = loss_of(model.predict(case.problem.train), case.problem.train)
    train(model, model.total_units - 1)
    after = loss_of(model.predict(case.problem.train), case.problem.train)
    assert after < before if case.model_class.learns else after == before


def check_same_seed_same_predictions(case: Case, folder: Path) -> None:
    first, second = (train(case.model(seed=3), 3).predict(case.problem.valid) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def check_output_shape(case: Case, folder: Path) -> None:
    outputs = train(case.model(), 2).predict(case.problem.valid)
    n = len(case.problem.valid)
    assert outputs.dtype == np.float64
    if not case.problem.schema.task.is_classification:
        assert outputs.shape == (n,)
        return
    assert outputs.shape == (n, case.problem.schema.n_classes)
    assert outputs.min() >= 0
    assert outputs.max() <= 1
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-6)


def check_predict_valid_equals_predict(case: Case, folder: Path) -> None:
    model = train(case.model(), 4)
    np.testing.assert_allclose(model.predict_valid(), model.predict(case.problem.valid), rtol=1e-6)


def check_continues_from_checkpoint(case: Case, folder: Path) -> None:
    half = case.model().total_units // 2
    unbroken = train(case.model(), half)
    if not case.model_class.continues_exactly:
        unbroken.save(folder / "unbroken")
        unbroken.load(folder / "unbroken")
    train(unbroken, half)
    broken = train(through_checkpoint(train(case.model(), half), case, folder / "broken"), half)
    assert broken.units_done == unbroken.units_done
    np.testing.assert_array_equal(broken.predict_valid(), unbroken.predict_valid())
    np.testing.assert_array_equal(broken.predict(case.problem.train), unbroken.predict(case.problem.train))


def check_loads_without_rows(case: Case, folder: Path) -> None:
    model = train(case.model(), 3)
    loaded = through_checkpoint(model, case, folder / "checkpoint", bind=False)
    np.testing.assert_array_equal(loaded.predict(case.problem.valid), model.predict(case.problem.valid))


def check_what_training_needs_may_be_deleted(case: Case, folder: Path) -> None:
    model = train(case.model(), 2)
    model.mark_best()
    expected = model.predict(case.problem.valid)
    train(model, 2).save(folder / "checkpoint")
    shutil.rmtree(folder / "checkpoint" / TRAINING, ignore_errors=True)
    model.restore_best()
    model.save(folder / "ended", to_go_on=False)
    assert not (folder / "ended" / TRAINING).exists()
    for name in ("checkpoint", "ended"):
        loaded = case.unbound(model.seed)
        loaded.load(folder / name)
        loaded.restore_best()
        np.testing.assert_allclose(loaded.predict(case.problem.valid), expected, rtol=1e-6)


def check_saving_changes_nothing(case: Case, folder: Path) -> None:
    watched, plain = train(case.model(), 2), train(case.model(), 2)
    before = watched.predict_valid()
    watched.save(folder / "checkpoint")
    np.testing.assert_array_equal(watched.predict_valid(), before)
    if not case.model_class.continues_exactly:
        return  # training goes on exactly only from the checkpoint
    np.testing.assert_array_equal(train(watched, 2).predict_valid(), train(plain, 2).predict_valid())


def check_rows_do_not_depend_on_each_other(case: Case, folder: Path) -> None:
    model = train(case.model(), 3)
    everything = model.predict(case.problem.valid)
    rows = (
        np.arange(5, 12) if case.problem.valid.windows is None else rows_of_windows(case.problem.valid, 2, 5)
    )
    some = model.predict(case.problem.valid.take(rows))
    np.testing.assert_allclose(some, everything[rows], rtol=1e-5, atol=1e-6)


def check_forecast_does_not_change_when_the_future_does(case: Case, folder: Path) -> None:
    valid = case.problem.valid
    if valid.windows is None:
        return  # only forecasts have a future
    model = train(case.model(), 2)
    for window in range(0, len(valid.windows), 7):
        alone = valid.take(rows_of_windows(valid, window, window + 1))
        if len(alone) == 0:
            continue  # a gap over the whole horizon
        np.testing.assert_array_equal(model.predict(with_another_future(alone)), model.predict(alone))


def check_a_baseline_has_no_parameters(case: Case, folder: Path) -> None:
    assert case.model_class.learns == bool(case.model_class.Params.model_fields)


def check_inputs_are_not_mutated(case: Case, folder: Path) -> None:
    tables = (case.problem.train, case.problem.valid)
    arrays = [array for table in tables for array in arrays_of(table)]
    before = [array.copy() for array in arrays]
    train(case.model(), 2).predict(case.problem.valid)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def check_restores_best(case: Case, folder: Path) -> None:
    model = train(case.model(), 2)
    model.mark_best()
    best = model.predict(case.problem.valid)
    train(model, 2)
    loaded = through_checkpoint(model, case, folder / "checkpoint", bind=False)
    for restored in (model, loaded):
        changed = not np.array_equal(restored.predict(case.problem.valid), best)
        assert changed is case.model_class.learns
        restored.restore_best()
        np.testing.assert_array_equal(restored.predict(case.problem.valid), best)
    np.testing.assert_allclose(model.predict_valid(), best, rtol=1e-6)


def check_restore_without_best_changes_nothing(case: Case, folder: Path) -> None:
    model = train(case.model(), 2)
    before = model.predict(case.problem.valid)
    model.restore_best()
    np.testing.assert_array_equal(model.predict(case.problem.valid), before)


def check_restored_best_survives_checkpoint(case: Case, folder: Path) -> None:
    model = train(case.model(), 2)
    model.mark_best()
    train(model, 2).restore_best()
    loaded = through_checkpoint(model, case, folder / "checkpoint")
    np.testing.assert_array_equal(loaded.predict(case.problem.valid), model.predict(case.problem.valid))
    train(loaded, 1)
    assert np.isfinite(loaded.predict_valid()).all()


def check_untrained_model_predicts_or_refuses(case: Case, folder: Path) -> None:
    try:
        outputs = case.model().predict(case.problem.valid)
    except ModelError:
        return
    assert len(outputs) == len(case.problem.valid)


def check_unbound_model_refuses_to_train(case: Case, folder: Path) -> None:
    with pytest.raises(ModelError):
        case.unbound().advance()


def check_checkpoint_before_training(case: Case, folder: Path) -> None:
    loaded = through_checkpoint(case.model(), case, folder / "checkpoint")
    expected = train(case.model(), 1).predict_valid()
    np.testing.assert_array_equal(train(loaded, 1).predict_valid(), expected)


def check_checkpoint_holds_no_pickle(case: Case, folder: Path) -> None:
    model = train(case.model(), 2)
    model.mark_best()
    model.save(folder / "checkpoint")
    files = [path for path in (folder / "checkpoint").rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert path.suffix not in PICKLE_SUFFIXES, path.name
        assert not (content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05"), path.name
        assert b".pkl" not in content, path.name
        assert not (content[:6] == b"\x93NUMPY" and b"'|O'" in content[:128]), path.name


def check_damaged_checkpoint_is_refused(case: Case, folder: Path) -> None:
    model = train(case.model(), 2)
    model.mark_best()
    model.save(folder / "whole")
    names = [str(p.relative_to(folder / "whole")) for p in (folder / "whole").rglob("*") if p.is_file()]
    for number, name in enumerate(names):
        damaged = folder / f"damaged-{number}"
        shutil.copytree(folder / "whole", damaged)
        content = (damaged / name).read_bytes()
        (damaged / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(CheckpointError):
            case.model().load(damaged)


def check_missing_checkpoint_is_refused(case: Case, folder: Path) -> None:
    with pytest.raises(CheckpointError):
        case.model().load(folder / "nowhere")


def check_other_models_checkpoint_is_refused(case: Case, folder: Path) -> None:
    case.model().save(folder / "checkpoint")
    state = folder / "checkpoint" / "model.json"
    state.write_text(state.read_text().replace(case.model_class.__name__, "Another"))
    with pytest.raises(CheckpointError):
        case.model().load(folder / "checkpoint")


CHECKS: tuple[Callable[[Case, Path], None], ...] = tuple(
    value for name, value in sorted(globals().items()) if name.startswith("check_")
)
