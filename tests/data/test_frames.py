"""What a person hands over to predict becomes a frame: of any kind, with the labels of its rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tuning.data import Wanted, as_frame, keepable, read_frame, table_to_keep, unused_columns
from tuning.errors import DataError

TABLE = Wanted(features=("x", "kind"))
ONE = Wanted(features=("x",))
DATED = Wanted(features=("day", "x"), times=("day",))
SERIES = Wanted(features=("day", "shop", "price"), times=("day",), target="sales")
LISTS = Wanted(features=("x", "path"), lists=("path",))
ROWS = pd.DataFrame({"x": [1.5, 2.5, 3.5], "kind": ["a", "b", "c"]}, index=[7, 3, 3])
DAYS = pd.date_range("2024-03-30", periods=3)


def same(given: object, wanted: Wanted, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        as_frame(given, wanted), expected, check_dtype=False, check_column_type=False, check_names=False
    )


# -- kinds -----------------------------------------------------------------------------------------


def test_a_frame_keeps_its_index_and_is_not_changed() -> None:
    given = ROWS.copy()
    same(given, TABLE, ROWS)
    pd.testing.assert_frame_equal(given, ROWS)


@pytest.mark.parametrize(
    "columns",
    [[0, 1], [" 0", "1 "], [np.int64(0), "1"], pd.MultiIndex.from_tuples([("0", ""), ("1", "")])],
)
def test_names_of_columns_are_those_of_a_file(columns: object) -> None:
    wanted = Wanted(features=("0", "1"))
    same(ROWS.set_axis(columns, axis=1), wanted, ROWS.set_axis(["0", "1"], axis=1))


def test_levels_of_column_names_are_joined() -> None:
    columns = pd.MultiIndex.from_tuples([("sales", "mean"), ("sales", "max")])
    assert list(as_frame(ROWS.set_axis(columns, axis=1), ONE).columns) == ["sales.mean", "sales.max"]


@pytest.mark.parametrize("columns", [["x", " x"], [1, "1"], ["a", "a"]])
def test_two_columns_of_one_name_are_refused(columns: list[object]) -> None:
    with pytest.raises(DataError, match="more than one column is named"):
        as_frame(ROWS.set_axis(columns, axis=1), TABLE)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_row_of_a_frame(place: int) -> None:
    same(ROWS.iloc[place], TABLE, ROWS.iloc[[place]])


@pytest.mark.parametrize("name", ["x", None])
def test_a_column_where_there_is_one_feature(name: str | None) -> None:
    same(ROWS["x"].rename(name), ONE, ROWS[["x"]])


@pytest.mark.parametrize("series", [pd.Series([1, 2]), pd.Series([1, 2], name="z"), ROWS["x"].rename("y")])
def test_a_column_that_is_no_feature_is_refused(series: pd.Series) -> None:
    with pytest.raises(DataError, match="neither a row, with labels such as 'x', 'kind', nor a column"):
        as_frame(series, TABLE)


@pytest.mark.parametrize("name", ["sales", None])
@pytest.mark.parametrize("index", [DAYS, DAYS.rename("day"), DAYS.to_period("D")])
def test_a_series_over_time_is_the_target(name: str | None, index: pd.Index) -> None:
    frame = as_frame(pd.Series([1.0, 2.0, 3.0], index=index, name=name), SERIES)
    assert frame["sales"].tolist() == [1, 2, 3]
    assert list(frame["day"]) == list(DAYS)


def test_a_dict_of_values_is_a_row() -> None:
    same({"x": 1.5, "kind": "a"}, TABLE, ROWS.iloc[[0]].reset_index(drop=True))
    same({" x ": 1.5, "kind": None}, TABLE, pd.DataFrame({"x": [1.5], "kind": [None]}))


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series])
def test_a_dict_of_lists_is_columns(kind: type) -> None:
    given = {name: kind(ROWS[name].tolist()) for name in ROWS}
    same(given, TABLE, ROWS.reset_index(drop=True))


def test_a_dict_of_dicts_is_columns_with_labels() -> None:
    same(ROWS.iloc[:2].to_dict(), TABLE, ROWS.iloc[:2])


def test_records_within_a_record_have_dotted_names() -> None:
    wanted = Wanted(features=("at.x", "at.y"))
    for given in ({"at": {"x": 1, "y": 2}}, [{"at": {"x": 1, "y": 2}}]):
        same(given, wanted, pd.DataFrame({"at.x": [1], "at.y": [2]}))


def test_records_in_a_frame_have_dotted_names_at_its_index() -> None:
    given = pd.DataFrame({"at": [{"x": 1}, {"x": 2}], "z": 3}, index=[5, 5])
    frame = as_frame(given, Wanted(features=("at.x", "z")))
    assert frame["at.x"].tolist() == [1, 2]
    assert frame.index.tolist() == [5, 5]


def test_a_dict_whose_values_are_lists_in_a_row() -> None:
    same({"x": 1, "path": [1, 2, 3]}, LISTS, pd.DataFrame({"x": [1], "path": [[1, 2, 3]]}))
    alone = Wanted(features=("path",), lists=("path",))
    same({"path": [1, 2, 3]}, alone, pd.DataFrame({"path": [[1, 2, 3]]}))
    same({"path": [[1, 2], [3]]}, alone, pd.DataFrame({"path": [[1, 2], [3]]}))


def test_columns_of_unlike_lengths_are_named() -> None:
    with pytest.raises(DataError, match="not of one length: 'x' 2, 'kind' 3"):
        as_frame({"x": [1, 2], "kind": list("abc")}, TABLE)


@pytest.mark.parametrize(
    "given", [{"x": [1, 2], "kind": "a"}, {"x": 1, "kind": ["a"]}, {"x": [1.5], "kind": None}]
)
def test_lists_beside_single_values_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(DataError, match=r"has a list for .* and a single value for"):
        as_frame(given, TABLE)
    assert len(as_frame({"x": 1, "kind": "a", "tags": ["new"]}, TABLE)) == 1


def test_a_list_of_dicts_is_rows() -> None:
    same(ROWS.to_dict("records"), TABLE, ROWS.reset_index(drop=True))
    same([{"x": 1.5, "kind": "a"}], TABLE, ROWS.iloc[[0]].reset_index(drop=True))


def test_what_has_a_way_to_pandas() -> None:
    same(pa.Table.from_pandas(ROWS, preserve_index=False), TABLE, ROWS.reset_index(drop=True))


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read(kind: type, tmp_path: Path) -> None:
    ROWS.to_json(tmp_path / "rows.json", orient="records")
    same(kind(tmp_path / "rows.json"), TABLE, ROWS.reset_index(drop=True))
    with pytest.raises(DataError, match=r"no data file .*rows\.txt"):
        as_frame(kind(tmp_path / "rows.txt"), TABLE)


@pytest.mark.parametrize(
    "given",
    [ROWS.to_records(index=False), list(ROWS.itertuples(index=False)), [ROWS.iloc[k] for k in range(3)]],
)
def test_rows_with_names_of_other_kinds(given: object) -> None:
    assert as_frame(given, TABLE).reset_index(drop=True)["kind"].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["", "x,kind\n1.5,a", '{"x": 1.5}', "[1, 2]"])
def test_rows_in_a_text_are_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(DataError, match=r"is the path of a file, not .* json\.loads") as refused:
        as_frame(text, TABLE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("given", [ROWS.to_numpy(), [[1, "a"]], [1.0, 2.0]])
def test_values_without_names_are_refused_with_the_names(given: object) -> None:
    with pytest.raises(DataError, match=r"no column names: .* columns=\['x', 'kind'\]\)"):
        as_frame(given, TABLE)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (3, "a list of dicts or the path of a file, not int"),
        ({1, 2}, "not set"),
        (b"x", "no column names"),
        ([], "the list is empty"),
        (ROWS.head(0), "no rows"),
        ({"x": [], "kind": []}, "no rows"),
    ],
)
def test_all_else_is_refused(given: object, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        as_frame(given, TABLE)


@pytest.mark.parametrize(
    "text", ['{"x": 1.5, "kind": "a"}', '[{"x": 1.5, "kind": "a"}]', '{"x": [1.5], "kind": ["a"]}']
)
def test_one_json_object_is_a_row(text: str, tmp_path: Path) -> None:
    (tmp_path / "row.json").write_text(text)
    same(read_frame(tmp_path / "row.json"), TABLE, ROWS.iloc[[0]].reset_index(drop=True))


# -- the index -------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [DAYS.rename("day"), DAYS, DAYS.to_period("D"), DAYS.rename(" day ")])
def test_an_index_of_times_is_the_column_of_times(index: pd.Index) -> None:
    given = pd.DataFrame({"x": [1, 2, 3]}, index=index)
    frame = as_frame(given, DATED)
    assert list(frame["day"]) == list(DAYS)
    assert frame.index.equals(index)


def test_levels_of_the_index_are_columns_by_name() -> None:
    index = pd.MultiIndex.from_arrays([["a", "b", "c"], DAYS], names=["shop", "day"])
    frame = as_frame(pd.DataFrame({"price": 1.0, "sales": 2.0}, index=index), SERIES)
    assert frame["shop"].tolist() == ["a", "b", "c"]
    assert list(frame["day"]) == list(DAYS)


def test_a_column_wins_over_the_index() -> None:
    given = ROWS.set_axis(pd.Index([9, 9, 9], name="x"))
    assert as_frame(given, TABLE)["x"].tolist() == [1.5, 2.5, 3.5]


def test_an_index_without_a_name_is_not_taken_for_a_feature() -> None:
    assert "x" not in as_frame(ROWS[["kind"]], TABLE)
    dates = pd.DataFrame({"day": DAYS}, index=DAYS)
    assert "x" not in as_frame(dates, DATED)


@pytest.mark.parametrize("unit", ["W-SUN", "W-FRI", "D", "MS", "h"])
def test_times_are_the_same_after_a_turn_as_periods(unit: str) -> None:
    times = pd.date_range("2024-03-01", periods=5, freq=unit)
    frame = as_frame(pd.DataFrame({"day": times.to_period(), "x": 1}), DATED)
    assert list(frame["day"]) == list(times)
    assert list(as_frame(pd.DataFrame({"x": 1}, index=times.to_period()), DATED)["day"]) == list(times)


@pytest.mark.parametrize(
    ("unit", "first"),
    [
        ("D", "2024-03-30"), ("M", "2024-03-01"), ("Q", "2024-01-01"), ("Y", "2024-01-01"),
        ("W", "2024-03-31"), ("W-FRI", "2024-04-05"), ("W-SAT", "2024-03-30"),
    ],
)  # fmt: skip
def test_periods_are_times(unit: str, first: str) -> None:
    frame = as_frame(pd.DataFrame({"day": DAYS.to_period(unit), "x": 1}), DATED)
    assert frame["day"].iloc[0] == pd.Timestamp(first)


# -- frames to train on ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "column"),
    [
        (DAYS.rename("day"), "day"),
        (DAYS, "day"),
        (DAYS.to_period("D"), "day"),
        (DAYS.tz_localize("Europe/Berlin"), "day"),
        (pd.Index(list("abc"), name="who"), "who"),
        (pd.Index([4, 5, 6], name=0), "0"),
    ],
)
def test_an_index_is_kept_as_a_column(index: pd.Index, column: str, tmp_path: Path) -> None:
    kept, notes = keepable(pd.DataFrame({"x": [1, 2, 3]}, index=index), ("day",))
    assert list(kept.columns) == [column, "x"]
    assert kept.index.equals(pd.RangeIndex(3))
    assert [f"the column '{column}'" in note for note in notes] == [True]
    kept.to_parquet(tmp_path / "kept.parquet")
    assert read_frame(tmp_path / "kept.parquet").shape == (3, 2)


@pytest.mark.parametrize("index", [DAYS, pd.Index(list("abc"))])
def test_an_index_that_is_left_out_is_told_of(index: pd.Index) -> None:
    kept, notes = keepable(pd.DataFrame({"x": [1, 2, 3]}, index=index), ())
    assert list(kept.columns) == ["x"]
    (note,) = notes
    assert "rename_axis('NAME')" in note


@pytest.mark.parametrize("index", [pd.RangeIndex(3), pd.Index([5, 2, 2])])
def test_numbers_of_rows_are_no_column(index: pd.Index) -> None:
    kept, notes = keepable(pd.DataFrame({"x": [1, 2, 3]}, index=index), ("day",))
    assert list(kept.columns) == ["x"]
    assert not notes


@pytest.mark.parametrize(
    "given",
    [
        ROWS,
        ROWS.to_dict("list"),
        ROWS.to_dict("records"),
        ROWS.to_records(index=False),
        pa.Table.from_pandas(ROWS),
    ],
)
def test_tables_to_train_on(given: object) -> None:
    table = table_to_keep(given)
    assert table is not None
    assert table["x"].tolist() == [1.5, 2.5, 3.5]
    assert table_to_keep("rows.csv") is None


@pytest.mark.parametrize("given", [ROWS.to_numpy(), 3, ROWS["x"], {"x": 1}, []])
def test_what_is_no_table_to_train_on(given: object) -> None:
    with pytest.raises(DataError, match=r"Study\.data: a table to train on is"):
        table_to_keep(given)


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        (DAYS.rename("day"), ["day", "x"]),
        (DAYS.to_period("D").rename("day"), ["day", "x"]),
        (pd.MultiIndex.from_arrays([list("abc"), DAYS], names=["shop", "day"]), ["shop", "day", "x"]),
        (pd.RangeIndex(3), ["x"]),
        (pd.Index([7, 3, 3]), ["x"]),
    ],
)
def test_an_index_in_a_parquet_file_is_read(index: pd.Index, columns: list[str], tmp_path: Path) -> None:
    pd.DataFrame({"x": [1, 2, 3]}, index=index).to_parquet(tmp_path / "t.parquet")
    frame = read_frame(tmp_path / "t.parquet")
    assert list(frame.columns) == columns
    assert frame.index.equals(pd.RangeIndex(3))
    if "day" in columns:
        assert list(frame["day"]) == list(DAYS)


def test_times_in_a_parquet_file_that_have_no_name_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pd.DataFrame({"x": [1, 2, 3]}, index=DAYS).to_parquet(tmp_path / "t.parquet")
    assert list(read_frame(tmp_path / "t.parquet").columns) == ["x"]
    assert "its index holds times and has no name" in caplog.text


def test_columns_that_a_model_does_not_use() -> None:
    frame = ROWS.assign(id=["0012", "0013", "A7"], y=1.0, path=[[1], [2], [3]])
    assert unused_columns(frame, TABLE, "y") == ["id"]
