from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tuning.data import (
    ColumnRole,
    DataConfig,
    PreparedData,
    SplitConfig,
    TableTransform,
    TargetConfig,
    prepare,
)
from tuning.errors import DataError
from tuning.models import Table
from tuning.models.errors import CheckpointError

N = 240
WORDS = ["red", "green", "blue", "round", "square", "small", "large", "new", "old", "soft"]
ARRAYS = ("numeric", "categorical", "embedding", "dense")


def table(seed: int = 0, n: int = N) -> pd.DataFrame:
    """Every kind of column."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "plain": rng.normal(size=n),
            "gaps": np.where(rng.random(n) < 0.2, np.nan, rng.normal(50, 10, n)),
            "tail": np.exp(rng.normal(0, 3, n)),
            "flag": rng.random(n) < 0.5,
            "few": rng.choice(["x", "y", "z"], n),
            "many": [f"level {k}" for k in rng.integers(0, 40, n)],
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="h"),
            "words": [" ".join(rng.choice(WORDS, 6)) for _ in range(n)],
            "count": [f"{k:,}" for k in rng.integers(0, 100_000, n)],
            "vector": list(rng.normal(size=(n, 4))),
            "weight": rng.random(n) + 0.5,
            "y": rng.normal(size=n),
            "c": rng.choice(["no", "maybe", "yes"], n),
        }
    )
    frame.loc[frame.index % 17 == 3, "few"] = None
    return frame


def prepared(frame: pd.DataFrame, target: str = "y", **arguments: object) -> PreparedData:
    other = "c" if target == "y" else "y"
    roles = {"weight": ColumnRole.WEIGHT, other: ColumnRole.DROP}
    config = DataConfig(path="t.csv", target=target, roles=roles)
    return prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0, **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data() -> PreparedData:
    return prepared(table())


def assert_equal(a: Table, b: Table) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name, strict=True)


def files_of(transform: TableTransform, folder: Path) -> dict[str, bytes]:
    transform.save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_tables_keep_the_contract(data: PreparedData) -> None:
    schema = data.folds[0].schema
    for part in (data.folds[0].train, data.folds[0].valid, data.folds[0].test):
        n = len(part)
        assert part.numeric.shape == (n, len(schema.numeric))
        assert part.categorical.shape == (n, len(schema.categorical))
        assert part.embedding.shape == (n, schema.embedding_width)
        assert part.dense.shape == (n, schema.dense_width)
        assert (part.numeric.dtype, part.categorical.dtype) == (np.float32, np.int32)
        assert (part.embedding.dtype, part.dense.dtype) == (np.float32, np.float32)
        assert all(getattr(part, name).flags.c_contiguous for name in ARRAYS)
        assert np.isfinite(part.dense).all()
        assert np.isfinite(part.embedding).all()
        assert part.weight is not None
        assert (part.weight.shape, part.weight.dtype) == ((n,), np.float64)
        for codes, levels in zip(part.categorical.T, schema.cardinalities, strict=True):
            assert codes.min() >= -1
            assert codes.max() < levels
    assert schema.numeric[:4] == ("plain", "gaps", "tail", "flag")
    assert dict(zip(schema.categorical, schema.one_hot, strict=True)) == {"few": True, "many": False}


def test_dense_is_standardised_and_knows_what_was_missing(data: PreparedData) -> None:
    fold = data.folds[0]
    plain = fold.train.dense[:, 0]
    assert plain.mean() == pytest.approx(0, abs=1e-5)
    assert plain.std() == pytest.approx(1, abs=1e-5)
    assert np.abs(fold.train.dense).max() <= 10
    numeric, columns = len(fold.schema.numeric), fold.schema.dense_width
    assert columns == numeric + 1 + 3  # one column with gaps, three levels of `few`
    missing = np.isnan(fold.train.numeric[:, fold.schema.numeric.index("gaps")])
    np.testing.assert_array_equal(fold.train.dense[:, numeric], missing)
    few = fold.train.categorical[:, 0]
    np.testing.assert_array_equal(fold.train.dense[:, -3:], np.eye(4)[few][:, :3])


def test_heavy_tail_is_tamed() -> None:
    frame = pd.DataFrame({"tail": np.exp(np.random.default_rng(0).normal(0, 3, 2000)), "y": np.arange(2000)})
    config = DataConfig(path="", target="y")
    dense = prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0).folds[0].train.dense[:, 0]
    assert np.mean(np.abs(dense) < 2) == pytest.approx(0.95, abs=0.02)  # as for a normal distribution


@pytest.mark.parametrize(("target", "median"), [("y", np.log(2) - 1), ("label", 0.0)])
def test_a_moderate_tail_is_bent_for_classes_alone(target: str, median: float) -> None:
    """Exponential values: their median lies below their mean, by rank it does not."""
    frame = pd.DataFrame({"tail": np.random.default_rng(0).exponential(size=4000), "y": np.arange(4000)})
    frame["label"] = np.where(frame["y"] % 2, "a", "b")
    roles = {name: ColumnRole.DROP for name in ("y", "label") if name != target}
    config = DataConfig(path="", target=target, roles=roles)
    dense = prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0).folds[0].train.dense[:, 0]
    assert np.median(dense) == pytest.approx(median, abs=0.05)


def test_nothing_is_learnt_from_validation_and_test_rows(data: PreparedData, tmp_path: Path) -> None:
    frame = table()
    changed = frame.copy()
    others = data.splits.query("part != 'train'")["row"].to_numpy()
    strange = table(seed=1)
    features = [name for name in frame.columns if name not in ("y", "c")]
    for name in features:
        changed[name] = changed[name].astype(object)
        changed.loc[others, name] = strange.loc[others, name]
    changed.loc[others, "plain"] = "not a number"
    changed.loc[others, "few"] = "unseen"
    changed.loc[others, "gaps"] = 1e9
    changed.loc[others, "when"] = pd.Timestamp("1900-01-01")
    again = prepared(changed)
    pd.testing.assert_frame_equal(again.splits, data.splits)
    assert again.folds[0].schema == data.folds[0].schema
    of_training = [note for note in again.notes if not note.startswith("Rows that ")]
    assert of_training == [note for note in data.notes if not note.startswith("Rows that ")]
    assert_equal(again.folds[0].train, data.folds[0].train)
    assert not np.array_equal(again.folds[0].valid.dense, data.folds[0].valid.dense)
    first = files_of(data.folds[0].transform, tmp_path / "a")
    second = files_of(again.folds[0].transform, tmp_path / "b")
    assert first["transform.json"] == second["transform.json"]
    probe = table(seed=2)
    assert_equal(again.folds[0].transform.apply(probe), data.folds[0].transform.apply(probe))


def test_nothing_is_learnt_from_validation_and_test_targets(data: PreparedData) -> None:
    frame = table()
    others = data.splits.query("part != 'train'")["row"].to_numpy()
    frame.loc[others, "y"] = 1e6 + np.arange(len(others))
    again = prepared(frame, splits=data.splits)
    assert again.folds[0].schema == data.folds[0].schema
    assert_equal(again.folds[0].train, data.folds[0].train)


def test_same_frame_same_tables_and_the_frame_is_not_changed(data: PreparedData) -> None:
    frame = table()
    before = frame.copy(deep=True)
    again = prepared(frame)
    pd.testing.assert_frame_equal(frame, before)
    for first, second in zip(data.folds, again.folds, strict=True):
        for part in ("train", "valid", "test"):
            assert_equal(getattr(first, part), getattr(second, part))


def test_new_rows_need_no_target_and_ignore_extra_columns(data: PreparedData) -> None:
    frame = table()
    fold = data.folds[0]
    rows = data.splits.query("part == 'test'")["row"].to_numpy()
    new = frame.drop(columns=["y", "c", "weight"]).assign(extra=1).loc[rows, ::-1]
    applied = fold.transform.apply(new)
    assert_equal(applied, fold.test)
    assert applied.target is None
    assert applied.weight is None


def test_new_rows_need_no_weights_but_rows_to_train_on_do(data: PreparedData) -> None:
    transform = data.folds[0].transform
    blank = table().assign(weight=np.nan)
    assert_equal(transform.apply(blank), transform.apply(table()))
    with pytest.raises(DataError, match="The weight column 'weight' must hold numbers of 0 or more"):
        transform.weights(blank)


def test_each_row_is_read_by_itself(data: PreparedData) -> None:
    frame, transform = table(), data.folds[0].transform
    whole = transform.apply(frame)
    assert_equal(transform.apply(frame.iloc[[5]]), whole.take([5]))
    as_text = frame.astype({"plain": "str", "when": "str", "flag": "str"})
    assert_equal(transform.apply(as_text), whole)


def test_missing_column_is_named(data: PreparedData) -> None:
    with pytest.raises(DataError, match="lacks the columns 'few', 'when'"):
        data.folds[0].transform.apply(table().drop(columns=["few", "when", "weight"]))


def test_unseen_and_missing_values(data: PreparedData) -> None:
    frame = table().head(2).astype({"few": object, "many": object, "plain": object, "words": object})
    frame.loc[0, ["few", "many", "plain", "words"]] = ["unseen", None, None, None]
    one = data.folds[0].transform.apply(frame).take([0])
    assert one.categorical.tolist() == [[-1, -1]]
    assert np.isnan(one.numeric[0, 0])
    assert np.isfinite(one.dense).all()
    assert (one.dense[0, -3:] == 0).all()
    assert np.isfinite(one.embedding).all()


@pytest.mark.parametrize("target", ["y", "c"])
def test_save_and_load(target: str, tmp_path: Path) -> None:
    transform = prepared(table(), target).folds[0].transform
    transform.save(tmp_path / "transform")
    loaded = TableTransform.load(tmp_path / "transform")
    assert (loaded.schema, loaded.classes, loaded.columns, loaded.levels) == (
        transform.schema,
        transform.classes,
        transform.columns,
        transform.levels,
    )
    probe = table(seed=3)
    assert_equal(loaded.apply(probe), transform.apply(probe))
    assert {path.suffix for path in (tmp_path / "transform").iterdir()} == {".json", ".skops"}


def test_damaged_folder(data: PreparedData, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="readable table transform"):
        TableTransform.load(tmp_path)
    data.folds[0].transform.save(tmp_path)
    (tmp_path / "encoders.skops").write_bytes(b"damaged")
    with pytest.raises(CheckpointError):
        TableTransform.load(tmp_path)
    data.folds[0].transform.save(tmp_path)
    state = json.loads((tmp_path / "transform.json").read_text())
    (tmp_path / "transform.json").write_text(json.dumps({**state, "schema": {}}))
    with pytest.raises(CheckpointError):
        TableTransform.load(tmp_path)


def test_labels_of_a_regression(data: PreparedData) -> None:
    decoded = data.folds[0].transform.labels(np.array([1.5, 2.5]))
    assert decoded.to_dict("list") == {"prediction": [1.5, 2.5]}


@pytest.mark.parametrize("classes", [("maybe", "no", "yes"), (0, 1, 2)])
def test_labels_of_a_classification(classes: tuple[str | int, ...]) -> None:
    frame = table()[["plain", "c"]]
    frame["c"] = frame["c"].map(dict(zip(("maybe", "no", "yes"), classes, strict=True)))
    config = DataConfig(path="t.csv", target="c")
    transform = prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0).folds[0].transform
    decoded = transform.labels(np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]]))
    assert list(decoded.columns) == ["prediction", *(f"probability_{label}" for label in classes)]
    assert decoded["prediction"].tolist() == [classes[1], classes[0]]
    assert decoded[f"probability_{classes[2]}"].tolist() == [0.2, 0.3]
