"""What transforms of both kinds write and read alike: schemas as JSON, fitted encoders as a skops archive."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuning.models import Loss, Schema, SequenceSchema, SeriesSchema, TargetTransform, Task

_ENCODERS_FILE = "encoders.skops"
_TRUSTED = ["numpy.dtype"]


def save_encoders(encoders: Mapping[str, Any], folder: Path) -> None:
    """Write estimators of scikit-learn into an existing folder."""
    import skops.io  # imports torch, seconds that reading and preparing do without

    path = folder / _ENCODERS_FILE
    skops.io.dump(dict(encoders), path, compression=zipfile.ZIP_DEFLATED, compresslevel=1)


def load_encoders(folder: Path) -> dict[str, Any]:
    """Read what `save_encoders` wrote.

    Raises:
        OSError, ValueError, TypeError, zipfile.BadZipFile: the file is missing or damaged, or holds types
            that are not expected.
    """
    import skops.io  # as in save_encoders

    return dict(skops.io.load(folder / _ENCODERS_FILE, trusted=_TRUSTED))


def schema_from_json(value: Mapping[str, Any]) -> Schema:
    """A schema from its `dataclasses.asdict`, which JSON has turned tuples of into lists."""
    parts = {
        "task": Task(value["task"]),
        "loss": Loss(value["loss"]),
        "target": TargetTransform(**value["target"]),
        "sequence": None if value["sequence"] is None else SequenceSchema(**value["sequence"]),
        "series": None if value["series"] is None else SeriesSchema(**_with_tuples(value["series"])),
    }
    return Schema(**{**_with_tuples(value), **parts})


def _with_tuples(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(item) if isinstance(item, list) else item for name, item in value.items()}
