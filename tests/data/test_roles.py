from __future__ import annotations

import datetime
import json

import numpy as np
import pandas as pd
import pytest

from tuning.data import ColumnRole, DataConfig, PreparedData, SplitConfig, TargetConfig, prepare
from tuning.errors import DataError

N = 120
RNG = np.random.default_rng(0)
DAYS = pd.date_range("2020-01-15", periods=N, freq="31h")
WORDS = ["red", "green", "blue", "round", "square", "small", "large", "new", "old", "soft"]


def prepared(
    column: object, role: str | None = None, prefixes: tuple[str, ...] = (), name: str = "x"
) -> PreparedData:
    """Prepare a table of one plain feature, the column under test, and a target."""
    frame = pd.DataFrame({"plain": np.arange(N) % 7 + 0.5, "y": np.arange(N) * 1.5})
    frame[name] = pd.Series(column)
    roles = {} if role is None else {name: ColumnRole(role)}
    config = DataConfig(path="t.csv", target="y", roles=roles, embedding_prefixes=prefixes)
    return prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0)


def numeric(data: PreparedData, name: str = "x") -> np.ndarray:
    """The training values of one numeric column, in the order of the file."""
    fold = data.folds[0]
    return fold.train.numeric[:, fold.schema.numeric.index(name)]


def rows(data: PreparedData) -> np.ndarray:
    return data.splits.query("part == 'train'")["row"].to_numpy()


def sentences(n: int = N) -> list[str]:
    return [" ".join(RNG.choice(WORDS, 6)) for _ in range(n)]


@pytest.mark.parametrize(
    ("column", "role"),
    [
        (np.arange(N) * 0.5, "numeric"),
        (np.arange(N) % 5, "numeric"),
        (np.arange(N) % 2 == 0, "boolean"),
        ([True, False, None] * (N // 3), "boolean"),
        (["yes", "No"] * (N // 2), "boolean"),
        (["a", "b", "c"] * (N // 3), "categorical"),
        (pd.Categorical(["a", "b", "c"] * (N // 3)), "categorical"),
        ([f"brand {k % 40}" for k in range(N)], "categorical"),
        (DAYS, "datetime"),
        (DAYS.strftime("%Y-%m-%d"), "datetime"),
        (DAYS.strftime("%d.%m.%Y %H:%M"), "datetime"),
        ([day.date() for day in DAYS], "datetime"),
        (DAYS.tz_localize("Europe/Prague"), "datetime"),
        (pd.to_timedelta(np.arange(N), unit="h"), "numeric"),
        ([f"{k * 1234:,}" for k in range(N)], "numeric"),
        ([f"{k / 10:.1f} " for k in range(N)], "numeric"),
        (sentences(), "text"),
        ([[k, 1.0, -k] for k in range(N)], "embedding"),
        ([json.dumps([k, 1.0]) for k in range(N)], "embedding"),
        ([f"id_{k * 7919:x}" for k in range(N)], "drop"),
        (["constant"] * N, "drop"),
        ([3] * N, "drop"),
        ([None] * N, "drop"),
        (["?", "NA", ""] * (N // 3), "drop"),
        ([{"a": k} for k in range(N)], "drop"),
        ([[1] * (k % 3 + 1) for k in range(N)], "sequence"),
        (["train", "test"] * (N // 2), "drop"),
    ],
)
def test_inferred_roles(column: object, role: str) -> None:
    data = prepared(column)
    assert data.roles["x"] == role
    assert data.folds[0].train.dense.dtype == np.float32
    dropped = [note for note in data.notes if "'x'" in note and "dropped" in note]
    assert len(dropped) == (role == "drop")


def test_numbers_written_as_text() -> None:
    values = [f"{k * 1000 + 0.5:,}" for k in range(N)]
    values[3], values[4], values[5] = "?", " ", "n/a"
    data = prepared(values)
    expected = np.arange(N) * 1000 + 0.5
    expected[3:6] = np.nan
    np.testing.assert_array_equal(numeric(data), expected[rows(data)].astype(np.float32))
    assert any("'x': read as numbers from text" in note for note in data.notes)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([f"{k},5" for k in range(N)], np.arange(N) + 0.5),
        ([f"${k:.2f}" for k in range(N)], np.arange(N) * 1.0),
        ([f"{k} %" for k in range(N)], np.arange(N) * 1.0),
        ([f"-{k}e-1" for k in range(N)], np.arange(N) * -0.1),
    ],
)
def test_number_styles(values: list[str], expected: np.ndarray) -> None:
    data = prepared(values)
    np.testing.assert_allclose(numeric(data), expected[rows(data)], rtol=1e-6)


def test_a_few_words_among_numbers_are_missing_and_noted() -> None:
    values = [str(k) for k in range(N)]
    data = prepared(values)
    values[int(rows(data)[0])] = "sold out"
    data = prepared(values)
    assert data.roles["x"] == "numeric"
    assert np.isnan(numeric(data)[0])
    assert any("with 1 values that are none as missing" in note for note in data.notes)


def test_infinity_is_missing_and_huge_numbers_are_finite() -> None:
    data = prepared(np.where(np.arange(N) % 2 == 0, np.inf, 1e300 * np.arange(N)))
    values = numeric(data)
    assert not np.isinf(values).any()
    assert np.isnan(values).any()
    assert np.isfinite(data.folds[0].train.dense).all()


def test_date_parts() -> None:
    data = prepared(DAYS.strftime("%d-%m-%Y %H:%M"))
    names = [name for name in data.folds[0].schema.numeric if name.startswith("x.")]
    assert names == ["x.month", "x.day", "x.day_of_week", "x.hour", "x.days"]  # one year only
    days = DAYS[rows(data)]
    np.testing.assert_array_equal(numeric(data, "x.month"), days.month)
    np.testing.assert_array_equal(numeric(data, "x.day_of_week"), days.dayofweek)
    expected = (days - pd.Timestamp(0)) / pd.Timedelta(days=1)
    np.testing.assert_allclose(numeric(data, "x.days"), expected, rtol=1e-6)


def test_ambiguous_date_format_is_noted() -> None:
    data = prepared([f"{k % 12 + 1:02d}/{k % 11 + 1:02d}/2020" for k in range(N)])
    assert any("%d/%m/%Y, not %m/%d/%Y, which would fit too" in note for note in data.notes)


def test_dates_as_objects_and_durations() -> None:
    data = prepared([datetime.date(2020, 1, 1) + datetime.timedelta(days=k) for k in range(N)])
    assert "x.days" in data.folds[0].schema.numeric
    data = prepared(pd.to_timedelta(np.arange(N), unit="h"))
    np.testing.assert_array_equal(numeric(data), rows(data) * 3600)


def test_embedding_by_prefix_and_by_list() -> None:
    frame = pd.DataFrame(RNG.normal(size=(N, 5)), columns=[f"emb_{k}" for k in range(5)])
    frame["vector"] = list(RNG.normal(size=(N, 3)))
    frame["y"] = np.arange(N) * 1.5
    frame.loc[0, "emb_1"] = np.nan
    frame.at[1, "vector"] = None
    config = DataConfig(path="t.csv", target="y", embedding_prefixes=("emb_",))
    fold = prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0).folds[0]
    assert fold.schema.embedding_width == fold.train.embedding.shape[1] == 8
    assert fold.schema.dense_width == 0
    table = fold.transform.apply(frame)
    assert np.isfinite(table.embedding).all()
    np.testing.assert_allclose(table.embedding[2:, :5], frame.iloc[2:, :5], rtol=1e-6)
    np.testing.assert_allclose(table.embedding[0, 5:], frame["vector"][0], rtol=1e-6)


def test_text_becomes_an_embedding() -> None:
    data = prepared(sentences())
    fold = data.folds[0]
    assert 1 < fold.schema.embedding_width <= 64
    assert fold.train.embedding.dtype == np.float32
    similar = fold.transform.apply(pd.DataFrame({"plain": [1, 1, 1], "x": ["red red red", "red", "old old"]}))
    a, b, c = similar.embedding
    assert a @ b > a @ c


def test_only_an_identifier_is_read_letter_by_letter() -> None:
    frame = pd.DataFrame({"x": [f"{'aeiou'[k % 5]}{k:04d}.org" for k in range(N)], "y": np.arange(N) * 1.5})
    data = prepare(frame, DataConfig(path="t.csv", target="y"), TargetConfig(), SplitConfig(), None, seed=0)
    assert data.roles["x"] == "sequence"
    assert data.folds[0].schema.embedding_width > 1


@pytest.mark.parametrize(
    ("column", "role"),
    [
        (np.arange(N) % 5, "categorical"),
        (["1", "0"] * (N // 2), "boolean"),
        (np.arange(N) % 2, "boolean"),
        ([f"id_{k}" for k in range(N)], "categorical"),
        ([f"id_{k}" for k in range(N)], "text"),
        (np.arange(N), "drop"),
        (np.arange(N) % 30, "group"),
        (np.arange(N) + 1, "weight"),
        (np.arange(N) * 0.1, "embedding"),
    ],
)
def test_given_roles_win(column: object, role: str) -> None:
    assert prepared(column, role).roles["x"] == role


def test_whole_numbers_as_categories_match_across_types() -> None:
    fold = prepared(np.arange(N) % 5, "categorical").folds[0]
    assert fold.schema.cardinalities == (5,)
    new = pd.DataFrame({"plain": [0.5] * 5, "x": pd.Series([1, 1.0, "1", "9", None], dtype=object)})
    assert fold.transform.apply(new).categorical[:, 0].tolist() == [1, 1, 1, -1, -1]


@pytest.mark.parametrize(
    ("column", "role", "message"),
    [
        (sentences(), "numeric", "has the role numeric, but .* is not a number"),
        (["a", "b"] * (N // 2), "boolean", "is not true or false"),
        (["a", "b"] * (N // 2), "datetime", "is not a date in a known format"),
        ([[1] * (k % 3 + 1) for k in range(N)], "embedding", "a list of numbers of one length"),
        ([". !", "! ."] * (N // 2), "text", "no words"),
        (np.arange(N) - 5, "weight", "must hold numbers of 0 or more"),
        (["a"] * N, "weight", "must hold numbers of 0 or more"),
    ],
)
def test_given_role_that_does_not_fit_is_refused(column: object, role: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepared(column, role)


def test_no_feature_left() -> None:
    frame = pd.DataFrame({"a": [1] * N, "y": np.arange(N) * 1.5})
    with pytest.raises(DataError, match=r"No column is left to learn from\. Column 'a': dropped"):
        prepare(frame, DataConfig(path="t.csv", target="y"), TargetConfig(), SplitConfig(), None, seed=0)


def test_unnamed_row_counter_is_dropped_and_a_named_one_is_pointed_at() -> None:
    assert prepared(np.arange(N), name="Unnamed: 0").roles["Unnamed: 0"] == "drop"
    data = prepared(np.arange(N), name="row")
    assert data.roles["row"] == "numeric"
    assert any("looks like a row number" in note for note in data.notes)


def test_whole_numbers_with_few_levels_are_pointed_at() -> None:
    codes = prepared(np.arange(N) % 5)
    assert codes.roles["x"] == "numeric"
    assert any("data.roles.NAME=categorical" in note and "'x'" in note for note in codes.notes)


@pytest.mark.parametrize("column", [np.arange(N) % 2, np.arange(N) * 7, np.arange(N) % 5 * 0.5])
def test_truth_values_counts_and_fractions_are_not_pointed_at(column: object) -> None:
    assert not any("data.roles.NAME" in note for note in prepared(column).notes)


def test_a_table_of_grades_is_not_pointed_at_column_by_column() -> None:
    grades = {f"g{k}": (np.arange(N) + k) % 5 for k in range(12)}
    frame = pd.DataFrame({**grades, "y": np.arange(N) * 1.5})
    data = prepare(frame, DataConfig(path="t.csv", target="y"), TargetConfig(), SplitConfig(), None, seed=0)
    assert not any("data.roles.NAME" in note for note in data.notes)


def test_constant_with_gaps_is_kept() -> None:
    data = prepared([5.0, None] * (N // 2))
    assert data.roles["x"] == "numeric"
    assert data.folds[0].schema.dense_width == 3  # plain, x, and where x is missing


def test_dates_written_as_numbers_need_the_role() -> None:
    numbers = DAYS.strftime("%Y%m%d").astype(int)
    assert prepared(numbers).roles["x"] == "numeric"
    data = prepared(numbers, "datetime")
    np.testing.assert_array_equal(numeric(data, "x.day"), DAYS[rows(data)].day)


def test_parts_of_a_date_that_only_differ_by_gaps_are_left_out() -> None:
    days = pd.Series(["2020-03-05", None, "2020-03-06", "2020-03-07"] * (N // 4))
    schema = prepared(days).folds[0].schema
    assert schema.numeric[1:] == ("x.day", "x.day_of_week", "x.days")
    assert prepared(days.where(days == "2020-03-05")).folds[0].schema.numeric[1:] == ("x.days",)


@pytest.mark.parametrize(
    ("column", "role"),
    [
        (pd.array([1, 2, None, 4] * (N // 4), dtype="Int64"), "numeric"),
        (pd.array([True, False, None] * (N // 3), dtype="boolean"), "boolean"),
        (pd.array(["a", "b"] * (N // 2), dtype="string[pyarrow]"), "categorical"),
        (pd.array([1.5, 2.5] * (N // 2), dtype="float64[pyarrow]"), "numeric"),
        (pd.period_range("2020-01", periods=N, freq="M"), "datetime"),
        (pd.arrays.SparseArray([0, 0, 1] * (N // 3)), "numeric"),
        (pd.Categorical(np.arange(N) % 4), "categorical"),
    ],
)
def test_extension_types(column: object, role: str) -> None:
    assert prepared(column).roles["x"] == role
