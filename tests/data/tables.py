"""Delimited files, learnt from, and rows that come later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuning.data import DataConfig, PreparedData, SplitConfig, TargetConfig, prepare, read_frame
from tuning.data._transform import TableTransform


def from_csv(folder: Path, text: str, name: str = "t.csv") -> pd.DataFrame:
    """The table of a file with such text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_frame(path)


def csv_of(**columns: Any) -> str:
    """Columns as the text of a file, as they are written."""
    table = pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in columns.items()})
    return str(table.to_csv(index=False))


def learnt(frame: pd.DataFrame, **data: Any) -> PreparedData:
    """The data of a study of such a table, whose target is y."""
    config = DataConfig(**{"path": "t.csv", "target": "y", **data})
    return prepare(frame, config, TargetConfig(), SplitConfig(), None, 0)


def transform(data: PreparedData) -> TableTransform:
    """What was fitted on the training rows."""
    found = data.folds[0].transform
    assert isinstance(found, TableTransform)
    return found


def codes(data: PreparedData, rows: pd.DataFrame) -> list[str | None]:
    """The levels that the only category of the rows is read as, None where it has none of them."""
    fitted = transform(data)
    (levels,) = fitted.levels
    read = fitted.apply(rows).categorical[:, 0]
    return [levels[code] if code >= 0 else None for code in read]


def numbers(data: PreparedData, rows: pd.DataFrame) -> list[float]:
    """The numbers that the first numeric column of the rows is read as."""
    return [float(value) for value in transform(data).apply(rows).numeric[:, 0]]


def targets(n: int) -> np.ndarray:
    """n numbers with fractions, all different."""
    return np.arange(n) * 1.5 + 0.25
