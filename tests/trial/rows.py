"""Small prepared tables, trial specifications and runs of the trial loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuning.data import DataConfig, SplitConfig, TargetConfig, prepare
from tuning.families import Family, resolve_families
from tuning.metrics import get_metric
from tuning.models import ModelClass, Task
from tuning.trial import FoldRows, Report, TrialLoop, TrialSpec

RMSE = get_metric("rmse", Task.REGRESSION)
PROBE = str(Path(__file__).parents[1] / "families" / "probe.py")
RUNGS = frozenset({1, 3, 9})


def small_frame(rows: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 2))
    kind = rng.choice(["a", "b", "c"], size=rows)
    y = x[:, 0] - 0.5 * x[:, 1] + (kind == "b") + 0.1 * rng.normal(size=rows)
    return pd.DataFrame({"x0": x[:, 0], "x1": x[:, 1], "kind": kind, "y": y})


def small_folds(folds: int = 0) -> tuple[FoldRows, ...]:
    """Training and validation rows of a small regression table, one entry a fold."""
    data = DataConfig(path="none.csv", target="y")
    split = SplitConfig(folds=folds, valid=0.2, test=0.1)
    prepared = prepare(small_frame(), data, TargetConfig(), split, "rmse", 0)
    return tuple(FoldRows(fold.schema, fold.train, fold.valid) for fold in prepared.folds)


def probe_family(**fixed: Any) -> Family:
    return resolve_families([PROBE], Task.REGRESSION, {"probe": fixed} if fixed else {})[0]


def spec_of(params: Mapping[str, Any], **changes: Any) -> TrialSpec:
    spec = TrialSpec("probe", 0, params, seed=7, max_iterations=9, checkpoint_iterations=RUNGS)
    return replace(spec, **changes)


def stop_after(units: int) -> Callable[[], bool]:
    """Asked between units; True once that many were trained."""
    asked = iter(range(10**9))
    return lambda: next(asked) >= units


def never() -> bool:
    return False


def steps(
    spec: TrialSpec,
    model: ModelClass,
    folds: Sequence[FoldRows],
    study_folder: Path,
    should_stop: Callable[[], bool] = never,
) -> Iterator[Report]:
    """Reports of a trial until its last."""
    loop = TrialLoop(spec, model, folds, RMSE, study_folder, should_stop=should_stop)
    while True:
        report = loop.step()
        yield report
        if report.is_last:
            return


def run_in_pieces(
    spec: TrialSpec, model: ModelClass, folds: Sequence[FoldRows], study_folder: Path, units: int
) -> list[Report]:
    """A trial that is asked to stop after every so many units, and goes on in a fresh loop each time."""
    reports: list[Report] = []
    while not reports or reports[-1].result is None:
        reports += steps(spec, model, folds, study_folder, stop_after(units))
        latest = [report.checkpoint for report in reports if report.checkpoint is not None]
        spec = replace(spec, checkpoint=latest[-1], attempt=spec.attempt + 1)
    return reports


def curve(reports: Sequence[Report]) -> dict[int, float]:
    return {report.iteration: report.value for report in reports if report.value is not None}
