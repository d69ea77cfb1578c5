"""A study's table: found again, and prepared as it was when the study began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tuning.config import StudyConfig
from tuning.data import (
    FinalRows,
    Fold,
    PreparedData,
    Transform,
    fingerprint,
    prepare,
    prepare_final,
    read_frame,
)
from tuning.errors import DataError
from tuning.paths import from_home
from tuning.session import StudyFolder

if TYPE_CHECKING:
    from tuning.study._setup import StudyHeader


def with_data(header: StudyHeader, folder: StudyFolder, path: str | Path | None, place: str) -> StudyHeader:
    """Return the header with its table in another place, where that is said, and bring the table here.

    Args:
        header: the study.
        folder: its folder.
        path: where the table is now; None: where it was.
        place: what the path was given by, for messages.

    Raises:
        DataError: the table is gone, or is not the one that the study began with.
    """
    if path is not None:
        data = header.config.data.model_copy(update={"path": str(from_home(path).absolute())})
        header = replace(header, config=header.config.model_copy(update={"data": data}))
    file = Path(header.config.data.path)
    if file.is_relative_to(folder.root):
        folder.mirror.pull(file)
    if not file.is_file():
        what = f"{place}: there is no file {file}" if path is not None else f"there is no file {file}"
        raise DataError(
            f"The data of {folder.name} are gone: {what}; put it back, or say where it is now: "
            f"{folder.command('resume', '--data', 'PATH')}."
        )
    if fingerprint(str(file)) != header.data_sha256:
        raise DataError(
            f"The data of {folder.name} changed since the study began ({file}): scores would not compare; "
            "put the old file back, name it with --data, or start a new study with another --name."
        )
    return header


def read_final_fold(header: StudyHeader, folder: StudyFolder, rows: FinalRows) -> Fold:
    """Read a study's rows for a final fit, once `with_data` has found its table."""
    config = header.config
    return prepare_final(
        read_frame(config.data.path, config.data.delimiter),
        config.data,
        config.target,
        config.split,
        config.metric,
        config.search.seed,
        splits=read_splits(folder),
        rows=rows,
    )


def read_splits(folder: StudyFolder) -> pd.DataFrame:
    """Read which row is in which part, as it was dealt when the study began."""
    folder.mirror.pull(folder.splits_file)
    return pd.read_parquet(folder.splits_file)


def prepare_data(
    config: StudyConfig,
    table: str | Path,
    splits: pd.DataFrame | None = None,
    kept: Sequence[Transform] = (),
) -> PreparedData:
    """Read and prepare a study's data.

    Args:
        config: the study.
        table: file of the table.
        splits: as recorded; None: the rows are dealt.
        kept: one transform a fold, fitted when the study began; none: they are fitted.

    Raises:
        InputError: the table cannot be learnt from as asked.
    """
    return prepare(
        read_frame(table, config.data.delimiter),
        config.data,
        config.target,
        config.split,
        config.metric,
        config.search.seed,
        splits=splits,
        kept=kept,
    )
