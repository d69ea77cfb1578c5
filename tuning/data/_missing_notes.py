"""Notes on words for missing values: which were read so, and which are labels of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from tuning.data._columns import FEATURE_ROLES, ColumnSpec
from tuning.data._labels import LabelForm
from tuning.data._missing import words_in
from tuning.data._offers import missing_words
from tuning.data.config import ColumnRole

_NAMES_IN_A_NOTE = 8


def forms_of(specs: Sequence[ColumnSpec]) -> dict[str, LabelForm | None]:
    """Return the form of labels of each feature; None for those that are numbers, dates or truth values."""
    return {
        spec.name: spec.labels if spec.role is ColumnRole.CATEGORICAL or spec.is_text else None
        for spec in specs
        if spec.role in FEATURE_ROLES
    }


def notes_on_words(
    frame: pd.DataFrame, forms: Mapping[str, LabelForm | None], given: Sequence[str] | None = None
) -> list[str]:
    """Return what was done with words for missing values.

    Args:
        frame: the rows as the file has them.
        forms: of the labels of each column; None where it has none.
        given: words for a missing value that the user gave; what a note offers keeps them.
    """
    missing: dict[tuple[str, ...], list[str]] = defaultdict(list)
    labels: dict[tuple[str, ...], list[str]] = defaultdict(list)
    offered = set(given or ())  # with the marks that are missing now, and were labels if left out
    for name, form in forms.items():
        words = words_in(frame[name])
        kept = () if form is None else tuple(word for word in words if word not in form.missing)
        read = tuple(word for word in words if word not in kept)
        if read:
            missing[read].append(name)
        if kept:
            labels[kept].append(name)
        if form is not None:
            offered.update(words)
    notes = [f"Read as missing, as are empty cells: {_shown(missing)}."] if missing else []
    if labels:
        way_out = missing_words(offered)
        notes.append(f"Read as labels of their own: {_shown(labels)}; {way_out} reads them as missing.")
    return notes


def _shown(columns: Mapping[tuple[str, ...], Sequence[str]]) -> str:
    return "; ".join(f"{', '.join(map(repr, words))} in {_names(names)}" for words, names in columns.items())


def _names(names: Sequence[str]) -> str:
    hidden = len(names) - _NAMES_IN_A_NOTE
    return ", ".join(map(repr, names[:_NAMES_IN_A_NOTE])) + (f" and {hidden} more" if hidden > 0 else "")
