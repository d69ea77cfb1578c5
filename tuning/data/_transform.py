"""From a data frame to the arrays that models see, by what was fitted on training rows."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data import _columns, _text
from tuning.data._columns import ColumnSpec
from tuning.data._dense import HEAVY_TAIL, HEAVY_TAIL_FOR_CLASSES, DenseEncoder, is_one_hot
from tuning.data._float32 import Float32Map
from tuning.data._frame import Wanted
from tuning.data._roles import decide
from tuning.data._sequences import SequenceEncoder
from tuning.data._state import load_encoders, save_encoders, schema_from_json
from tuning.data._target import ClassLabel
from tuning.data._values import as_labels, as_numbers
from tuning.data._written_columns import GivenForms
from tuning.data.config import ColumnRole, SequenceLayout
from tuning.errors import DataError
from tuning.models import Loss, Schema, Sequences, Table, TargetTransform, Task
from tuning.models.errors import CheckpointError

if TYPE_CHECKING:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline

_STATE_FILE = "transform.json"
Codes = npt.NDArray[np.int32]


@dataclass(frozen=True)
class TableTransform:
    """What was fitted on the training rows of one fold.

    Attributes:
        columns: how each column of the file is read, in the file's order.
        levels: of each categorical column, in the order of their codes.
        text: one pipeline per column of text or characters.
        vectors: fills missing embeddings with the training mean; None without embeddings.
        single: moves numbers to where float32 tells them apart.
        dense: the encoding for networks.
        schema: describes the tables that `apply` makes.
        classes: label of each class code; empty for regression.
        sequence: the encoding of the sequence column; None without one.
    """

    columns: tuple[ColumnSpec, ...]
    levels: tuple[tuple[str, ...], ...]
    text: tuple[Pipeline, ...]
    vectors: SimpleImputer | None
    single: Float32Map
    dense: DenseEncoder
    schema: Schema
    classes: tuple[ClassLabel, ...] = ()
    sequence: SequenceEncoder | None = None

    def apply(self, frame: pd.DataFrame | None) -> Table:
        """The features of n rows; neither their target nor their weights.

        Columns that training did not use are ignored; categories unseen in training have code -1.

        Raises:
            DataError: a feature's column is missing, or there is no frame: rows do not follow each other.
        """
        if frame is None:
            raise DataError("There are no rows to predict: give them, or name the file that holds them.")
        _columns.check_present(self.columns, frame)
        numbers = self.single.apply(_columns.read_numeric(self.columns, frame))
        codes = self._codes(frame)
        return Table(
            numeric=np.ascontiguousarray(numbers, dtype=np.float32),
            categorical=codes,
            embedding=self._embedding(frame),
            dense=self.dense.apply(numbers, codes, self.schema.cardinalities),
            sequence=self._sequence(frame),
        )

    @property
    def wanted(self) -> Wanted:
        """The columns of the features."""
        features = [spec for spec in self.columns if spec.role in _columns.FEATURE_ROLES]
        return Wanted(
            features=tuple(spec.name for spec in features),
            times=tuple(spec.name for spec in features if spec.role is ColumnRole.DATETIME),
            lists=tuple(spec.name for spec in features if spec.width or spec.channels),
        )

    def weights(self, frame: pd.DataFrame) -> npt.NDArray[np.float64] | None:
        """(n,) weights of rows to train or score on, None without such a column.

        Raises:
            DataError: a weight is missing, negative or not a number, or all are 0.
        """
        names = [spec.name for spec in _columns.with_role(self.columns, ColumnRole.WEIGHT)]
        return _weights(frame[names[0]]) if names else None

    def labels(self, predictions: npt.NDArray[Any], table: Table | None = None) -> pd.DataFrame:
        """Outputs of `Model.predict` as columns for a person.

        Args:
            predictions: (n,) on the original scale, or (n, k) class probabilities.
            table: the rows that they are for; they add nothing to the columns.

        Returns:
            n rows: `prediction`, and for classes also `probability_<label>` each.
        """
        if self.schema.task is Task.REGRESSION:
            return pd.DataFrame({"prediction": predictions})
        best = [self.classes[code] for code in predictions.argmax(axis=1)]
        shares = {f"probability_{label}": predictions[:, code] for code, label in enumerate(self.classes)}
        return pd.DataFrame({"prediction": best, **shares})

    def placed(self, labelled: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
        """Give predictions the index of their rows."""
        return labelled.set_axis(frame.index)

    def save(self, folder: Path) -> None:
        """Write into `folder` (created) as JSON and a skops archive: no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "columns": [spec.to_json() for spec in self.columns],
            "levels": self.levels,
            "classes": self.classes,
            "schema": asdict(self.schema),
            "single": self.single.to_json(),
            "sequence": None if self.sequence is None else self.sequence.to_json(),
        }
        (folder / _STATE_FILE).write_text(json.dumps(state), encoding="utf-8")
        encoders = {
            "text": list(self.text),
            "vectors": self.vectors,
            "numeric": self.dense.numeric,
            "one_hot": self.dense.one_hot,
        }
        save_encoders(encoders, folder)

    @classmethod
    def load(cls, folder: Path) -> TableTransform:
        """Read what `save` wrote.

        Raises:
            CheckpointError: the folder is incomplete or damaged, or holds types that are not expected.
        """
        try:
            state = json.loads((folder / _STATE_FILE).read_text(encoding="utf-8"))
            encoders = load_encoders(folder)
            schema = schema_from_json(state["schema"])
            return cls(
                columns=tuple(map(ColumnSpec.from_json, state["columns"])),
                levels=tuple(map(tuple, state["levels"])),
                text=tuple(encoders["text"]),
                vectors=encoders["vectors"],
                single=Float32Map.from_json(state.get("single"), len(schema.numeric)),
                dense=DenseEncoder(encoders["numeric"], encoders["one_hot"]),
                schema=schema,
                classes=tuple(state["classes"]),
                sequence=None if state["sequence"] is None else SequenceEncoder.from_json(state["sequence"]),
            )
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{folder} does not hold a readable table transform: {error}.") from error

    def _codes(self, frame: pd.DataFrame) -> Codes:
        """(n, c) int32, -1 where missing or unseen."""
        specs = _columns.with_role(self.columns, ColumnRole.CATEGORICAL)
        columns = [
            pd.Index(levels, dtype=object).get_indexer(pd.Index(as_labels(frame[spec.name]), dtype=object))
            for spec, levels in zip(specs, self.levels, strict=True)
        ]
        if not columns:
            return np.empty((len(frame), 0), dtype=np.int32)
        return np.stack(columns, axis=1).astype(np.int32)

    def _embedding(self, frame: pd.DataFrame) -> npt.NDArray[np.float32]:
        """(n, e) float32: given embeddings, then text."""
        if len(frame) == 0:  # scikit-learn refuses tables without rows
            return np.empty((0, self.schema.embedding_width), dtype=np.float32)
        vectors = _columns.read_vectors(self.columns, frame)
        if self.vectors is not None:
            vectors = self.vectors.transform(vectors)
        text = _text.read_text(self.text, _columns.text_columns(self.columns), frame)
        return np.ascontiguousarray(np.concatenate([vectors.astype(np.float32), text], axis=1))

    def _sequence(self, frame: pd.DataFrame) -> Sequences | None:
        if self.sequence is None:
            return None
        (spec,) = _columns.with_role(self.columns, ColumnRole.SEQUENCE)
        return self.sequence.apply(frame[spec.name])


@dataclass(frozen=True)
class FitSettings:
    """What fitting needs beside the training rows."""

    roles: Mapping[str, ColumnRole]
    embedding_prefixes: Sequence[str]
    task: Task
    loss: Loss
    target: TargetTransform
    classes: tuple[ClassLabel, ...]
    seed: int
    sequence_layout: SequenceLayout = SequenceLayout.AUTO
    forms: GivenForms = field(default_factory=GivenForms)


def fit_transform(frame: pd.DataFrame, settings: FitSettings) -> tuple[TableTransform, tuple[str, ...]]:
    """Fit on training rows; `frame` has no target column.

    Returns:
        The transform, and notes on what was inferred.

    Raises:
        DataError: a role does not fit its column, or there is nothing to learn from.
    """
    columns, notes = decide(
        frame, settings.roles, settings.embedding_prefixes, settings.sequence_layout, settings.forms
    )
    levels = tuple(
        tuple(sorted(as_labels(frame[spec.name]).dropna().unique()))
        for spec in _columns.with_role(columns, ColumnRole.CATEGORICAL)
    )
    text = tuple(
        _text.fit_text(spec, frame[spec.name], settings.seed) for spec in _columns.text_columns(columns)
    )
    sequence = _fit_sequence(columns, frame)
    schema = Schema(
        task=settings.task,
        loss=settings.loss,
        numeric=_columns.numeric_names(columns),
        categorical=tuple(spec.name for spec in _columns.with_role(columns, ColumnRole.CATEGORICAL)),
        cardinalities=tuple(map(len, levels)),
        one_hot=tuple(is_one_hot(len(names)) for names in levels),
        n_classes=len(settings.classes),
        target=settings.target,
        sequence=None if sequence is None else sequence.schema,
    )
    unmoved = Float32Map.identity(len(schema.numeric))
    unfitted = TableTransform(
        columns, levels, text, None, unmoved, DenseEncoder(None, None), schema, settings.classes, sequence
    )
    return _with_encoders(unfitted, frame, settings.seed), notes


def _fit_sequence(columns: Sequence[ColumnSpec], frame: pd.DataFrame) -> SequenceEncoder | None:
    found = _columns.with_role(columns, ColumnRole.SEQUENCE)
    return SequenceEncoder.fit(frame[found[0].name], found[0].step_format) if found else None


def _with_encoders(transform: TableTransform, frame: pd.DataFrame, seed: int) -> TableTransform:
    """The transform with its encoders of numbers fitted, and the widths that follow."""
    from sklearn.impute import SimpleImputer

    numbers = _columns.read_numeric(transform.columns, frame)
    single = Float32Map.fit(numbers)
    numbers = single.apply(numbers)
    tail = HEAVY_TAIL_FOR_CLASSES if transform.schema.task.is_classification else HEAVY_TAIL
    dense = DenseEncoder.fit(numbers, transform.schema.cardinalities, seed, tail)
    vectors = _columns.read_vectors(transform.columns, frame)
    imputer = SimpleImputer(keep_empty_features=True).fit(vectors) if vectors.shape[1] else None
    components = sum(len(pipeline["svd"].components_) for pipeline in transform.text)
    schema = replace(transform.schema, dense_width=dense.width, embedding_width=vectors.shape[1] + components)
    return replace(transform, vectors=imputer, single=single, dense=dense, schema=schema)


def _weights(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    weights = as_numbers(column)
    bad = ~(weights >= 0)
    if bad.any() or (len(weights) and weights.sum() == 0):
        raise DataError(
            f"The weight column {column.name!r} must hold numbers of 0 or more, not all 0: "
            f"{int(bad.sum())} of {len(weights)} rows do not."
        )
    return weights


def read_classes(folder: Path) -> tuple[ClassLabel, ...]:
    """The labels that `TableTransform.save` wrote, without loading the rest.

    Raises:
        CheckpointError: the folder is incomplete or damaged.
    """
    try:
        return tuple(json.loads((folder / _STATE_FILE).read_text(encoding="utf-8"))["classes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} does not hold a readable table transform: {error}.") from error
