"""Pictures: which are drawn of what, and that they are pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.metrics.forecasts import forecasts, last_value
from tuning.errors import InputError
from tuning.figures import TrialPictures, draw_trial
from tuning.figures._classes import class_bars
from tuning.figures._curve import learning_curve
from tuning.figures._forecasts import forecasts_and_truth, step_errors
from tuning.metrics import Direction, Predictions, describe
from tuning.models import Task
from tuning.store import Placement, Status, TrialRecord

PNG = b"\x89PNG"


def record(details: Mapping[str, Any], values: Mapping[int, float]) -> TrialRecord:
    return TrialRecord(
        "probe", 0, Status.COMPLETED, {}, values, 0.5, "best", Placement(), 1.0, None, None, details=details
    )


def draw(
    details: Mapping[str, Any], labels: list[Any], folder: Path, predictions: Path | None = None
) -> set[str]:
    trial = record(details, {1: 0.9, 2: 0.5, 3: 0.6})
    pictures = TrialPictures(
        trial, "mase", Direction.MINIMIZE, labels, predictions or folder / "none.parquet"
    )
    paths = draw_trial(pictures, folder / "pictures")
    assert all(path.read_bytes().startswith(PNG) and path.stat().st_size > 5000 for path in paths)
    return {path.name for path in paths}


def classified(classes: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 30 * classes)
    outputs = rng.dirichlet(np.ones(classes), len(y))
    outputs[np.arange(len(y)), y] += 0.3
    return describe(Task.MULTICLASS, Predictions(y, outputs))


def validation_rows(series: int = 2) -> pd.DataFrame:
    rows = [
        (f"s{s}", day, step, pd.Timestamp("2024-01-01") + pd.Timedelta(days=day + step), 10.0 + s, 10.0)
        for s in range(series)
        for day in range(6)
        for step in (1, 2, 3)
    ]
    return pd.DataFrame(rows, columns=["series", "origin", "step", "time", "target", "output_0"])


def test_pictures_of_a_regression(tmp_path: Path) -> None:
    assert draw({}, [], tmp_path) == {"probe-0000-learning-curve.png"}


@pytest.mark.parametrize("labels", [["a", "b"], ["one", "$two$", "three " * 20, 4]])
def test_pictures_of_a_classification(labels: list[Any], tmp_path: Path) -> None:
    details = {"valid": classified(len(labels)), "test": classified(len(labels))}
    wanted = {"learning-curve", "confusion", "classes"}
    assert draw(details, labels, tmp_path) == {f"probe-0000-{what}.png" for what in wanted}


def test_many_classes_have_bars_of_the_worst_and_no_matrix(tmp_path: Path) -> None:
    details = classified(60)
    assert "probe-0000-confusion.png" not in draw({"valid": details}, list(range(60)), tmp_path)
    figure = class_bars("probe", {"valid": details}, list(range(60)))
    shown = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(shown) == 30
    assert shown[0].startswith(f"{int(np.argmin(details['classes']['f1']))} ")


def test_pictures_of_a_forecast(tmp_path: Path) -> None:
    table = forecasts()
    details = {"valid": describe(Task.FORECASTING, Predictions.of(table, last_value(table)))}
    predictions = tmp_path / "valid.parquet"
    validation_rows().to_parquet(predictions)
    wanted = {"learning-curve", "steps", "forecasts"}
    assert draw(details, [], tmp_path, predictions) == {f"probe-0000-{what}.png" for what in wanted}
    lines = step_errors("probe", "mase", details).axes[0].get_lines()
    assert list(lines[0].get_ydata()) == [1.0, 2.0, 3.0]


def test_forecasts_shown_do_not_overlap_and_are_of_a_few_series() -> None:
    figure = forecasts_and_truth("probe", validation_rows(series=20))
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == 6
    _, *windows = panels[0].get_lines()
    ranges = [(min(line.get_xdata()), max(line.get_xdata())) for line in windows]
    assert len(ranges) == 2
    assert ranges[0][1] < ranges[1][0]
    assert panels[0].get_title(loc="left") == "s19", "the worst first"


def test_the_learning_curve_marks_the_best() -> None:
    figure = learning_curve("probe", "auc", Direction.MAXIMIZE, {1: 0.5, 2: 0.9, 3: 0.7})
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "best: 0.90000 at 2"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file")
    with pytest.raises(InputError, match=r"--figures .*cannot be written"):
        draw({}, [], tmp_path)
