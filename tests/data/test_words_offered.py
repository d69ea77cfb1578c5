"""What notes and refusals on missing values offer, and what they do not say by chance."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.tables import csv_of, from_csv, learnt, transform
from tuning.config import apply_settings
from tuning.data import DataConfig, PreparedData
from tuning.errors import DataError

N = 300


def table(**columns: Any) -> str:
    """Rows with a target of fractions, unless one is given."""
    target = {} if "y" in columns else {"y": np.arange(N) * 0.5}
    return csv_of(x=np.arange(N) % 17, **columns, **target)


def drawn(*values: Any) -> list[Any]:
    return np.random.default_rng(3).choice(np.array(values, dtype=object), N).tolist()


def note(data: PreparedData, start: str) -> str:
    return next(note for note in data.notes if note.startswith(start))


def typed(offer: str) -> DataConfig:
    """The settings of data as the option in a message gives them."""
    words = shlex.split(offer[offer.index("--set ") :].partition(" reads")[0].rstrip("."))
    raw = apply_settings({"data": {"path": "t.csv", "target": "y"}}, [words[1]])
    return DataConfig.model_validate(raw["data"])


@pytest.mark.parametrize("words", [("null",), ("Null",), ("NULL",), ("NA", "null"), ("None",)])
def test_what_a_note_offers_reads_the_words_as_missing(tmp_path: Path, words: tuple[str, ...]) -> None:
    frame = from_csv(tmp_path, table(region=drawn("EU", "US", *words)))
    offered = typed(note(learnt(frame), "Read as labels of their own"))
    assert transform(learnt(frame, missing=offered.missing)).levels == (("EU", "US"),)


@pytest.mark.parametrize(
    ("values", "given"), [(("?", "NA"), None), (("-", "NA"), ("-",)), (("n/a", "none", "null"), None)]
)
def test_what_a_note_offers_keeps_what_is_missing_already(
    tmp_path: Path, values: tuple[str, ...], given: tuple[str, ...] | None
) -> None:
    frame = from_csv(tmp_path, table(region=drawn("EU", "US", *values)))
    offered = typed(note(learnt(frame, missing=given), "Read as labels of their own"))
    assert transform(learnt(frame, missing=offered.missing)).levels == (("EU", "US"),)


@pytest.mark.parametrize("word", ["null", "None", "NA"])
def test_what_a_note_on_a_class_offers(tmp_path: Path, word: str) -> None:
    frame = from_csv(tmp_path, table(y=drawn("a", "b", word)))
    offered = typed(note(learnt(frame), "The target 'y' has the class"))
    assert learnt(frame, missing=offered.missing, drop_missing_target=True).classes == ("a", "b")


@pytest.mark.parametrize(
    ("values", "given", "word"),
    [(("1", "2", "NA"), None, "NA"), (("1.5", "2.5", "?"), None, "?"), (("a", "b", "-"), ("-",), "-")],
)
def test_the_words_that_a_target_is_missing_by_are_told(
    tmp_path: Path, values: tuple[str, ...], given: tuple[str, ...] | None, word: str
) -> None:
    frame = from_csv(tmp_path, table(y=drawn(*values)))
    with pytest.raises(DataError, match=rf"missing in \d+ of 300 rows \(as '{re.escape(word)}'\)"):
        learnt(frame, missing=given)
    left_out = note(learnt(frame, missing=given, drop_missing_target=True), "Left out")
    assert left_out.endswith(f"rows without a target (as {word!r}).")


def test_gaps_that_few_rows_have_by_chance_are_not_said(tmp_path: Path) -> None:
    for seed in range(5):
        gaps = np.random.default_rng(seed).random(N) < 0.4
        values = [None if gap else k % 7 + 0.5 for k, gap in enumerate(gaps)]
        data = learnt(from_csv(tmp_path, table(number=values)))
        assert not [told for told in data.notes if "have no value" in told]


@pytest.mark.parametrize("gap", [None, "NA", "?"])
def test_gaps_beyond_chance_are_said(tmp_path: Path, gap: str | None) -> None:
    data = learnt(from_csv(tmp_path, table(number=[None if k % 5 == 0 else k % 7 + 0.5 for k in range(N)])))
    later = from_csv(tmp_path, csv_of(x=[1] * 50, number=[gap if k % 2 else 1.5 for k in range(50)]), "l.csv")
    (loss,) = [loss for loss in transform(data).losses(later) if loss.is_notable]
    assert "50% of 50 rows have no value (20% in training)" in str(loss)
