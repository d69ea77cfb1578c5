"""Which columns are told or refused: empty text, columns seldom filled, studies of earlier versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.data.tables import csv_of, from_csv, learnt, targets, transform
from tuning.data import TableTransform, check_losses
from tuning.errors import DataError

N = 300
WORDS = ["a red chair", "the blue table", "one old lamp of brass", "two new beds", "some plates"]


def text(k: int) -> str:
    return f"{WORDS[k % 5]} number {k % 70}"


def study_of(folder: Path, values: list[Any], **data: Any) -> TableTransform:
    return transform(learnt(from_csv(folder, csv_of(v=values, x=range(N), y=targets(N))), **data))


def later(folder: Path, value: Any, n: int = 300) -> pd.DataFrame:
    return from_csv(folder, csv_of(v=[value] * n, x=range(n)), "later.csv")


@pytest.mark.parametrize("role", ["text", "sequence"])
@pytest.mark.parametrize("value", ["", "?"])
def test_text_without_a_value_is_refused(tmp_path: Path, role: str, value: str) -> None:
    fitted = study_of(tmp_path, [text(k) for k in range(N)], roles={"v": role})
    with pytest.raises(DataError, match=r"'v': 100% of 300 rows have no value \(0% in training\)"):
        check_losses(fitted.losses(later(tmp_path, value)), allow_unknown=False)


def test_text_of_other_words_goes_on(tmp_path: Path) -> None:
    fitted = study_of(tmp_path, [text(k) for k in range(N)], roles={"v": "text"})
    assert not [loss for loss in fitted.losses(later(tmp_path, "unheard of")) if loss.is_notable]


@pytest.mark.parametrize("filled", [1.5, "word", "2024-01-02"])
def test_a_column_that_was_seldom_filled_may_be_empty(tmp_path: Path, filled: Any) -> None:
    others = {1.5: 2.5, "word": "other", "2024-01-02": "2024-02-03"}
    values = [("" if k % 20 else (filled if k % 40 else others[filled])) for k in range(N)]
    fitted = study_of(tmp_path, values)
    check_losses(fitted.losses(later(tmp_path, "", 1000)), allow_unknown=False)


@pytest.mark.parametrize(("good", "value"), [((1.5, 2.5), ""), (("a", "b"), ""), (("yes", "no"), None)])
def test_gaps_are_no_surprise_where_those_of_training_were_not_kept(
    tmp_path: Path, good: tuple[Any, Any], value: Any
) -> None:
    fitted = study_of(tmp_path, [good[k % 3 % 2] for k in range(N)])
    fitted.save(tmp_path / "kept")
    state = tmp_path / "kept" / "transform.json"
    old = json.loads(state.read_text())
    for column in old["columns"]:
        del column["lost"], column["missing"]
    state.write_text(json.dumps(old))
    rows = later(tmp_path, value)
    with pytest.raises(DataError, match="have no value"):
        check_losses(fitted.losses(rows), allow_unknown=False)
    check_losses(TableTransform.load(tmp_path / "kept").losses(rows), allow_unknown=False)
    assert np.isfinite(fitted.apply(rows).dense).all()
