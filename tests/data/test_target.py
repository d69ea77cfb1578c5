from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from tuning.data import DataConfig, PreparedData, SplitConfig, TargetConfig, prepare
from tuning.errors import ConfigError, DataError
from tuning.models import Loss, Task

N = 100
RNG = np.random.default_rng(0)


def prepared(
    y: object,
    *,
    task: str | None = None,
    metric: str | None = None,
    target: dict[str, object] | None = None,
    name: str = "y",
    **data: object,
) -> PreparedData:
    frame = pd.DataFrame({"a": RNG.normal(size=N), "yield": np.arange(N) % 7})
    frame[name] = pd.Series(y)
    config = DataConfig.model_validate({"path": "t.csv", "target": name, "task": task, **data})
    return prepare(frame, config, TargetConfig.model_validate(target or {}), SplitConfig(), metric, seed=0)


@pytest.mark.parametrize(
    ("y", "task", "classes"),
    [
        (RNG.normal(size=N), Task.REGRESSION, ()),
        (np.arange(N), Task.REGRESSION, ()),
        ([f"{k * 1000:,}" for k in range(N)], Task.REGRESSION, ()),
        (np.arange(N) % 2, Task.BINARY, (0, 1)),
        (np.arange(N) % 3 * 1.0, Task.MULTICLASS, (0, 1, 2)),
        (np.arange(N) % 2 == 0, Task.BINARY, (False, True)),
        (["b", "a", "c", "a"] * (N // 4), Task.MULTICLASS, ("a", "b", "c")),
        (["1", "2"] * (N // 2), Task.BINARY, ("1", "2")),
        (["None", "Some"] * (N // 2), Task.BINARY, ("None", "Some")),
    ],
)
def test_task_is_inferred_and_noted(y: object, task: Task, classes: tuple[object, ...]) -> None:
    data = prepared(y)
    assert data.task is data.folds[0].schema.task is task
    assert data.classes == data.folds[0].transform.classes == classes
    assert data.folds[0].schema.n_classes == len(classes)
    assert any(
        note.startswith(f"Task {'regression' if not classes else 'classification'}") for note in data.notes
    )


def test_given_task_wins_without_a_note() -> None:
    assert prepared(np.arange(N) % 2, task="regression").task is Task.REGRESSION
    data = prepared(np.arange(N) % 30 // 10, task="classification")
    assert data.task is Task.MULTICLASS
    assert not any(note.startswith("Task") for note in data.notes)


def test_class_codes_follow_sorted_labels() -> None:
    labels = np.array(["b", "a", "c", "a"] * (N // 4))
    data = prepared(labels)
    rows = data.splits.query("part == 'valid'")["row"].to_numpy()
    target = data.folds[0].valid.target
    assert target is not None
    assert target.dtype == np.int64
    assert [data.classes[code] for code in target] == labels[rows].tolist()


def test_metric_and_loss_reach_the_schema() -> None:
    data = prepared(np.arange(N) + 1.0, metric="smape")
    assert data.metric.name == "smape"
    assert data.folds[0].schema.loss is Loss.ABSOLUTE
    assert prepared(np.arange(N) % 2).metric.name == "roc_auc"
    with pytest.raises(ConfigError, match="is not a metric for regression"):
        prepared(np.arange(N), metric="accuracy")


@pytest.mark.parametrize(
    ("metric", "low", "target", "log1p", "clip_min"),
    [
        ("smape", 0.0, {}, True, 0.0),
        ("mape", 1.0, {}, True, 0.0),
        ("rmsle", 0.0, {}, True, 0.0),
        ("smape", 0.0, {"clip_min": 0.01}, True, 0.01),
        ("smape", -1.0, {}, False, None),
        ("smape", 0.0, {"transform": "none"}, False, None),
        ("rmse", 0.0, {}, False, None),
        ("rmse", 0.0, {"transform": "log1p"}, True, None),
        ("rmse", -0.5, {"transform": "log1p", "clip_min": -0.5}, True, -0.5),
    ],
)
def test_scale_to_train_on(
    metric: str, low: float, target: dict[str, object], log1p: bool, clip_min: float | None
) -> None:
    y = RNG.exponential(size=N) + low + 1e-3
    y[0] = low
    data = prepared(y, metric=metric, target=target)
    scale = data.folds[0].schema.target
    assert (scale.log1p, scale.clip_min) == (log1p, clip_min)
    assert any("log1p" in note for note in data.notes) == (log1p and "transform" not in target)
    train = data.folds[0].train.target
    assert train is not None
    z = np.log1p(train) if log1p else train
    assert scale.mean == pytest.approx(z.mean())
    assert scale.std == pytest.approx(z.std())
    expected = train if clip_min is None else np.maximum(train, clip_min)
    np.testing.assert_allclose(scale.unstandardise(scale.standardise(train)), expected, atol=1e-9)


def test_missing_targets_are_refused_with_the_way_out() -> None:
    y = np.arange(N) * 1.5
    y[[3, 50]] = math.nan
    with pytest.raises(DataError, match=r"missing in 2 of 100 rows.*--set data.drop_missing_target=true"):
        prepared(y)
    data = prepared(y, drop_missing_target=True)
    assert set(range(N)) - set(data.splits["row"]) == {3, 50}
    assert "Left out 2 rows without a target." in data.notes
    train = data.folds[0].train.target
    np.testing.assert_array_equal(train, y[data.splits.query("part == 'train'")["row"]])


def test_recorded_splits_with_missing_targets() -> None:
    frame = pd.DataFrame({"a": RNG.normal(size=N), "y": RNG.normal(size=N)})
    frame.loc[[0, 7], "y"] = math.nan
    config = DataConfig(path="t.csv", target="y", drop_missing_target=True)
    first = prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0)
    again = prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=1, splits=first.splits)
    pd.testing.assert_frame_equal(again.splits, first.splits)
    np.testing.assert_array_equal(again.folds[0].test.target, first.folds[0].test.target)


@pytest.mark.parametrize(
    ("y", "arguments", "message"),
    [
        ([None] * N, {}, "missing in every row"),
        ([2.5] * N, {"task": "regression"}, "is 2.5 in every row"),
        (["a"] * N, {}, "is 'a' in every row: there is only one class"),
        (["a", "b"] * (N // 2), {"task": "regression"}, "'a' is not a number"),
        (RNG.normal(size=N), {"task": "classification"}, "100 distinct values in 100 rows, too many"),
        ([f"name {k}" for k in range(N)], {}, "too many for classification"),
        (np.arange(N) % 2, {"task": "regression", "metric": "mape"}, "use smape or mae"),
        (np.arange(N) - 5.0, {"metric": "rmsle"}, "use rmse, mae"),
        (np.arange(N) - 5.0, {"target": {"transform": "log1p"}}, "--set target.transform=none"),
        (np.arange(N) % 2, {"target": {"transform": "log1p"}}, "are for regression, the task is binary"),
        (np.arange(N) % 2, {"target": {"clip_min": 0.0}}, "are for regression, the task is binary"),
        (np.arange(N) * 1e300, {}, "has values beyond 1e\\+30: rescale it"),
        (np.arange(N), {"roles": {"y": "numeric"}}, "is the target, it cannot have a role"),
        (np.arange(N), {"roles": {"aa": "drop"}}, "data.roles: there is no column 'aa': did you mean 'a'"),
    ],
)
def test_bad_targets_are_refused(y: object, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        prepared(y, **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_no_such_target_offers_the_closest() -> None:
    frame = pd.DataFrame({"price": [1.0], "b": [2]})
    with pytest.raises(DataError, match=r"data.target: there is no column 'prise': did you mean 'price'\?"):
        prepare(frame, DataConfig(path="", target="prise"), TargetConfig(), SplitConfig(), None, seed=0)
    with pytest.raises(DataError, match="there is no column 'zzz': choose from 'price', 'b'"):
        prepare(frame, DataConfig(path="", target="zzz"), TargetConfig(), SplitConfig(), None, seed=0)


@pytest.mark.parametrize("name", ["None", "1e3", "true", "a b.c", "prediction"])
def test_odd_target_names(name: str) -> None:
    assert prepared(np.arange(N) * 1.5, name=name).task is Task.REGRESSION
