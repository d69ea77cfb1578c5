"""Small problems and configurations to hold a model family to its contract with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from dataclasses import fields as dataclass_fields
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from tuning.models import Loss, Schema, Sequences, SequenceSchema, Table, TargetTransform, Task

LEVELS = (4, 9)
CHANNELS = 3
VOCABULARY = 6
LONGEST = 9

Config = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """A small task: what the columns mean, and the rows. All arrays are read-only."""

    schema: Schema
    train: Table
    valid: Table


def make_problem(task: Task, *, loss: Loss | None = None, n_train: int = 240, n_valid: int = 80) -> Problem:
    """Rows with gaps in the numbers and the categories, an embedding, and a learnable target."""
    rng = np.random.default_rng(7)
    n = n_train + n_valid
    numeric = rng.normal(size=(n, 5)).astype(np.float32)
    categorical = np.column_stack([rng.integers(0, levels, n) for levels in LEVELS]).astype(np.int32)
    embedding = rng.normal(size=(n, 6)).astype(np.float32)
    signal = numeric[:, 0] + 0.5 * categorical[:, 0] + 0.5 * embedding[:, 0] + 0.1 * rng.normal(size=n)
    numeric[rng.random(numeric.shape) < 0.1] = np.nan
    categorical[rng.random(categorical.shape) < 0.05] = -1
    target = _target(task, signal)
    table = Table(numeric, categorical, embedding, _dense(numeric, categorical), target)
    schema = _schema(task, loss, table, n_train)
    train, valid = table.take(slice(0, n_train)), table.take(slice(n_train, n))
    return Problem(schema, read_only(train), read_only(valid))


class Inputs(StrEnum):
    """What the rows of a problem are."""

    FEATURES = "features"
    STEPS = "steps"
    CHARACTERS = "characters"


def make_sequence_problem(
    task: Task, inputs: Inputs, *, n_train: int = 240, n_valid: int = 80, longest: int = LONGEST
) -> Problem:
    """Sequences of 0 to `longest` steps whose sum tells the target, beside `make_problem`'s features."""
    features = make_problem(task, n_train=n_train, n_valid=n_valid)
    rng = np.random.default_rng(11)
    lengths = rng.integers(0, longest + 1, n_train + n_valid)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    steps: npt.NDArray[Any]
    if inputs is Inputs.STEPS:
        steps = rng.normal(size=(offsets[-1], CHANNELS)).astype(np.float32)
        signal = np.bincount(rows, steps[:, 0], len(lengths))
        schema = SequenceSchema(CHANNELS, 0, longest)
    else:
        steps = rng.integers(0, VOCABULARY + 1, offsets[-1]).astype(np.int32)
        signal = np.bincount(rows, (steps == 1) * 1.0 - (steps == 2), len(lengths))
        schema = SequenceSchema(0, VOCABULARY, longest)
    sequences, target = Sequences(steps, offsets), _target(task, signal)
    tables = [
        read_only(replace(table, target=target[part], sequence=sequences.take(part)))
        for table, part in zip(
            (features.train, features.valid), np.split(np.arange(len(lengths)), [n_train]), strict=True
        )
    ]
    return Problem(replace(features.schema, sequence=schema), *tables)


def _dense(numeric: npt.NDArray[np.float32], categorical: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    one_hot = categorical[:, :1] == np.arange(LEVELS[0])
    return np.hstack([np.nan_to_num(numeric), one_hot], dtype=np.float32)


def _target(task: Task, signal: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    if task is Task.REGRESSION:
        return np.exp(0.5 * signal)
    edges = [0.5] if task is Task.BINARY else [0.0, 1.2]
    return np.digitize(signal, np.quantile(signal, 0.5) + np.array(edges) - 0.5).astype(np.int64)


def _schema(task: Task, loss: Loss | None, table: Table, n_train: int) -> Schema:
    transform, n_classes = TargetTransform(), 0
    assert table.target is not None
    if task.is_classification:
        n_classes = int(table.target.max()) + 1
    else:
        z = np.log1p(table.target[:n_train].astype(np.float64))
        transform = TargetTransform(log1p=True, mean=float(z.mean()), std=float(z.std()), clip_min=0.01)
    return Schema(
        task=task,
        loss=loss or (Loss.LOG if task.is_classification else Loss.SQUARED),
        numeric=tuple(f"number_{i}" for i in range(table.numeric.shape[1])),
        categorical=tuple(f"category_{i}" for i in range(len(LEVELS))),
        cardinalities=LEVELS,
        embedding_width=table.embedding.shape[1],
        dense_width=table.dense.shape[1],
        one_hot=(True, False),
        n_classes=n_classes,
        target=transform,
    )


def read_only(table: Table) -> Table:
    """The same rows in arrays that cannot be written to, as they come from shared memory."""
    for array in arrays_of(table):
        array.setflags(write=False)
    return table


def arrays_of(part: Any) -> Iterator[npt.NDArray[Any]]:
    """Every array in a table and in what it is made of."""
    if isinstance(part, np.ndarray):
        yield part
    elif is_dataclass(part):
        for field in dataclass_fields(part):
            yield from arrays_of(getattr(part, field.name))


def default_config(space: Mapping[str, Any]) -> Config:
    """The configuration of the first trial."""
    return active_config(space, {name: spec["default"] for name, spec in space["parameters"].items()})


def sampled_configs(space: Mapping[str, Any], count: int) -> Iterator[Config]:
    """`count` random configurations, conditional parameters only where they are active."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield active_config(space, {name: _draw(rng, spec) for name, spec in space["parameters"].items()})


def _draw(rng: np.random.Generator, spec: Mapping[str, Any]) -> Any:
    if spec["type"] == "categorical":
        return spec["choices"][rng.integers(len(spec["choices"]))]
    low, high = spec["low"], spec["high"]
    if spec.get("log"):
        value = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    elif spec.get("step") or spec["type"] == "int":
        step = spec.get("step", 1)
        value = low + step * int(rng.integers(int((high - low) / step + 1e-9) + 1))
    else:
        value = float(rng.uniform(low, high))
    return round(value) if spec["type"] == "int" else value


def active_config(space: Mapping[str, Any], values: Config) -> Config:
    """The fixed values (or those given in their place), and the parameters whose conditions hold."""
    parameters = space["parameters"]
    kept = {n: v for n, v in values.items() if _is_active(parameters.get(n, {}).get("when", {}), values)}
    return {**(space.get("fixed") or {}), **kept}


def _is_active(when: Mapping[str, Any], values: Config) -> bool:
    return all(
        values[name] in (wanted if isinstance(wanted, list) else [wanted]) for name, wanted in when.items()
    )
