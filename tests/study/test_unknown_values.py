"""A prediction from values that the model does not know is refused or warned of, where the user is."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.data.tables import csv_of
from tests.study.test_predictions_keep_rows import finished
from tuning import Study
from tuning.cli import main
from tuning.errors import DataError

SHOPS = ["0012", "0345", "A7"]
UNITS = {"0012": 10.0, "0345": 20.0, "A7": 30.0}
ROWS = 180


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shops = [SHOPS[k % 3] for k in range(ROWS)]
    y = [UNITS[shop] + 0.01 * (k % 5) for k, shop in enumerate(shops)]
    return finished(
        tmp_path_factory.mktemp("shops"), pd.DataFrame({"shop": shops, "x": range(ROWS), "y": y}), target="y"
    )


class Predict:
    """`tuning predict` in this process."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys

    def __call__(self, text: str, *options: str) -> tuple[int, str, Path]:
        """Exit code, what stands on stderr, and the file to write."""
        file, out = self._folder / "new.csv", self._folder / "out.csv"
        out.unlink(missing_ok=True)
        file.write_text(text)
        words = ["predict", "demo", str(file), "-o", str(out), "--storage", str(self._folder), *options]
        self._monkeypatch.setattr(sys, "argv", ["tuning", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), self._capsys.readouterr().err, out


@pytest.fixture
def predict(storage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Predict:
    return Predict(storage, monkeypatch, capsys)


def test_a_file_without_the_shop_that_is_no_number(predict: Predict) -> None:
    code, _, out = predict(csv_of(shop=["0012", "0345"] * 10, x=range(20)))
    assert code == 0
    got = pd.read_csv(out, dtype={"shop": str})["prediction"]
    assert got.iloc[::2].max() < got.iloc[1::2].min() - 2  # of one another, where both are unknown


def test_codes_that_the_model_does_not_use_come_back_as_written(predict: Predict) -> None:
    text = csv_of(sku=["0012", "00345678901234567890"] * 10, shop=["A7"] * 20, x=range(20))
    _, _, out = predict(text)
    assert pd.read_csv(out, dtype=str)["sku"].tolist() == ["0012", "00345678901234567890"] * 10


def test_a_column_of_unknown_values_is_refused_on_the_command_line(predict: Predict) -> None:
    text = csv_of(shop=["a7"] * 20, x=range(20))
    code, message, out = predict(text)
    assert code == 2
    assert not out.exists()
    assert "column 'shop': 100% of 20 rows hold a value that training did not have, as 'a7'" in message
    code, message, out = predict(text, "--allow-unknown")
    assert code == 0
    assert len(pd.read_csv(out)) == 20


def test_a_column_of_unknown_values_in_python(storage: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = Study.open("demo", storage)
    rows = pd.DataFrame({"shop": [12] * 20, "x": range(20)})
    with pytest.raises(DataError, match="allow_unknown=True"):
        study.predict(rows)
    with caplog.at_level(logging.WARNING):
        assert len(study.predict(rows, allow_unknown=True)) == 20
    assert "Not understood: column 'shop'" in caplog.text
