"""The parts of a study file that say what the data is: columns, target and split."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class ColumnRole(StrEnum):
    """What a column is for."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TEXT = "text"
    EMBEDDING = "embedding"
    DROP = "drop"
    GROUP = "group"
    WEIGHT = "weight"


class TaskKind(StrEnum):
    """The kind of task as a user names it; the number of classes is read from the data."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


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
        task: regression or classification; None: inferred from the target.
        roles: column name -> role, for those whose inferred role is wrong.
        embedding_prefixes: columns whose names start so are the numbers of an embedding.
        delimiter: of a CSV file; None: sniffed.
        drop_missing_target: leave out rows without a target instead of refusing them.
    """

    path: str
    target: str
    task: TaskKind | None = None
    roles: dict[str, ColumnRole] = Field(default_factory=dict)
    embedding_prefixes: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    delimiter: str | None = None
    drop_missing_target: bool = False


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
            valid and test from a column; without valid rows there, they are taken from train.
        valid: share of all rows for validation; with folds it is not used.
        test: share of all rows for the test, split off first.
        folds: 0 or 1 for one validation part, k for k-fold cross-validation over the rows outside the test.
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
            raise ValueError("valid must be above 0 unless folds is 2 or more")
        if not self.is_kfold and self.valid + self.test >= 1:
            raise ValueError(f"valid + test must leave rows to train on, they are {self.valid + self.test:g}")
        needs_column = self.method in (SplitMethod.TIME, SplitMethod.COLUMN)
        if needs_column and self.column is None:
            raise ValueError(f"method {self.method} needs the name of a column in column")
        takes_column = needs_column or self.method is SplitMethod.GROUP
        if self.column is not None and not takes_column:
            raise ValueError(f"column needs method group, time or column, the method is {self.method}")
        return self
