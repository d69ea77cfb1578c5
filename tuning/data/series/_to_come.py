"""Tables of the time to come, which need not have all the columns that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tuning.data import _values
from tuning.data._names import check_trained_on
from tuning.errors import DataError

if TYPE_CHECKING:
    from tuning.data.series._read_series import SeriesColumns


def with_all_columns(frame: pd.DataFrame, spec: SeriesColumns) -> pd.DataFrame:
    """Take the columns that are read, empty ones for those that rows of the time to come need not have.

    Raises:
        DataError: a column that is needed is missing, or the target has another spelling.
    """
    if spec.target not in frame.columns:
        _refuse_another_name([str(name) for name in frame.columns if name not in spec.names], spec.target)
    has_targets = spec.target in frame.columns and _values.has_value(frame[spec.target])
    check_trained_on(frame, spec.needed(has_targets=has_targets))
    absent = {name: np.nan for name in spec.names if name not in frame.columns}
    return spec.of(frame).assign(**absent)


def _refuse_another_name(names: Sequence[str], target: str) -> None:
    """Refuse a target under another name, whose values would be left out without a word."""
    wanted = _plain_name(target)
    others = [name for name in names if wanted and _plain_name(name) == wanted]
    if others:
        raise DataError(
            f"data.target: there is no column {target!r}, but {others[0]!r}: rename it to {target!r} or, "
            "where its values are not to be used, drop it."
        )


def _plain_name(name: str) -> str:
    """A name without what is easily mistyped: case, spaces and signs."""
    return "".join(filter(str.isalnum, name)).casefold()
