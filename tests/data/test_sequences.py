from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    read_frame,
)
from tuning.errors import DataError
from tuning.models import Sequences

N = 120
CHANNELS = 3
LENGTHS = 2 + np.arange(N) % 7


def series(seed: int = 0, lengths: Any = LENGTHS) -> list[np.ndarray]:
    """n arrays (steps, channels)."""
    rng = np.random.default_rng(seed)
    return [rng.normal([0, 10, -5], [1, 3, 0.1], (length, CHANNELS)) for length in lengths]


def frame_of(values: Any, **columns: Any) -> pd.DataFrame:
    labels = np.array(["a", "b"])[np.arange(len(values)) % 2]
    return pd.DataFrame({"x": pd.Series(list(values), dtype=object), **columns, "y": labels})


def prepared(frame: pd.DataFrame, roles: dict[str, str] | None = None, **settings: Any) -> PreparedData:
    given = {name: ColumnRole(role) for name, role in (roles or {}).items()}
    config = DataConfig(path="t.csv", target="y", roles=given, **settings)
    return prepare(frame, config, TargetConfig(), SplitConfig(), None, seed=0)


def each(sequences: Sequences | None) -> list[np.ndarray]:
    assert sequences is not None
    return np.split(sequences.steps, sequences.offsets[1:-1])


def train_rows(data: PreparedData) -> np.ndarray:
    splits = data.splits
    return splits.loc[splits["part"] == "train", "row"].to_numpy()


def test_steps_by_channels_and_channels_by_steps_read_the_same() -> None:
    steps = prepared(frame_of([array.tolist() for array in series()])).folds[0]
    channels = prepared(frame_of([array.T.tolist() for array in series()])).folds[0]
    assert steps.schema.sequence == channels.schema.sequence
    assert steps.schema.sequence.channels == CHANNELS
    assert steps.schema.sequence.max_length == 8
    for one, other in zip(each(steps.train.sequence), each(channels.train.sequence), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(steps.train.numeric, channels.train.numeric)


@pytest.mark.parametrize(
    ("shape", "layout", "channels"),
    [
        ((6, 3), "auto", 3),
        ((3, 6), "auto", 3),
        ((4, 4), "auto", 4),
        ((3, 6), "steps_first", 6),
        ((6, 3), "channels_first", 6),
    ],
)
def test_layout_where_both_axes_have_one_length(shape: tuple[int, int], layout: str, channels: int) -> None:
    values = list(np.random.default_rng(0).normal(size=(N, *shape)))
    schema = prepared(frame_of(values), sequence_layout=layout).folds[0].schema
    assert schema.sequence.channels == channels
    assert schema.sequence.max_length == shape[0] * shape[1] // channels


def test_lists_of_numbers_have_one_channel() -> None:
    data = prepared(frame_of([array[:, 0].tolist() for array in series()]))
    assert data.roles["x"] == "sequence"
    assert data.folds[0].schema.sequence.channels == 1
    assert any("'x': read as sequences" in note for note in data.notes)


def test_lists_of_one_length_are_an_embedding_unless_told() -> None:
    values = np.random.default_rng(0).normal(size=(N, 5)).tolist()
    assert prepared(frame_of(values)).roles["x"] == "embedding"
    told = prepared(frame_of(values), {"x": "sequence"})
    assert told.folds[0].schema.sequence.max_length == 5
    assert told.folds[0].schema.embedding_width == 0


@pytest.mark.parametrize("suffix", ["json", "parquet", "csv"])
def test_files_of_every_format_read_the_same(tmp_path: Path, suffix: str) -> None:
    values = [array.T.tolist() for array in series()]
    path = tmp_path / f"t.{suffix}"
    if suffix == "json":
        path.write_text(frame_of(values).to_json(orient="records"))
    elif suffix == "parquet":
        frame_of(values).to_parquet(path)
    else:
        frame_of(list(map(json.dumps, values))).to_csv(path, index=False)
    fold = prepared(read_frame(path)).folds[0]
    expected = prepared(frame_of(values)).folds[0]
    np.testing.assert_allclose(fold.train.sequence.steps, expected.train.sequence.steps, atol=1e-5)
    np.testing.assert_array_equal(fold.train.sequence.offsets, expected.train.sequence.offsets)


def test_channels_are_standardised_by_training_rows_alone() -> None:
    data = prepared(frame_of(series()))
    fold = data.folds[0]
    steps = fold.train.sequence.steps
    assert steps.dtype == np.float32
    np.testing.assert_allclose(steps.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(steps.std(axis=0), 1, atol=1e-4)
    given = np.concatenate([series()[row] for row in train_rows(data)])
    np.testing.assert_allclose(fold.transform.sequence.mean, given.mean(axis=0))


def test_other_rows_change_nothing_of_the_fit() -> None:
    frame = frame_of(series())
    data = prepared(frame)
    others = np.setdiff1d(np.arange(N), train_rows(data))
    for row in others:
        frame.at[row, "x"] = np.full((400, CHANNELS), 1e6)
    again = prepare(
        frame,
        DataConfig(path="t.csv", target="y"),
        TargetConfig(),
        SplitConfig(),
        None,
        seed=0,
        splits=data.splits,
    )
    assert again.folds[0].transform.sequence == data.folds[0].transform.sequence


def test_gaps_become_the_mean_and_missing_sequences_are_empty() -> None:
    frame = frame_of(series())
    transform = prepared(frame).folds[0].transform
    gap = [[None, 10.0, -5.0], [float("inf"), None, -5.0]]
    table = transform.apply(frame_of([gap, None, [], "nonsense", [[1.0, 2.0]]]))
    np.testing.assert_array_equal(table.sequence.lengths, [2, 0, 0, 0, 0])
    assert table.sequence.steps[0, 0] == table.sequence.steps[1, 0] == table.sequence.steps[1, 1] == 0
    assert np.isfinite(table.sequence.steps).all()
    assert np.isfinite(table.dense).all()


def test_summaries_for_models_that_read_no_sequences() -> None:
    frame = frame_of(series())
    fold = prepared(frame).folds[0]
    table = fold.transform.apply(frame.iloc[[5]])
    given = series()[5]
    parts = [given.mean(0), given.std(0), given.min(0), given.max(0), given[0], given[-1], [len(given)]]
    np.testing.assert_allclose(table.numeric[0], np.concatenate(parts), rtol=1e-5)
    assert fold.schema.numeric[:3] == ("x.0.mean", "x.1.mean", "x.2.mean")
    assert fold.schema.numeric[-1] == "x.length"


def words(n: int = N) -> list[str]:
    rng = np.random.default_rng(0)
    return [f"{''.join(rng.choice(list('abcde'), 4 + k % 5))}{k}" for k in range(n)]


def test_characters_become_codes_of_the_training_vocabulary() -> None:
    data = prepared(frame_of(words(), z=np.arange(N) % 9 * 0.5), {"x": "sequence"})
    fold = data.folds[0]
    known = "".join(sorted(set("".join(words()[row] for row in train_rows(data)))))
    assert fold.transform.sequence.characters == known
    assert fold.schema.sequence.vocabulary == len(known)
    assert fold.schema.sequence.channels == 0
    table = fold.transform.apply(pd.DataFrame({"x": ["ab€é😀", None, ""], "z": [0.0, 1.0, 2.0]}))
    expected = [known.index("a") + 1, known.index("b") + 1, 0, 0, 0]
    assert table.sequence.steps.tolist() == expected
    assert table.sequence.lengths.tolist() == [5, 0, 0]
    assert table.sequence.steps.dtype == np.int32


def test_characters_are_text_for_models_that_read_no_sequences() -> None:
    fold = prepared(frame_of(words()), {"x": "sequence"}).folds[0]
    assert fold.schema.embedding_width > 1
    assert fold.schema.numeric == ("x.length",)


def test_an_identifier_alone_is_read_as_characters() -> None:
    data = prepared(frame_of(words()))
    assert data.roles["x"] == "sequence"
    assert data.folds[0].schema.sequence.vocabulary > 5
    other = prepared(frame_of(words(), z=np.arange(N) % 9 * 0.5))
    assert other.roles["x"] == "drop"
    assert other.folds[0].schema.sequence is None


def test_two_sequences_cannot_be_asked_for() -> None:
    frame = frame_of(words(), other=words())
    with pytest.raises(DataError, match="only one column can have the role sequence, not 'x', 'other'"):
        prepared(frame, {"x": "sequence", "other": "sequence"})


def test_of_two_found_sequences_the_first_is_kept() -> None:
    frame = frame_of(series(), other=series(seed=1))
    data = prepared(frame)
    assert data.roles == {"x": "sequence", "other": "drop"}
    assert any("one sequence already, 'x'" in note for note in data.notes)
    assert prepared(frame, {"other": "sequence"}).roles == {"x": "drop", "other": "sequence"}


def test_of_two_identifiers_one_is_text() -> None:
    assert prepared(frame_of(words(), other=words())).roles == {"x": "sequence", "other": "text"}


@pytest.mark.parametrize(
    "values", [[{"a": 1}] * N, [[["a"]]] * N, [np.ones((2 + k % 3, 2 + k % 2)).tolist() for k in range(N)]]
)
def test_values_that_are_no_sequences_are_refused(values: list[Any]) -> None:
    with pytest.raises(DataError, match="'x' has the role sequence, but its values are no lists of numbers"):
        prepared(frame_of(values, z=np.arange(N) % 9 * 0.5), {"x": "sequence"})


@pytest.mark.parametrize("values", [np.arange(N) * 0.5, np.arange(N) % 2 == 0])
def test_single_values_are_no_sequences(values: np.ndarray) -> None:
    with pytest.raises(DataError, match="'x' has the role sequence, but holds one number"):
        prepared(frame_of(values, z=np.arange(N) % 9 * 0.5), {"x": "sequence"})


def test_sequences_of_no_steps_are_dropped() -> None:
    data = prepared(frame_of([[]] * N, z=np.arange(N) % 9 * 0.5), {"x": "sequence"})
    assert data.roles["x"] == "drop"


def test_long_sequences_have_a_limit() -> None:
    values = [np.arange(1500 + k % 3, dtype=float).tolist() for k in range(40)]
    fold = prepared(frame_of(values), {"x": "sequence"}).folds[0]
    assert fold.schema.sequence.max_length == 1000
    steps, lengths = fold.valid.sequence.padded(1000)
    assert steps.shape == (len(fold.valid), 1000, 1)
    assert (lengths == 1000).all()


@pytest.mark.parametrize("values", [series(), words()], ids=["steps", "characters"])
def test_saved_and_loaded_it_gives_the_same(values: list[Any], tmp_path: Path) -> None:
    frame = frame_of(values)
    transform = prepared(frame).folds[0].transform
    transform.save(tmp_path)
    loaded = TableTransform.load(tmp_path)
    assert loaded.schema == transform.schema
    assert loaded.columns == transform.columns
    assert loaded.sequence == transform.sequence
    one, other = loaded.apply(frame), transform.apply(frame)
    np.testing.assert_array_equal(one.sequence.steps, other.sequence.steps)
    np.testing.assert_array_equal(one.sequence.offsets, other.sequence.offsets)
    np.testing.assert_array_equal(one.numeric, other.numeric)


def test_rows_are_taken_with_their_sequences() -> None:
    table = prepared(frame_of(series())).folds[0].train
    some = table.take([4, 0, 4])
    for taken, row in zip(each(some.sequence), [4, 0, 4], strict=True):
        np.testing.assert_array_equal(taken, each(table.sequence)[row])


def test_no_rows_have_no_sequences() -> None:
    transform = prepared(frame_of(series())).folds[0].transform
    assert len(transform.apply(frame_of(series()).iloc[:0]).sequence) == 0
