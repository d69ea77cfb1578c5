"""The trial loop: interruption, folds, early stops, divergence, time limits and checkpoints."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from tests.trial.rows import (
    RMSE,
    curve,
    probe_family,
    run_in_pieces,
    small_folds,
    spec_of,
    steps,
    stop_after,
)
from tests.trial.scripted import Scripted, zero_folds
from tuning.metrics import get_metric
from tuning.models import ModelClass, Table, Task, load_family
from tuning.models.errors import CheckpointError
from tuning.space import load_space
from tuning.store import Status
from tuning.trial import (
    PREDICTIONS_NAME,
    FoldRows,
    Report,
    TrialLoop,
    TrialSpec,
    read_best_units,
    read_checkpoint,
)

PROBE_PARAMS = {"level": 1.0, "units": 9}
SMALL = {
    "lightgbm": {"n_estimators": 12, "min_child_samples": 5, "learning_rate": 0.2, "max_depth": 3},
    "linear_gd": {"epochs": 9, "batch_size": 10, "steps_per_epoch": 5},
    "dual_path": {"epochs": 6, "batch_size": 64, "width": 0.25, "residual_blocks": 1},
}


def family(name: str) -> tuple[ModelClass, dict[str, Any]]:
    if name == "probe":
        return probe_family().load_model(), dict(PROBE_PARAMS)
    space = load_space(name)
    return load_family(name), space.full(space.defaults()) | SMALL[name]


def probe() -> ModelClass:
    return probe_family().load_model()


def checkpoints(study_folder: Path, spec: TrialSpec) -> set[str]:
    folder = study_folder / "trials" / spec.id / "checkpoint"
    return {path.name for path in folder.iterdir()}


def predictions(study_folder: Path, spec: TrialSpec) -> pd.DataFrame:
    return pd.read_parquet(study_folder / "trials" / spec.id / PREDICTIONS_NAME)


def run(
    spec: TrialSpec, model: ModelClass, folds: tuple[FoldRows, ...], study_folder: Path
) -> tuple[list[Report], Any]:
    reports = list(steps(spec, model, folds, study_folder))
    assert reports[-1].result is not None
    return reports, reports[-1].result


@pytest.mark.parametrize(("name", "units"), [("probe", 1), ("probe", 4), ("lightgbm", 5), ("linear_gd", 4)])
@pytest.mark.parametrize("folds", [0, 2])
def test_an_interrupted_trial_equals_an_uninterrupted_one(
    name: str, units: int, folds: int, tmp_path: Path
) -> None:
    model, params = family(name)
    spec, rows = spec_of(params, model=name), small_folds(folds)
    whole, result = run(spec, model, rows, tmp_path / "whole")
    pieces = run_in_pieces(spec, model, rows, tmp_path / "pieces", units)
    assert any(report.interrupted for report in pieces)
    assert curve(pieces) == curve(whole)
    assert pieces[-1].result == result
    pd.testing.assert_frame_equal(
        predictions(tmp_path / "pieces", spec), predictions(tmp_path / "whole", spec), check_exact=True
    )


def test_an_interrupted_network_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    model, params = family("dual_path")
    spec, rows = spec_of(params, model="dual_path"), small_folds()
    whole, result = run(spec, model, rows, tmp_path / "whole")
    pieces = run_in_pieces(spec, model, rows, tmp_path / "pieces", 4)
    assert curve(pieces) == curve(whole)
    assert pieces[-1].result == result


@pytest.mark.parametrize("killed_after", range(1, 9))
def test_a_trial_that_was_killed_goes_on_from_its_last_recorded_checkpoint(
    killed_after: int, tmp_path: Path
) -> None:
    spec, rows = spec_of(PROBE_PARAMS), small_folds()
    whole, result = run(spec, probe(), rows, tmp_path / "whole")
    running = steps(spec, probe(), rows, tmp_path / "killed")
    before = [next(running) for _ in range(killed_after)]
    recorded = [report.checkpoint for report in before if report.checkpoint is not None]
    after, again = run(replace(spec, checkpoint=recorded[-1]), probe(), rows, tmp_path / "killed")
    assert after[0].iteration <= killed_after + 1
    assert curve(before) | curve(after) == curve(whole)
    assert again == result


@pytest.mark.parametrize(("units", "iterations"), [(9, 9), (9, 27), (20, 9), (1, 9), (9, 1)])
def test_every_iteration_is_a_share_of_the_budget(units: int, iterations: int, tmp_path: Path) -> None:
    spec = spec_of({"level": 1.0, "units": units}, max_iterations=iterations)
    reports, result = run(spec, probe(), small_folds(), tmp_path)
    seen = [report.iteration for report in reports]
    assert seen == sorted(set(seen))
    assert seen[-1] == iterations
    assert result.status is Status.COMPLETED
    assert result.best_iteration == iterations
    values = list(curve(reports).values())
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("name", ["probe", "lightgbm", "linear_gd"])
@pytest.mark.parametrize("folds", [0, 3])
def test_the_predictions_score_what_the_record_says(name: str, folds: int, tmp_path: Path) -> None:
    model, params = family(name)
    spec, rows = spec_of(params, model=name), small_folds(folds)
    _, result = run(spec, model, rows, tmp_path)
    frame = predictions(tmp_path, spec)
    scores = [
        RMSE(part["target"].to_numpy(), part["output_0"].to_numpy()) for _, part in frame.groupby("fold")
    ]
    assert len(scores) == max(folds, 1)
    assert np.mean(scores) == pytest.approx(result.value, rel=1e-9)
    assert result.valid["rmse"] == pytest.approx(result.value, rel=1e-9)
    assert set(result.train) == set(result.valid) >= {"rmse", "mae", "r2"}


def test_folds_advance_together_and_the_mean_is_reported(tmp_path: Path) -> None:
    rows = small_folds(3)
    together, result = run(spec_of(PROBE_PARAMS), probe(), rows, tmp_path / "together")
    alone = [
        curve(run(spec_of(PROBE_PARAMS), probe(), (fold,), tmp_path / str(number))[0])
        for number, fold in enumerate(rows)
    ]
    for iteration, value in curve(together).items():
        assert value == pytest.approx(np.mean([scores[iteration] for scores in alone]), rel=1e-12)
    assert len(predictions(tmp_path / "together", spec_of(PROBE_PARAMS))) == sum(len(r.valid) for r in rows)
    assert result.value == min(curve(together).values())


def test_training_ends_when_patience_is_used_up_and_the_best_state_counts(tmp_path: Path) -> None:
    script = [5.0, 4.0, 1.0, 2.0, 3.0, 4.0, 0.5, 0.1, 0.1]
    spec = spec_of({"script": script, "patience": 3})
    reports, result = run(spec, Scripted, zero_folds(), tmp_path)
    assert curve(reports) == {1: 5.0, 2: 4.0, 3: 1.0, 4: 2.0, 5: 3.0, 6: 4.0}
    assert (result.status, result.value, result.best_iteration) == (Status.COMPLETED, 1.0, 3)
    assert set(predictions(tmp_path, spec)["output_0"]) == {1.0}


@pytest.mark.parametrize("units", [1, 2, 3, 4])
def test_patience_survives_an_interruption(units: int, tmp_path: Path) -> None:
    spec = spec_of({"script": [5.0, 1.0, 2.0, 3.0, 4.0, 0.5, 0.1, 0.1, 0.1], "patience": 3})
    whole, result = run(spec, Scripted, zero_folds(), tmp_path / "whole")
    pieces = run_in_pieces(spec, Scripted, zero_folds(), tmp_path / "pieces", units)
    assert curve(pieces) == curve(whole)
    assert pieces[-1].result == result
    assert result.value == 1.0


def test_a_divergence_keeps_the_best_state(tmp_path: Path) -> None:
    spec = spec_of({**PROBE_PARAMS, "fault": "nan"})
    reports, result = run(spec, probe(), small_folds(), tmp_path)
    last = reports[-1]
    assert result.status is Status.DIVERGED
    assert last.value is None
    assert set(curve(reports)) == {1, 2}
    assert result.value == curve(reports)[2]
    assert result.valid["rmse"] == pytest.approx(result.value)
    assert "rmse is nan" in result.error
    assert last.checkpoint == "trials/probe-0000/best"


def test_a_divergence_before_any_score_leaves_nothing(tmp_path: Path) -> None:
    reports, result = run(spec_of({"script": [math.nan, 1.0]}), Scripted, zero_folds(), tmp_path)
    assert (result.status, result.value, result.best_iteration) == (Status.DIVERGED, None, None)
    assert (len(reports), reports[0].checkpoint, reports[0].value) == (1, None, None)


def test_what_a_model_raises_is_passed_on(tmp_path: Path) -> None:
    running = steps(spec_of({**PROBE_PARAMS, "fault": "raise"}), probe(), small_folds(), tmp_path)
    with pytest.raises(ValueError, match="told to raise"):
        list(running)


@pytest.mark.parametrize("iterations", [9, 3, 1])
def test_a_trial_whose_time_is_up_completes_with_its_best_state(iterations: int, tmp_path: Path) -> None:
    spec = spec_of({**PROBE_PARAMS, "unit_seconds": 0.02}, time_limit_s=0.05, max_iterations=iterations)
    reports, result = run(spec, probe(), small_folds(), tmp_path)
    assert result.status is Status.COMPLETED
    assert result.note == "ended by its time limit of 0.05 s"
    assert result.error is None
    assert 1 <= len(reports) <= iterations
    assert result.value == reports[-1].best_value
    assert result.value is not None
    assert reports[-1].train_seconds > 0.05
    checkpoint = tmp_path / (reports[-1].checkpoint or "")
    assert read_best_units(checkpoint) < 9, "it ended with the unit, not with the iteration"


def test_a_trial_whose_only_unit_takes_longer_than_its_limit_has_a_score(tmp_path: Path) -> None:
    spec = spec_of({**PROBE_PARAMS, "unit_seconds": 0.1}, time_limit_s=0.01)
    (report,), result = run(spec, probe(), small_folds(), tmp_path)
    assert (report.iteration, result.status) == (1, Status.COMPLETED)
    assert result.value is not None


def test_earlier_attempts_count_against_the_time_limit(tmp_path: Path) -> None:
    spec = spec_of({**PROBE_PARAMS, "unit_seconds": 0.03})
    *_, last = steps(spec, probe(), small_folds(), tmp_path, stop_after(2))
    assert last.train_seconds >= 0.06
    resumed = replace(spec, checkpoint=last.checkpoint, time_limit_s=0.07)
    reports, result = run(resumed, probe(), small_folds(), tmp_path)
    assert result.status is Status.COMPLETED
    assert len(reports) == 1


def test_a_wish_to_stop_before_the_first_unit_leaves_no_checkpoint(tmp_path: Path) -> None:
    (report,) = steps(spec_of(PROBE_PARAMS), probe(), small_folds(), tmp_path, lambda: True)
    assert report.interrupted
    assert (report.iteration, report.value, report.checkpoint, report.result) == (0, None, None, None)


def test_what_a_kill_left_behind_is_no_harm(tmp_path: Path) -> None:
    spec, rows = spec_of(PROBE_PARAMS), small_folds()
    whole, result = run(spec, probe(), rows, tmp_path / "clean")
    folder = tmp_path / "littered" / "trials" / spec.id
    for name in ("checkpoint/.iteration-0001-unit-000001.draft", "checkpoint/iteration-0003-unit-000003"):
        (folder / name / "fold-0").mkdir(parents=True)
        (folder / name / "trial.json").write_text("{half")
    (folder / ".best.draft").mkdir()
    littered, again = run(spec, probe(), rows, tmp_path / "littered")
    assert (curve(littered), again) == (curve(whole), result)
    assert not list(folder.rglob("*.draft"))


@pytest.mark.parametrize("iterations", [9, 27])
def test_old_checkpoints_go_but_the_recorded_one_stays(iterations: int, tmp_path: Path) -> None:
    rungs = frozenset({1, 3, 9, 27})
    spec = spec_of(PROBE_PARAMS, max_iterations=iterations, checkpoint_iterations=rungs)
    written: list[str] = []
    for report in steps(spec, probe(), small_folds(), tmp_path):
        if report.checkpoint is not None and report.result is None:
            written.append(Path(report.checkpoint).name)
            assert checkpoints(tmp_path, spec) == set(written[-2:])
    assert len(written) == len(set(written)) == len([rung for rung in rungs if rung < iterations])


def test_a_checkpoint_that_the_record_names_is_not_written_anew(tmp_path: Path) -> None:
    spec, rows = spec_of(PROBE_PARAMS), small_folds()
    *_, first = steps(spec, probe(), rows, tmp_path, stop_after(3))
    assert first.checkpoint is not None
    before = (tmp_path / first.checkpoint).stat().st_ino
    resumed = replace(spec, checkpoint=first.checkpoint)
    (second,) = steps(resumed, probe(), rows, tmp_path, lambda: True)
    assert second.checkpoint == first.checkpoint
    assert (tmp_path / first.checkpoint).stat().st_ino == before


@pytest.mark.parametrize("damage", ["trial.json", "fold-0/model.json"])
def test_a_damaged_checkpoint_is_refused(damage: str, tmp_path: Path) -> None:
    spec, rows = spec_of(PROBE_PARAMS), small_folds()
    *_, last = steps(spec, probe(), rows, tmp_path, stop_after(2))
    assert last.checkpoint is not None
    (tmp_path / last.checkpoint / damage).write_text("{")
    loop = TrialLoop(replace(spec, checkpoint=last.checkpoint), probe(), rows, RMSE, tmp_path)
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        loop.step()


def test_the_best_checkpoint_predicts_what_was_written(tmp_path: Path) -> None:
    spec, (fold,) = spec_of(SMALL["lightgbm"], model="lightgbm"), small_folds()
    model, params = family("lightgbm")
    spec = replace(spec, params=params)
    reports, _ = run(spec, model, (fold,), tmp_path)
    fresh = model(model.Params.model_validate(params), fold.schema)
    read_checkpoint(tmp_path / str(reports[-1].checkpoint), [fresh])
    np.testing.assert_array_equal(
        fresh.predict(fold.valid), predictions(tmp_path, spec)["output_0"].to_numpy()
    )


class Classes(Scripted):
    """Gives the right class of every row the scripted probability."""

    tasks = frozenset({Task.BINARY})

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        sure = super().predict(table)
        return np.column_stack([sure, 1 - sure])


def test_equal_shares_of_hits_are_told_apart_by_log_loss(tmp_path: Path) -> None:
    folds = tuple(
        FoldRows(
            replace(fold.schema, task=Task.BINARY, n_classes=2),
            replace(fold.train, target=np.zeros(len(fold.train), dtype=np.int64)),
            replace(fold.valid, target=np.zeros(len(fold.valid), dtype=np.int64)),
        )
        for fold in zero_folds()
    )
    spec = spec_of({"script": [0.4, 0.6, 0.9, 0.8, 0.7, 0.6, 0.6, 0.6, 0.6]}, max_iterations=9)
    loop = TrialLoop(spec, Classes, folds, get_metric("accuracy", Task.BINARY), tmp_path)
    while not (report := loop.step()).is_last:
        pass
    assert (report.best_value, report.best_iteration) == (1.0, 3)
