"""The parts of a study file that say what the data is: columns, target and split."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0)]


def _split_names(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(name for part in value.split(",") if (name := part.strip()))


Names = Annotated[tuple[str, ...], BeforeValidator(_split_names)]
"""Column names: a list, or one string with commas."""


def _one_character(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = {"\\t": "\t", "tab": "\t"}.get(value, value)
    if len(value) != 1:
        raise ValueError(f"a delimiter is one character such as ';' (or tab), not {value!r}")
    return value


class ColumnRole(StrEnum):
    """What a column is for."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TEXT = "text"
    EMBEDDING = "embedding"
    SEQUENCE = "sequence"
    DROP = "drop"
    GROUP = "group"
    WEIGHT = "weight"
    KNOWN = "known"
    PAST = "past"
    STATIC = "static"


class TaskKind(StrEnum):
    """The kind of task as a user names it; the number of classes is read from the data."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"
    FORECASTING = "forecasting"


class SequenceLayout(StrEnum):
    """What the outer of two nested lists of a sequence holds."""

    AUTO = "auto"
    STEPS_FIRST = "steps_first"
    CHANNELS_FIRST = "channels_first"


class TransformChoice(StrEnum):
    """The scale a regression target is trained on."""

    AUTO = "auto"
    NONE = "none"
    LOG1P = "log1p"


class SplitMethod(StrEnum):
    """How rows are dealt to training, validation and test."""

    AUTO = "auto"
    RANDOM = "random"
    STRATIFIED = "stratified"
    GROUP = "group"
    TIME = "time"
    COLUMN = "column"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(_Section):
    """Which table, which target, and what its columns are.

    Attributes:
        path: the file.
        target: name of the column to predict.
        task: regression, classification or forecasting; None: forecasting where `horizon` is given, else
            inferred from the target.
        roles: column name -> role, for those whose inferred role is wrong. Of forecasting: known (also for
            the time to come), past (up to the origin, as is what has no role), static (one value per
            series) and drop.
        embedding_prefixes: columns whose names start so are the numbers of an embedding.
        sequence_layout: of a sequence column of nested lists. `auto`: channels are the axis of one
            length in all rows; where both axes are, the longer one holds the steps.
        delimiter: of a CSV file; None: sniffed.
        decimal_comma: numbers in text are written as 1.234,5; None: told by the values of each column.
        day_first: dates in text are written day before month, as 31/01/2024; None: told by the values of
            each column.
        drop_missing_target: leave out rows without a target instead of refusing them.
        min_class_rows: of classification: leave out the rows of classes that have fewer rows, or none to
            train on, instead of refusing them.
        time: of forecasting: the column of the time stamps, or several that make them up (date and hour;
            year, month and day).
        series: of forecasting: the columns that tell one series from another; none: it is one series.
        horizon: of forecasting: steps ahead.
        frequency: of forecasting: of the time stamps, as pandas names it ("h", "D", "W-FRI", "MS"); None:
            inferred.
        season: of forecasting: steps of a season; None: by the frequency.
        max_train_rows: of forecasting: most rows (windows times horizon) to train on; with more, origins
            are left out evenly.
    """

    path: str
    target: str
    task: TaskKind | None = None
    roles: dict[str, ColumnRole] = Field(default_factory=dict)
    embedding_prefixes: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    sequence_layout: SequenceLayout = SequenceLayout.AUTO
    delimiter: Annotated[str | None, BeforeValidator(_one_character)] = None
    decimal_comma: bool | None = None
    day_first: bool | None = None
    drop_missing_target: bool = False
    min_class_rows: int | None = Field(default=None, ge=1)
    time: Names = ()
    series: Names = ()
    horizon: int | None = Field(default=None, ge=1)
    frequency: str | None = None
    season: int | None = Field(default=None, ge=1)
    max_train_rows: int = Field(default=200_000, ge=100)

    @property
    def is_forecasting(self) -> bool:
        """Whether series are to be continued."""
        return self.task is TaskKind.FORECASTING or (self.task is None and self.horizon is not None)

    @model_validator(mode="after")
    def _check_series(self) -> DataConfig:
        if self.is_forecasting:
            if self.horizon is None:
                raise ValueError(
                    "task forecasting needs horizon, the number of steps ahead, as in --horizon 4"
                )
            if not self.time:
                raise ValueError(
                    "task forecasting needs time, the column of the time stamps, as in --time date"
                )
            return self
        of_series = ("time", "series", "horizon", "frequency", "season")
        given = [name for name in of_series if getattr(self, name)]
        if given and self.task is not None:
            raise ValueError(f"{given[0]} is for task forecasting, the task is {self.task}")
        if given:
            raise ValueError(
                f"{given[0]} is for forecasting: give time and horizon as well, as in --time date --horizon 4"
            )
        return self


class TargetConfig(_Section):
    """The scale a regression target is trained on.

    Attributes:
        transform: `log1p`, `none`, or `auto`: log1p where the metric is relative (smape, mape, rmsle)
            and no training target is negative.
        clip_min: lowest prediction; None: 0 where `auto` chose log1p, else no limit.
    """

    transform: TransformChoice = TransformChoice.AUTO
    clip_min: float | None = None


class SplitConfig(_Section):
    """How rows are dealt to training, validation and test.

    Attributes:
        method: `auto` is group where a column has that role, else stratified for classification and
            random for regression. `time` puts the latest rows last. `column` reads the labels train,
            valid and test from a column; without valid rows there, they are taken from train. Series
            are always split by time: the test last, the validation before it.
        valid: share of all rows for validation; with folds it is not used. Of series: share of the time, or,
            from 1 on, a number of time steps.
        test: share of all rows for the test, split off first. Of series: as `valid`.
        folds: 0 or 1 for one validation part, k for k-fold cross-validation over the rows outside the test.
            Of series: k cut-offs, each trained on all that lies before it.
        column: the group, time or label column that the method needs.
    """

    method: SplitMethod = SplitMethod.AUTO
    valid: Share = 0.15
    test: Share = 0.15
    folds: int = Field(default=0, ge=0)
    column: str | None = None

    @property
    def is_kfold(self) -> bool:
        return self.folds >= 2

    @model_validator(mode="after")
    def _check(self) -> SplitConfig:
        if not self.is_kfold and self.valid <= 0:
            raise ValueError("split.valid must be above 0 unless split.folds is 2 or more")
        for name, part in (("valid", self.valid), ("test", self.test)):
            if part >= 1 and not float(part).is_integer():
                raise ValueError(f"{name} is a share below 1 or a whole number of time steps, not {part:g}")
        shares = self.valid < 1 and self.test < 1
        if shares and not self.is_kfold and self.valid + self.test >= 1:
            raise ValueError(
                f"split.valid + split.test must leave rows to train on, they are {self.valid + self.test:g}"
            )
        needs_column = self.method in (SplitMethod.TIME, SplitMethod.COLUMN)
        if needs_column and self.column is None:
            raise ValueError(
                f"split.method={self.method} needs the name of a column: --set split.column=NAME"
            )
        takes_column = needs_column or self.method is SplitMethod.GROUP
        if self.column is not None and not takes_column:
            raise ValueError(
                f"split.column needs --set split.method=group, time or column, the method is {self.method}"
            )
        return self
