"""Columns that are asked for by name, and sentences where a table lacks them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import pandas as pd

from tuning.errors import DataError

_NAMES_SHOWN = 20


def check_column(frame: pd.DataFrame, name: str, place: str) -> None:
    """Refuse a name that no column has.

    Args:
        frame: the table.
        name: as the user gave it.
        place: entry of the study file that gave it.

    Raises:
        DataError: the message offers the nearest names, else all of them.
    """
    if name in frame.columns:
        return
    closest = difflib.get_close_matches(name, frame.columns, n=3, cutoff=0.5)
    if closest:
        choices = f"did you mean {' or '.join(map(repr, closest))}?"
    else:
        choices = f"choose from {_shown(list(frame.columns))}."
    raise DataError(f"{place}: there is no column {name!r}: {choices}")


def check_trained_on(frame: pd.DataFrame, names: Iterable[str]) -> None:
    """Refuse rows to predict that lack columns.

    Raises:
        DataError: the message names them.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        columns = f"column{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))}"
        given = [*frame.columns, *(name for name in frame.index.names if name is not None)]
        closest = difflib.get_close_matches(missing[0], map(str, given), n=1, cutoff=0.7)
        hint = f" (did you mean {closest[0]!r}?)" if closest else ""
        raise DataError(f"The table lacks the {columns}, which the model was trained on{hint}.")


def _shown(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_NAMES_SHOWN])) + (", ..." if len(names) > _NAMES_SHOWN else "")
