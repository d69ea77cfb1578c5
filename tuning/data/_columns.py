"""What was decided about each column, and the reading of columns by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data import _sequences, _values
from tuning.data._dates import DateFormat
from tuning.data._float32 import within_float32
from tuning.data._labels import LabelForm
from tuning.data._names import check_trained_on
from tuning.data._numbers import NumberFormat, number_from_json
from tuning.data._sequences import StepFormat
from tuning.data._values import FloatArray
from tuning.data.config import ColumnRole, SequenceLayout

DATE_PARTS = ("year", "month", "day", "day_of_week", "hour", "days")
UNSEEN, MISSING = -1, -2  # in the place of a level
_NUMERIC_ROLES = frozenset({ColumnRole.NUMERIC, ColumnRole.BOOLEAN, ColumnRole.DATETIME})
FEATURE_ROLES = _NUMERIC_ROLES | {
    ColumnRole.CATEGORICAL,
    ColumnRole.TEXT,
    ColumnRole.EMBEDDING,
    ColumnRole.SEQUENCE,
}


@dataclass(frozen=True)
class ColumnSpec:
    """How one column is read.

    Attributes:
        name: of the column in the file.
        role: what it is for.
        number: form of numbers written as text.
        date: form of dates written as text.
        parts: the parts of a date that vary, from `DATE_PARTS`.
        width: length of the lists of an embedding column; 0 for a column of single numbers.
        analyzer: the pieces that text is cut into, as scikit-learn names them.
        channels: numbers per step of a sequence; 0: its steps are characters.
        layout: of the nested lists of a sequence.
        labels: form of labels and text; None: not kept, in studies of earlier versions.
        lost: share of the training rows whose value was not understood; of labels, the share to expect of
            new rows, by those that training holds once.
        missing: share of the training rows without a value; 1 where an earlier version did not keep it.
    """

    name: str
    role: ColumnRole
    number: NumberFormat = field(default_factory=NumberFormat)
    date: DateFormat = field(default_factory=DateFormat)
    parts: tuple[str, ...] = ()
    width: int = 0
    analyzer: str = "word"
    channels: int = 0
    layout: SequenceLayout = SequenceLayout.STEPS_FIRST
    labels: LabelForm | None = None
    lost: float = 0.0
    missing: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ColumnSpec:
        """Return what `to_json` gave, now or when forms were a decimal comma and the format of dates."""
        date = value.get("date") or {"form": value["format"]}
        read = {
            "role": ColumnRole(value["role"]),
            "number": number_from_json(value),
            "date": DateFormat.from_json(date),
            "parts": tuple(value["parts"]),
            "layout": SequenceLayout(value["layout"]),
            "labels": LabelForm.from_json(value["labels"]) if value.get("labels") else None,
        }
        kept = {name: entry for name, entry in value.items() if name not in ("decimal_comma", "format")}
        kept.setdefault("missing", 1.0)  # gaps are no surprise where nothing is known of those in training
        return cls(**{**kept, **read})

    @property
    def is_text(self) -> bool:
        """Whether TF-IDF is taken of it: text, and characters for models that read no sequences."""
        return self.role is ColumnRole.TEXT or (self.role is ColumnRole.SEQUENCE and not self.channels)

    @property
    def step_format(self) -> StepFormat | None:
        """Of the lists of a sequence; None for characters."""
        return StepFormat(self.channels, self.layout) if self.channels else None

    @property
    def numeric_names(self) -> tuple[str, ...]:
        """Names of the numeric columns that this one becomes."""
        if self.role is ColumnRole.DATETIME:
            return tuple(f"{self.name}.{part}" for part in self.parts)
        if self.role is ColumnRole.SEQUENCE:
            return _sequences.summary_names(self.name, self.channels)
        return (self.name,) if self.role in _NUMERIC_ROLES else ()

    def numbers(self, column: pd.Series[Any]) -> FloatArray:
        """(n,) -> (n, len(numeric_names)) float64, nan where missing."""
        if self.role is ColumnRole.DATETIME:
            return date_parts(column, self.date, self.parts)
        if self.role is ColumnRole.SEQUENCE:
            return _sequences.summaries(self.steps(column), self.step_format)
        read = _values.as_booleans(column) if self.role is ColumnRole.BOOLEAN else self._plain(column)
        return read[:, np.newaxis]  # (n,) -> (n, 1)

    def read_labels(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """(n,) object: labels or text in the form that training had, None where missing."""
        return (self.labels or LabelForm()).read(column)

    def steps(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """(n,) lists of steps as they are, or the text whose characters are the steps."""
        return column if self.channels else self.read_labels(column)

    def vectors(self, column: pd.Series[Any]) -> FloatArray:
        """(n,) -> (n, max(width, 1)) float64, nan where missing."""
        return _values.as_vectors(column, self.width) if self.width else self._plain(column)[:, np.newaxis]

    def _plain(self, column: pd.Series[Any]) -> FloatArray:
        return _values.as_numbers(column, self.number)


def date_parts(column: pd.Series[Any], date: DateFormat, parts: Sequence[str]) -> FloatArray:
    """(n,) -> (n, len(parts)) float64, nan where missing."""
    stamps = date.read(column)
    times: pd.Series[Any] = pd.Series(stamps)
    values = [
        _values.days_since_epoch(stamps)
        if part == "days"
        else getattr(times.dt, part).to_numpy(dtype=np.float64, na_value=np.nan)
        for part in parts
    ]
    return np.stack(values, axis=1) if values else np.empty((len(column), 0))


def read_codes(spec: ColumnSpec, column: pd.Series[Any], levels: Sequence[str]) -> npt.NDArray[np.int64]:
    """(n,) place of each label among the levels, `UNSEEN` or `MISSING` where it has none."""
    codes, labels = (spec.labels or LabelForm()).read_codes(column)
    place = {level: number for number, level in enumerate(levels)}
    places = [place.get(label, UNSEEN) for label in labels]
    return np.array([*places, MISSING], dtype=np.int64)[codes]


def with_role(specs: Sequence[ColumnSpec], role: ColumnRole) -> list[ColumnSpec]:
    """Those columns that have the role."""
    return [spec for spec in specs if spec.role is role]


def text_columns(specs: Sequence[ColumnSpec]) -> list[ColumnSpec]:
    """Those columns that TF-IDF is taken of."""
    return [spec for spec in specs if spec.is_text]


def check_present(specs: Sequence[ColumnSpec], frame: pd.DataFrame) -> None:
    """Refuse a table that lacks a feature.

    Raises:
        DataError: the message names the missing columns.
    """
    check_trained_on(frame, (spec.name for spec in specs if spec.role in FEATURE_ROLES))


def numeric_names(specs: Sequence[ColumnSpec]) -> tuple[str, ...]:
    """Names of the columns of `read_numeric`."""
    return tuple(name for spec in specs for name in spec.numeric_names)


def read_numeric(specs: Sequence[ColumnSpec], frame: pd.DataFrame) -> FloatArray:
    """(n, p) float64: numbers, truth values as 0 and 1, parts of dates, summaries of sequences.

    nan where missing.
    """
    parts = [spec.numbers(frame[spec.name]) for spec in specs if spec.numeric_names]
    return _side_by_side(parts, len(frame))


def read_vectors(specs: Sequence[ColumnSpec], frame: pd.DataFrame) -> FloatArray:
    """(n, e) float64 within the range of float32: the given embeddings side by side; nan where missing."""
    parts = [spec.vectors(frame[spec.name]) for spec in with_role(specs, ColumnRole.EMBEDDING)]
    return within_float32(_side_by_side(parts, len(frame)))


def _side_by_side(parts: Sequence[FloatArray], n: int) -> FloatArray:
    return np.concatenate(parts, axis=1) if parts else np.empty((n, 0))
