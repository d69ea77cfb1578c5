"""Classes with few rows: the message says what to type, that works, and what was left out is said."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tuning.config import apply_settings, validate_config
from tuning.data import FinalRows, PreparedData, prepare, prepare_final
from tuning.errors import DataError
from tuning.models import Task

Raw = dict[str, Any]


def frame_of(labels: list[Any], **columns: Any) -> pd.DataFrame:
    x = np.random.default_rng(0).normal(size=len(labels))
    return pd.DataFrame({"x": x, **columns, "y": pd.Series(labels)})


def raw_of(split: Raw | None = None, **data: Any) -> Raw:
    return {"name": "s", "data": {"path": "t.csv", "target": "y", **data}, "split": split or {}}


def prepared(frame: pd.DataFrame, raw: Raw, splits: pd.DataFrame | None = None) -> PreparedData:
    config = validate_config(raw, "study.yaml")
    return prepare(frame, config.data, config.target, config.split, config.metric, 0, splits=splits)


def after_what_is_offered(frame: pd.DataFrame, raw: Raw) -> PreparedData:
    """Type what the refusal offers."""
    with pytest.raises(DataError) as refused:
        prepared(frame, raw)
    settings = re.findall(r"--set ([\w.]+=[\w.]*\w)", str(refused.value))
    assert settings, str(refused.value)
    return prepared(frame, apply_settings(raw, settings))


COMMON = ["a"] * 60 + ["b"] * 40 + ["c"] * 20


@pytest.mark.parametrize(
    ("rare", "split"),
    [
        (["once"], {}),
        (["once", "twice", "twice"], {}),
        (["once", "few", "few", "few", "few"], {"folds": 5}),
        (["six"] * 6 + ["once"], {"folds": 5, "test": 0.3}),
        (["half"] * 3 + ["once"], {"test": 0.5, "valid": 0.2}),
        (["ten"] * 10, {"folds": 10}),
        ([f"single {k}" for k in range(30)], {}),
        (["once"], {"test": 0.0}),
    ],
)
def test_rare_classes_are_left_out_as_the_refusal_says(rare: list[str], split: Raw) -> None:
    frame = frame_of(COMMON + rare)
    data = after_what_is_offered(frame, raw_of(split))
    kept = frame["y"].iloc[data.splits["row"]]
    assert set(data.classes) == set(kept) >= {"a", "b", "c"}
    left_out = set(frame["y"]) - set(kept)
    assert left_out
    (note,) = [note for note in data.notes if note.startswith("Left out")]
    assert f"Left out {len(frame) - len(kept)} row" in note
    assert all(repr(name) in note for name in sorted(left_out)[:8])
    for fold in data.folds:
        assert fold.schema.n_classes == len(data.classes)
        for part in (fold.train, fold.valid, fold.test):
            assert part.target is None or not len(part) or part.target.max() < len(data.classes)


def test_a_label_that_the_test_part_alone_has_is_left_out() -> None:
    labels = [*COMMON, "new", "new", "new"]
    parts = np.where(np.arange(len(labels)) % 5 == 0, "valid", "train").tolist()
    parts[-3:] = ["test", "test", "test"]
    parts[7:30:4] = ["test"] * len(parts[7:30:4])
    frame = frame_of(labels, part=parts)
    data = after_what_is_offered(frame, raw_of({"method": "column", "column": "part"}))
    assert data.classes == ("a", "b", "c")
    assert len(data.folds[0].test) == sum(part == "test" for part in parts) - 3


@pytest.mark.parametrize("folds", [0, 3])
def test_a_label_that_comes_up_late_is_left_out(folds: int) -> None:
    labels = ["a", "b"] * 60 + ["late"] * 6
    frame = frame_of(labels, day=np.arange(len(labels)))
    data = after_what_is_offered(frame, raw_of({"method": "time", "column": "day", "folds": folds}))
    assert data.classes == ("a", "b")
    assert data.task is Task.BINARY


def test_a_label_of_one_group_is_left_out() -> None:
    labels = ["a", "b"] * 60 + ["odd"] * 10
    frame = frame_of(labels, shop=[k // 10 for k in range(130)])
    raw = raw_of({"method": "group", "column": "shop", "folds": 3})
    assert after_what_is_offered(frame, raw).classes == ("a", "b")


@pytest.mark.parametrize("split", [{}, {"folds": 3}, {"test": 0.0}])
def test_more_classes_than_a_part_has_rows(split: Raw) -> None:
    frame = frame_of([f"class {k % 10}" for k in range(60)])
    assert len(after_what_is_offered(frame, raw_of(split)).classes) == 10


def test_nearly_as_many_labels_as_rows() -> None:
    frame = frame_of(["a"] * 12 + ["b"] * 9 + [f"single {k}" for k in range(50)])
    assert after_what_is_offered(frame, raw_of()).classes == ("a", "b")


def test_too_few_classes_left_is_one_sentence() -> None:
    with pytest.raises(
        DataError, match=r"data.min_class_rows=50 leaves 1 of 4 classes.*60 and 40 rows, lower"
    ):
        prepared(frame_of([*COMMON, "once"]), raw_of(min_class_rows=50))
    with pytest.raises(DataError, match=r"Class 'b' has 1 row, .*: add rows of it, or name another target"):
        prepared(frame_of(["a"] * 30 + ["b"]), raw_of())


def test_nothing_is_said_where_nothing_is_left_out() -> None:
    data = prepared(frame_of(COMMON), raw_of(min_class_rows=3))
    assert len(data.splits) == len(COMMON)
    assert not any(note.startswith("Left out") for note in data.notes)


@pytest.mark.parametrize("missing", [0, 4])
def test_recorded_splits_leave_out_the_same_rows(missing: int) -> None:
    frame = frame_of([*["once", "twice", "twice"], *COMMON, *[None] * missing])
    raw = raw_of(min_class_rows=3, drop_missing_target=True)
    first = prepared(frame, raw)
    again = prepared(frame, raw, splits=first.splits)
    pd.testing.assert_frame_equal(again.splits, first.splits)
    np.testing.assert_array_equal(again.folds[0].test.numeric, first.folds[0].test.numeric)
    config = validate_config(raw, "study.yaml")
    arguments = (config.data, config.target, config.split, config.metric, 0)
    final = prepare_final(frame, *arguments, splits=first.splits, rows=FinalRows.ALL)
    assert len(final.train) == len(COMMON)
    assert final.schema.n_classes == 3
