"""Labels that are numbers with fractions: one label however a program writes them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.data.tables import codes, csv_of, from_csv, learnt, targets

N = 120


@pytest.mark.parametrize(
    ("levels", "later", "read"),
    [
        (("1.50", "2.5", "3"), [1.5, 3.0], ["1.5", "3"]),
        (("1.5", "2.5", "3.0"), ["1.5", "3"], ["1.5", "3"]),
        (("0.10", "0.20", "0.30"), ["0.1", "0.300"], ["0.1", "0.3"]),
        (("1.5", "2.5", "-4.0"), [-4, 2.5], ["-4", "2.5"]),
    ],
)
@pytest.mark.parametrize("kind", ["frame", "file"])
def test_the_same_number_is_the_same_label(
    tmp_path: Path, levels: tuple[str, ...], later: list[object], read: list[str], kind: str
) -> None:
    frame = from_csv(tmp_path, csv_of(x=[levels[k % 3] for k in range(N)], y=targets(N)))
    data = learnt(frame, roles={"x": "categorical"})
    rows = pd.DataFrame({"x": later}) if kind == "frame" else from_csv(tmp_path, csv_of(x=later), "l.csv")
    assert codes(data, rows) == read


@pytest.mark.parametrize(
    "levels", [("1.1", "1.10", "1.2"), ("2.0", "2.00", "2.5"), ("0.12345678901234567", "0.12345678901234566")]
)
def test_numbers_that_are_written_in_two_ways_are_two_labels(tmp_path: Path, levels: tuple[str, ...]) -> None:
    frame = from_csv(tmp_path, csv_of(x=[levels[k % len(levels)] for k in range(N)], y=targets(N)))
    data = learnt(frame, roles={"x": "categorical"})
    assert codes(data, pd.DataFrame({"x": [*levels]})) == [*levels]
