"""Numbers that float32 cannot tell apart reach the models apart: centred, and where needed scaled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from tuning.data import DataConfig, PreparedData, SplitConfig, TableTransform, TargetConfig, TaskKind, prepare

N = 300
RNG = np.random.default_rng(0)
STAMP = 1_700_000_000.0
ORDER = RNG.permutation(N).astype(np.float64)  # distinct whole numbers, in no order

COLUMNS = {
    "seconds since 1970": STAMP + ORDER,
    "milliseconds since 1970": 1000 * STAMP + ORDER,
    "ids": 9_000_000_000_000 + 3 * ORDER,
    "prices": 16_777_216.0 + ORDER % 5,
    "large offset, tiny variation": 1e9 + 1e-5 * ORDER,
    "tiny": 1e-42 * ORDER,
    "closer than 1e-7": 1 + 1e-9 * ORDER,
    "beyond float32": 1e300 * ORDER,
    "negative": -STAMP - ORDER,
    "with a sentinel": np.where(ORDER < 20, 0.0, STAMP + ORDER),
    "with gaps": np.where(ORDER < 20, np.nan, STAMP + ORDER),
}


def prepared(x: npt.NDArray[np.float64] | pd.Series, y: object = None, **columns: object) -> PreparedData:  # type: ignore[type-arg]
    frame = pd.DataFrame({"x": x, **columns, "y": RNG.normal(size=N) if y is None else y})
    data = DataConfig(path="t.csv", target="y", task=TaskKind.REGRESSION)
    return prepare(frame, data, TargetConfig(), SplitConfig(), None, seed=0)


def rows_of(data: PreparedData, part: str) -> npt.NDArray[np.intp]:
    return data.splits.query("part == @part")["row"].to_numpy()


@pytest.mark.parametrize("name", list(COLUMNS))
def test_values_stay_apart_and_in_their_order(name: str) -> None:
    x = COLUMNS[name]
    data = prepared(x)
    fold = data.folds[0]
    for part, table in (("train", fold.train), ("valid", fold.valid), ("test", fold.test)):
        given, seen = x[rows_of(data, part)], table.numeric[:, 0]
        np.testing.assert_array_equal(np.isnan(given), np.isnan(seen))
        given, seen = given[~np.isnan(given)], seen[~np.isnan(seen)]
        assert seen.dtype == np.float32
        assert np.isfinite(seen).all()
        assert len(np.unique(seen)) == len(np.unique(given))
        np.testing.assert_array_equal(seen.argsort(kind="stable"), given.argsort(kind="stable"))
        known = table.dense[~np.isnan(table.numeric[:, 0]), 0]
        assert len(np.unique(known)) == len(np.unique(given))


@pytest.mark.parametrize(
    "x", [ORDER, RNG.normal(size=N), 1e6 * RNG.normal(size=N), np.exp(3 * RNG.normal(size=N)), ORDER % 2]
)
def test_ordinary_numbers_stay_as_they_are(x: npt.NDArray[np.float64]) -> None:
    data = prepared(x)
    np.testing.assert_array_equal(
        data.folds[0].train.numeric[:, 0], x[rows_of(data, "train")].astype(np.float32)
    )


def test_columns_of_mixed_magnitudes_each_get_their_own_place() -> None:
    names = ["seconds since 1970", "tiny", "prices", "large offset, tiny variation"]
    others = {name: COLUMNS[name] for name in names[1:]}
    data = prepared(COLUMNS[names[0]], plain=ORDER, **others)
    fold = data.folds[0]
    rows = rows_of(data, "train")
    for place, name in enumerate(fold.schema.numeric):
        given = {"x": COLUMNS[names[0]], "plain": ORDER, **others}[name][rows]
        assert len(np.unique(fold.train.numeric[:, place])) == len(np.unique(given)), name


@pytest.mark.parametrize(("unit", "step"), [("s", 1), ("ms", 7), ("us", 1)])
def test_times_keep_the_precision_of_the_data(unit: str, step: int) -> None:
    times = pd.Timestamp("2024-03-01 12:00") + pd.to_timedelta(pd.Series(ORDER * step), unit=unit)
    fold = prepared(times.astype("datetime64[us]")).folds[0]
    (days,) = (
        fold.train.numeric[:, place] for place, name in enumerate(fold.schema.numeric) if "days" in name
    )
    assert len(np.unique(days)) == len(days)


def test_the_centre_is_learnt_on_training_rows() -> None:
    data = prepared(COLUMNS["seconds since 1970"])
    rows = rows_of(data, "train")
    changed = COLUMNS["seconds since 1970"].copy()
    changed[np.setdiff1d(np.arange(N), rows)] += 5e8
    frame = pd.DataFrame({"x": changed, "y": RNG.normal(size=N)})
    config = DataConfig(path="t.csv", target="y")
    other = prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0, splits=data.splits)
    np.testing.assert_array_equal(other.folds[0].train.numeric, data.folds[0].train.numeric)


def test_the_centre_is_kept_and_older_transforms_have_none(tmp_path: Path) -> None:
    transform = prepared(COLUMNS["seconds since 1970"]).folds[0].transform
    assert isinstance(transform, TableTransform)
    rows = pd.DataFrame({"x": STAMP + np.arange(5.0)})
    transform.save(tmp_path)
    kept = TableTransform.load(tmp_path).apply(rows)
    np.testing.assert_array_equal(kept.numeric, transform.apply(rows).numeric)
    np.testing.assert_array_equal(np.diff(kept.numeric[:, 0]), 1)

    state = json.loads((tmp_path / "transform.json").read_text())
    del state["single"]
    for name in ("centre", "unit"):
        del state["schema"]["target"][name]
    (tmp_path / "transform.json").write_text(json.dumps(state))
    older = TableTransform.load(tmp_path)
    np.testing.assert_array_equal(older.apply(rows).numeric[:, 0], rows["x"].astype(np.float32))
    assert older.schema.target.forward(np.array([3.0])) == 3.0


@pytest.mark.parametrize(
    ("y", "centred", "scaled"),
    [
        (STAMP + ORDER, True, False),
        (16_777_216.0 + ORDER % 5, True, False),
        (1e-4 * RNG.normal(size=N), False, True),
        (1e9 * RNG.normal(size=N), False, True),
        (1e9 + 1e-5 * ORDER, True, True),
        (RNG.normal(size=N), False, False),
        (2e5 + 1e5 * RNG.normal(size=N), False, False),
    ],
)
def test_targets_far_from_zero_or_of_an_odd_scale(
    y: npt.NDArray[np.float64], centred: bool, scaled: bool
) -> None:
    data = prepared(RNG.normal(size=N), y)
    scale = data.folds[0].schema.target
    assert (scale.centre != 0, scale.unit != 1) == (centred, scaled)
    tolerance = 1e-6 * y.std() + 1e-15 * np.abs(y).max()
    np.testing.assert_allclose(scale.inverse(scale.forward(y)), y, rtol=0, atol=tolerance)
    np.testing.assert_allclose(scale.unstandardise(scale.standardise(y)), y, rtol=0, atol=tolerance)
    train = data.folds[0].train.target
    assert train is not None
    np.testing.assert_array_equal(train, y[rows_of(data, "train")])
    forwarded = scale.forward(train).astype(np.float32)
    assert len(np.unique(forwarded)) == len(np.unique(train))
