"""How a file of series is read: what was decided about its columns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from tuning.data._labels import LabelForm
from tuning.data._numbers import NumberFormat, number_from_json
from tuning.data.series._covariates import CovariateColumn
from tuning.data.series._history import CovariateRole
from tuning.data.series._times import TimeColumn


@dataclass(frozen=True)
class SeriesColumns:
    """How a file of series is read: all that was decided on the data that a model was trained on.

    Attributes:
        time: columns that the times are read from.
        series: columns that tell series apart.
        target: column to forecast.
        number: form of targets written as text.
        frequency: of the grid, as pandas names it.
        covariates: columns that covariates are read from.
        labels: forms of the labels of `series`.
        missing: words for a missing value, as the user gave them.
    """

    time: tuple[TimeColumn, ...]
    series: tuple[str, ...]
    target: str
    number: NumberFormat
    frequency: str
    covariates: tuple[CovariateColumn, ...]
    labels: tuple[LabelForm, ...] = ()
    missing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "time": [column.to_json() for column in self.time],
            "series": list(self.series),
            "target": self.target,
            "number": self.number.to_json(),
            "frequency": self.frequency,
            "covariates": [column.to_json() for column in self.covariates],
            "labels": [asdict(form) for form in self.labels],
            "missing": list(self.missing),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SeriesColumns:
        """From what `to_json` gave."""
        return cls(
            time=tuple(TimeColumn.from_json(column) for column in value["time"]),
            series=tuple(value["series"]),
            target=value["target"],
            number=number_from_json(value),
            frequency=value["frequency"],
            covariates=tuple(CovariateColumn.from_json(column) for column in value["covariates"]),
            labels=tuple(map(LabelForm.from_json, value.get("labels") or ()))
            or (LabelForm(),) * len(value["series"]),
            missing=tuple(value.get("missing") or ()),
        )

    def needed(self, *, has_targets: bool) -> tuple[str, ...]:
        """Names of the columns that a table to forecast from must have.

        Where targets are given, so is all that is known up to them. Rows without a target are the time to
        come, of which only what is known in advance can be given; what does not change over time is kept.

        Args:
            has_targets: whether a target is given in the table.
        """
        roles = {CovariateRole.KNOWN, *({CovariateRole.PAST} if has_targets else ())}
        times = (column.name for column in self.time)
        covariates = (column.name for column in self.covariates if column.role in roles)
        return (*times, *self.series, *covariates)

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Leave out columns that are not read: rows that differ in them alone are one observation."""
        return frame[[name for name in self.names if name in frame.columns]]

    @property
    def label_forms(self) -> dict[str, LabelForm | None]:
        """The form of the labels of each column but the times; None where it has none."""
        of_series = dict(zip(self.series, self.labels, strict=True))
        of_covariates = {column.name: column.category_form for column in self.covariates}
        return {self.target: None, **of_series, **of_covariates}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns that are read."""
        times = (column.name for column in self.time)
        return (*times, *self.series, self.target, *(column.name for column in self.covariates))
