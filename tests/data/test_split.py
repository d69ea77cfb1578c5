from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tuning.data import ColumnRole, DataConfig, PreparedData, SplitConfig, TargetConfig, prepare
from tuning.errors import DataError

N = 200


def table(n: int = N, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "who": [f"person {k}" for k in rng.integers(0, 30, n)],
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 50, n), unit="D"),
            "y": rng.normal(size=n),
            "c": rng.choice(["no", "maybe", "yes"], n, p=[0.6, 0.3, 0.1]),
        }
    )


def deal(
    frame: pd.DataFrame,
    target: str = "y",
    seed: int = 0,
    roles: dict[str, str] | None = None,
    **split: object,
):
    config = DataConfig(
        path="t.csv", target=target, roles={name: ColumnRole(role) for name, role in (roles or {}).items()}
    )
    return prepare(frame, config, TargetConfig(), SplitConfig.model_validate(split), None, seed)


def parts(
    data: PreparedData, fold: int = 0, by_time: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train, valid and test rows of a fold, by the documented meaning of the splits table."""
    part, number = data.splits["part"], data.splits["fold"]
    valid = (part == "valid") & (number == fold)
    others = (part == "valid") & (number < fold if by_time else number != fold)
    rows = data.splits["row"].to_numpy()
    return rows[(part == "train") | others], rows[valid], rows[part == "test"]


def test_holdout_shares_and_coverage() -> None:
    data = deal(table(), valid=0.2, test=0.1)
    train, valid, test = parts(data)
    assert (len(train), len(valid), len(test)) == (140, 40, 20)
    assert sorted([*train, *valid, *test]) == list(range(N))
    assert list(data.splits.columns) == ["row", "part", "fold"]
    fold = data.folds[0]
    for rows, part in ((train, fold.train), (valid, fold.valid), (test, fold.test)):
        np.testing.assert_array_equal(part.target, table()["y"][rows])
        np.testing.assert_array_equal(part.numeric[:, 0], table()["a"][rows].astype(np.float32))


def test_no_test_part() -> None:
    data = deal(table(), test=0.0)
    fold = data.folds[0]
    assert len(fold.test) == 0
    assert fold.test.dense.shape == (0, fold.schema.dense_width)
    assert fold.test.embedding.shape == (0, fold.schema.embedding_width)


def test_same_seed_same_split_and_another_seed_another() -> None:
    first, again, other = (deal(table(), seed=seed).splits for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_classes_keep_their_shares() -> None:
    frame = table()
    data = deal(frame, target="c")
    shares = frame["c"].value_counts(normalize=True)
    for rows in parts(data):
        found = frame["c"][rows].value_counts(normalize=True)
        assert (found - shares).abs().max() < 0.03


@pytest.mark.parametrize("target", ["y", "c"])
@pytest.mark.parametrize("method", ["random", "group"])
def test_kfold_covers_each_row_once(target: str, method: str) -> None:
    column = {"column": "who"} if method == "group" else {}
    data = deal(table(), target=target, folds=4, test=0.2, method=method, **column)
    assert len(data.folds) == 4
    test = parts(data)[2]
    validated = np.concatenate([parts(data, fold)[1] for fold in range(4)])
    assert sorted([*validated, *test]) == list(range(N))
    for number, fold in enumerate(data.folds):
        train, valid, _ = parts(data, number)
        assert (len(fold.train), len(fold.valid), len(fold.test)) == (len(train), len(valid), len(test))
        assert set(train).isdisjoint(valid)
        np.testing.assert_array_equal(fold.test.target, data.folds[0].test.target)


def test_each_fold_has_its_own_transform() -> None:
    data = deal(table(), folds=3)
    means = {fold.schema.target.mean for fold in data.folds}
    assert len(means) == 3
    assert not np.array_equal(data.folds[0].test.dense, data.folds[1].test.dense)


@pytest.mark.parametrize("folds", [0, 3])
@pytest.mark.parametrize("target", ["y", "c"])
def test_no_group_is_in_two_parts(folds: int, target: str) -> None:
    frame = table()
    by_column = deal(frame, target=target, method="group", column="who", folds=folds)
    by_role = deal(frame, target=target, roles={"who": "group"}, folds=folds)
    pd.testing.assert_frame_equal(by_column.splits, by_role.splits)
    for number in range(max(folds, 1)):
        train, valid, test = (set(frame["who"][rows]) for rows in parts(by_column, number))
        assert train.isdisjoint(valid)
        assert train.isdisjoint(test)
        assert valid.isdisjoint(test)
        assert all((train, valid, test))
    assert "who" not in by_column.folds[0].schema.categorical
    assert by_column.roles["who"] == "group"


def test_group_shares_are_close() -> None:
    _, valid, test = parts(deal(table(2000), method="group", column="who"))
    assert len(valid) / 2000 == pytest.approx(0.15, abs=0.04)
    assert len(test) / 2000 == pytest.approx(0.15, abs=0.04)


@pytest.mark.parametrize("as_text", [False, True])
def test_time_split_keeps_order_and_ties(as_text: bool) -> None:
    frame = table()
    if as_text:
        frame["when"] = frame["when"].dt.strftime("%d-%m-%Y")
    data = deal(frame, method="time", column="when")
    times = table()["when"]
    train, valid, test = (times[rows] for rows in parts(data, by_time=True))
    assert train.max() < valid.min()
    assert valid.max() < test.min()
    assert len(test) == pytest.approx(30, abs=6)
    assert len(valid) == pytest.approx(30, abs=6)


def test_time_folds_never_train_on_the_future() -> None:
    data = deal(table(), method="time", column="when", folds=4)
    times = table()["when"]
    sizes = []
    for number, fold in enumerate(data.folds):
        train, valid, test = parts(data, number, by_time=True)
        assert times[train].max() < times[valid].min()
        assert times[valid].max() < times[test].min()
        assert len(fold.train) == len(train)
        sizes.append(len(train))
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 4


def test_time_split_of_numbers_and_few_stamps() -> None:
    frame = table().assign(when=np.arange(N) // 67)
    train, valid, test = parts(deal(frame, method="time", column="when"), by_time=True)
    assert set(frame["when"][train]) == {0}
    assert set(frame["when"][valid]) == {1}
    assert set(frame["when"][test]) == {2}


def test_predefined_parts() -> None:
    frame = table()
    labels = np.array(["train", "Validation", "TEST"])[np.arange(N) % 3]
    data = deal(frame.assign(part=labels), method="column", column="part")
    train, valid, test = parts(data)
    assert [set(rows % 3) for rows in (train, valid, test)] == [{0}, {1}, {2}]
    assert data.roles["part"] == "drop"


def test_predefined_parts_without_validation() -> None:
    labels = np.where(np.arange(N) % 4 == 0, "test", "train")
    for target in ("y", "c"):
        data = deal(table().assign(part=labels), target=target, method="column", column="part")
        _, valid, test = parts(data)
        assert set(test % 4) == {0}
        assert len(valid) == round(0.15 * 150)
        data = deal(table().assign(part=labels), target=target, method="column", column="part", folds=3)
        assert len(data.folds) == 3


def test_recorded_splits_are_used_again() -> None:
    frame = table()
    config, target, split = DataConfig(path="t.csv", target="y"), TargetConfig(), SplitConfig()
    first = prepare(frame, config, target, split, None, seed=0)
    again = prepare(
        frame, config, target, split, None, seed=5, splits=first.splits.sample(frac=1, random_state=0)
    )
    pd.testing.assert_frame_equal(again.splits, first.splits)
    np.testing.assert_array_equal(again.folds[0].train.dense, first.folds[0].train.dense)


def test_recorded_splits_of_another_file_are_refused() -> None:
    config, target, split = DataConfig(path="t.csv", target="y"), TargetConfig(), SplitConfig()
    recorded = prepare(table(), config, target, split, None, seed=0).splits
    with pytest.raises(DataError, match="the file has changed"):
        prepare(table(150), config, target, split, None, seed=0, splits=recorded)
    with pytest.raises(DataError, match="must have the columns row, part"):
        prepare(table(), config, target, split, None, seed=0, splits=recorded.drop(columns="fold"))


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({}, {"method": "group"}, "needs --set split.column=NAME, or a column with the role group"),
        ({}, {"method": "random", "roles": {"who": "group"}}, "ignores groups"),
        ({}, {"method": "stratified"}, "needs a classification target"),
        ({}, {"method": "group", "column": "whom"}, "no column 'whom': did you mean 'who'"),
        ({"who": "one"}, {"method": "group", "column": "who"}, "needs more groups than parts"),
        ({"who": np.arange(N) % 4}, {"method": "group", "column": "who", "folds": 5}, "as many groups"),
        ({"who": None}, {"method": "group", "column": "who"}, "is missing in 200 rows"),
        ({"when": 1}, {"method": "time", "column": "when"}, "needs as many times, not 1"),
        ({"when": "soon"}, {"method": "time", "column": "when"}, "must hold a date or a number"),
        ({"part": "some"}, {"method": "column", "column": "part"}, "holds 'some'"),
        ({"part": "test"}, {"method": "column", "column": "part"}, "holds no row of train"),
        ({}, {"method": "time", "column": "y"}, "is the target"),
        ({}, {"roles": {"who": "group", "a": "group"}}, "only one column can have the role group"),
        ({}, {"folds": 199}, "as many rows outside the test"),
    ],
)
def test_impossible_splits(changes: dict[str, object], arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        deal(table().assign(**changes), **arguments)


def test_too_few_rows() -> None:
    with pytest.raises(DataError, match="There are 3 rows, at least 4 are needed"):
        deal(table().head(3))
    assert len(deal(table().head(5)).folds) == 1


@pytest.mark.parametrize("folds", [0, 5])
def test_rare_class(folds: int) -> None:
    frame = table()
    frame["c"] = frame["c"].astype(object)
    frame.loc[0, "c"] = "once"
    with pytest.raises(DataError, match="Class 'once' has 1 row, but a stratified split in"):
        deal(frame, target="c", folds=folds)


def test_class_without_training_rows() -> None:
    frame = table().assign(c=["a"] * 100 + ["b"] * 99 + ["late"], when=np.arange(N))
    with pytest.raises(DataError, match="Class 'late' has no training row"):
        deal(frame, target="c", method="time", column="when")


def test_more_classes_than_rows_of_a_part() -> None:
    frame = pd.DataFrame({"a": np.arange(40) % 9, "c": [f"class {k % 10}" for k in range(40)]})
    with pytest.raises(DataError, match="A part of 6 rows cannot hold 10 classes"):
        deal(frame, target="c")


def test_validation_part_of_one_class_is_refused_for_roc_auc() -> None:
    frame = pd.DataFrame({"a": np.arange(N) % 9, "when": np.arange(N), "c": (["x", "y"] * 70) + ["x"] * 60})
    with pytest.raises(DataError, match="roc_auc needs rows of at least 2 classes"):
        deal(frame, target="c", method="time", column="when")


def test_grouped_folds_with_a_class_rarer_than_the_folds() -> None:
    frame = table()
    frame["c"] = ["rare"] * 3 + ["common", "usual"] * ((N - 3) // 2) + ["usual"]
    frame.loc[:2, "who"] = ["one", "two", "three"]
    data = deal(frame, target="c", method="group", column="who", folds=4, test=0.0)
    assert [len(parts(data, fold)[1]) > 0 for fold in range(4)] == [True] * 4
    assert all(set(fold.train.target) == {0, 1, 2} for fold in data.folds)


def test_recorded_splits_without_validation_rows_are_refused() -> None:
    config, target, split = DataConfig(path="t.csv", target="y"), TargetConfig(), SplitConfig()
    recorded = prepare(table(), config, target, split, None, seed=0).splits
    recorded["fold"] = recorded["fold"].where(recorded["fold"] < 0, 1)
    with pytest.raises(DataError, match="Fold 0 has no row"):
        prepare(table(), config, target, split, None, seed=0, splits=recorded)


@pytest.mark.parametrize(("rows", "folds", "told"), [(300, 0, True), (300, 5, False), (1000, 0, False)])
def test_few_rows_of_validation_are_told(rows: int, folds: int, told: bool) -> None:
    frame = pd.DataFrame({"x": np.arange(rows) % 97 / 97, "y": np.arange(rows) / 3})
    data = DataConfig(path="rows.csv", target="y")
    prepared = prepare(frame, data, TargetConfig(), SplitConfig(folds=folds), None, 0)
    assert any("split.folds=5" in note for note in prepared.notes) == told
