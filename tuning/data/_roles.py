"""Deciding what each column is for, from the training rows alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from tuning.data import _values
from tuning.data._columns import DATE_PARTS, FEATURE_ROLES, ColumnSpec, date_parts
from tuning.data._offers import setting
from tuning.data._sequences import StepFormat, read_array, step_format
from tuning.data._text import analyzer_of, words_per_value
from tuning.data._written_columns import (
    BY_VALUES,
    SHARE_THAT_PARSES,
    Decision,
    GivenForms,
    check_values,
    given_dates,
    given_numbers,
    numbers_or_dates,
)
from tuning.data.config import ColumnRole, SequenceLayout
from tuning.errors import DataError

_FEW_LEVELS = 20
_NAMES_IN_A_NOTE = 8
_SPLIT_LABELS = frozenset({"train", "training", "valid", "validation", "val", "dev", "test", "testing"})
_AS_IDENTIFIER = (
    "dropped as an identifier, with another value in nearly every row (keep it by "
    "--set data.roles.NAME=categorical, or text)"
)
_AS_FEW_INTEGERS = (
    "read as numbers, whole ones with few levels (--set data.roles.NAME=categorical where they are codes)"
)


def decide(
    frame: pd.DataFrame,
    roles: Mapping[str, ColumnRole],
    prefixes: Sequence[str],
    layout: SequenceLayout = SequenceLayout.AUTO,
    forms: GivenForms = BY_VALUES,
) -> tuple[tuple[ColumnSpec, ...], tuple[str, ...]]:
    """The specification of every column of the training rows, and notes on what was inferred.

    Args:
        frame: training rows, without the target.
        roles: those given by the user.
        prefixes: of the names of columns that hold the numbers of an embedding.
        layout: of the nested lists of a sequence.
        forms: of numbers and dates, as the user gave them.

    Raises:
        DataError: a given role does not fit the column, two have the role sequence, or no feature is left.
    """
    _check_one_sequence(roles)
    decisions = [
        _decide(frame[name].infer_objects(), roles.get(name), prefixes, layout, forms)
        for name in frame.columns
    ]
    if not any(decision.spec.role in FEATURE_ROLES for decision in decisions):
        decisions = [_rescue(decision, frame[decision.spec.name]) for decision in decisions]
    decisions = _with_one_sequence(decisions, roles)
    if not any(decision.spec.role in FEATURE_ROLES for decision in decisions):
        raise DataError(" ".join(["No column is left to learn from.", *_notes(decisions)]))
    return tuple(decision.spec for decision in decisions), _notes(decisions)


def _notes(decisions: Iterable[Decision]) -> tuple[str, ...]:
    names: dict[str, list[str]] = defaultdict(list)
    for decision in decisions:
        if decision.remark:
            names[decision.remark].append(repr(decision.spec.name))
    if len(names[_AS_FEW_INTEGERS]) > _NAMES_IN_A_NOTE:  # A table of counts or grades: no hint, but noise.
        names[_AS_FEW_INTEGERS] = []
    return tuple(f"{_listed(columns)}: {remark}." for remark, columns in names.items() if columns)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_IN_A_NOTE])
    hidden = len(names) - _NAMES_IN_A_NOTE
    head = "Column" if len(names) == 1 else "Columns"
    return f"{head} {shown}" + (f" and {hidden} more" if hidden > 0 else "")


def _check_one_sequence(roles: Mapping[str, ColumnRole]) -> None:
    names = [name for name, role in roles.items() if role is ColumnRole.SEQUENCE]
    if len(names) > 1:
        raise DataError(
            f"data.roles: only one column can have the role sequence, not {', '.join(map(repr, names))}."
        )


def _with_one_sequence(decisions: list[Decision], roles: Mapping[str, ColumnRole]) -> list[Decision]:
    """The given sequence, or the first one found; the others are dropped, characters become text."""
    found = [decision.spec.name for decision in decisions if decision.spec.role is ColumnRole.SEQUENCE]
    given = [name for name in found if name in roles]
    kept = (given or found or [""])[0]
    return [
        _without_sequence(decision, kept) if decision.spec.name in set(found) - {kept} else decision
        for decision in decisions
    ]


def _without_sequence(decision: Decision, kept: str) -> Decision:
    if decision.spec.is_text:
        return Decision(
            replace(decision.spec, role=ColumnRole.TEXT), "read as text, by TF-IDF of its letters"
        )
    name = decision.spec.name
    choose = setting(f"data.roles.{name}", "sequence")
    return _dropped(name, f"dropped, the table has one sequence already, {kept!r} (choose by {choose})")


def _decide(
    column: pd.Series[Any],
    role: ColumnRole | None,
    prefixes: Sequence[str],
    layout: SequenceLayout,
    forms: GivenForms,
) -> Decision:
    name = str(column.name)
    if role is not None and role not in FEATURE_ROLES:
        return Decision(ColumnSpec(name, role))
    if not _values.has_value(column):
        return _dropped(name, "dropped, no training row has a value")
    if role is None and prefixes and name.startswith(tuple(prefixes)):
        role = ColumnRole.EMBEDDING
    if role is ColumnRole.SEQUENCE:
        return _without_constants(Decision(_given_sequence(column, layout)), column)
    decision = _inferred(column, layout, forms) if role is None else _given(column, role, forms)
    return _without_constants(decision, column)


def _dropped(name: str, remark: str) -> Decision:
    return Decision(ColumnSpec(name, ColumnRole.DROP), remark)


def _without_constants(decision: Decision, column: pd.Series[Any]) -> Decision:
    """Drop the column if training rows hold one value; of a date, keep the parts that vary."""
    spec = decision.spec
    constant = _dropped(spec.name, "dropped, the training rows hold one value only")
    if spec.role is ColumnRole.DATETIME:
        parts = date_parts(column, spec.date, DATE_PARTS)
        gaps = bool(np.isnan(parts[:, -1]).any())  # a date that is there or not: its days alone tell it
        varying = tuple(
            name
            for name, values in zip(DATE_PARTS, parts.T, strict=True)
            if _varies(values[~np.isnan(values)]) or (gaps and name == "days")
        )
        return replace(decision, spec=replace(spec, parts=varying)) if varying else constant
    if spec.role is ColumnRole.CATEGORICAL or spec.is_text:
        return decision if _values.as_labels(column).nunique(dropna=False) > 1 else constant
    if spec.numeric_names:
        return decision if any(map(_varies, spec.numbers(column).T)) else constant
    return decision


def _varies(values: _values.FloatArray) -> bool:
    return bool(pd.Series(values).nunique(dropna=False) > 1)


def _given(column: pd.Series[Any], role: ColumnRole, forms: GivenForms) -> Decision:
    """The specification for a role that the user chose."""
    spec = ColumnSpec(str(column.name), role)
    if role is ColumnRole.NUMERIC:
        return given_numbers(column, spec, forms)
    if role is ColumnRole.BOOLEAN:
        check_values(column, role, np.isfinite(_values.as_booleans(column)), "true or false")
    if role is ColumnRole.DATETIME:
        return given_dates(column, spec, forms)
    if role is ColumnRole.TEXT:
        return Decision(replace(spec, analyzer=analyzer_of(_values.as_labels(column).dropna())))
    if role is ColumnRole.EMBEDDING:
        return Decision(_given_embedding(column, spec))
    return Decision(spec)


def _given_embedding(column: pd.Series[Any], spec: ColumnSpec) -> ColumnSpec:
    width = _values.vector_width(column)
    if width is None and _values.is_words(column):
        numbers = np.isfinite(_values.as_numbers(column))
        check_values(column, spec.role, numbers, "a number or a list of numbers of one length")
    return replace(spec, width=width or 0)


def _given_sequence(column: pd.Series[Any], layout: SequenceLayout) -> ColumnSpec:
    """Steps where the values are lists, also as JSON text; the characters of all else."""
    spec = ColumnSpec(str(column.name), ColumnRole.SEQUENCE)
    form = step_format(column, layout, SHARE_THAT_PARSES) if _values.is_words(column) else None
    if form is not None:
        return _of_steps(spec, form)
    if not _values.is_words(column):
        raise DataError(
            f"Column {spec.name!r} has the role sequence, but holds one number, truth value or time a row: a "
            "sequence is a list of numbers or a string of characters."
        )
    if _holds_objects(column):
        raise DataError(
            f"Column {spec.name!r} has the role sequence, but its values are no lists of numbers, nor lists "
            f"of lists with one number of channels in all rows (data.sequence_layout is {layout})."
        )
    return replace(spec, analyzer=analyzer_of(_values.as_labels(column).dropna()))


def _of_steps(spec: ColumnSpec, form: StepFormat) -> ColumnSpec:
    return replace(spec, role=ColumnRole.SEQUENCE, channels=form.channels, layout=form.layout)


def _holds_objects(column: pd.Series[Any]) -> bool:
    return column.dtype == object and bool(
        column.map(lambda value: isinstance(value, dict | list | np.ndarray)).any()
    )


def _inferred(column: pd.Series[Any], layout: SequenceLayout, forms: GivenForms) -> Decision:
    spec = ColumnSpec(str(column.name), ColumnRole.NUMERIC)
    if types.is_bool_dtype(column.dtype):
        return Decision(replace(spec, role=ColumnRole.BOOLEAN))
    if types.is_timedelta64_dtype(column.dtype):
        return Decision(spec, "read as durations in seconds")
    if types.is_datetime64_any_dtype(column.dtype):
        return Decision(replace(spec, role=ColumnRole.DATETIME))
    if isinstance(column.dtype, pd.CategoricalDtype):
        return Decision(replace(spec, role=ColumnRole.CATEGORICAL))
    if _values.is_words(column):
        return _inferred_from_words(column, layout, forms)
    if _counts_rows(column):
        return _row_number(spec)
    return Decision(spec, _AS_FEW_INTEGERS if _may_be_codes(column) else "")


def _may_be_codes(column: pd.Series[Any]) -> bool:
    """Whether whole numbers repeat as codes do; 0 and 1 alone read the same either way."""
    if not types.is_integer_dtype(column.dtype):
        return False
    levels = set(column.dropna().unique())
    return len(levels) <= min(_FEW_LEVELS, len(column) // 2) and not levels <= {0, 1}


def _counts_rows(column: pd.Series[Any]) -> bool:
    """Whether whole numbers follow each other with few gaps and no repeats, as row numbers do."""
    if not types.is_integer_dtype(column.dtype) or len(column) < _FEW_LEVELS or not column.is_unique:
        return False
    return int(column.max()) - int(column.min()) < 3 * len(column)


def _row_number(spec: ColumnSpec) -> Decision:
    if spec.name.startswith("Unnamed:"):
        return _dropped(spec.name, "dropped, it has no name and counts the rows")
    drop = setting(f"data.roles.{spec.name}", "drop")
    return Decision(spec, f"kept, but it looks like a row number (leave it out by {drop})")


def _inferred_from_words(column: pd.Series[Any], layout: SequenceLayout, forms: GivenForms) -> Decision:
    spec = ColumnSpec(str(column.name), ColumnRole.CATEGORICAL)
    width = _values.vector_width(column)
    if width is not None:
        return Decision(
            replace(spec, role=ColumnRole.EMBEDDING, width=width), f"read as vectors of {width} numbers"
        )
    form = step_format(column, layout) if _starts_as_list(column) else None
    if form is not None:
        return Decision(_of_steps(spec, form), f"read as sequences, {_listed_form(form)}")
    if _holds_objects(column):
        return _dropped(spec.name, "dropped, its values are nested lists or records")
    present = _values.as_labels(column).dropna()
    if _are_truths(present):
        return Decision(replace(spec, role=ColumnRole.BOOLEAN))
    found = numbers_or_dates(column, spec, forms)
    if found.decision is not None:
        return found.decision
    decision = _inferred_from_labels(spec, present)
    return replace(decision, remark=found.explained(decision)) if found.is_nearly else decision


def _starts_as_list(column: pd.Series[Any]) -> bool:
    """Whether the first present value is a list of numbers: what saves a look at all the others."""
    return read_array(next(iter(column.dropna()), None)) is not None


def _listed_form(form: StepFormat) -> str:
    kind = "numbers" if form.channels == 1 else f"steps of {form.channels} channels"
    outer = {True: "one list per channel", False: "one list per step"}
    nested = f", {outer[form.layout is SequenceLayout.CHANNELS_FIRST]}" if form.channels > 1 else ""
    return f"{kind}{nested}"


def _are_truths(labels: pd.Series[Any]) -> bool:
    words = {label.casefold() for label in labels.unique()}
    return words in ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"on", "off"})


def _inferred_from_labels(spec: ColumnSpec, labels: pd.Series[Any]) -> Decision:
    """Category, text or identifier, by how often values repeat and how many words they have."""
    levels = int(labels.nunique())
    distinct = levels / len(labels)
    words = words_per_value(labels)
    if {label.casefold() for label in labels.unique()[:9]} <= _SPLIT_LABELS and levels > 1:
        hint = f"use it by {setting('split.method', 'column')} {setting('split.column', spec.name)}"
        return _dropped(spec.name, f"dropped, it holds labels of a split ({hint})")
    if levels <= _FEW_LEVELS:
        return Decision(spec)
    if (distinct > 0.5 and words >= 2) or (distinct > 0.2 and words >= 3):
        text = replace(spec, role=ColumnRole.TEXT, analyzer=analyzer_of(labels))
        return Decision(text, "read as text, by TF-IDF")
    if distinct >= SHARE_THAT_PARSES:
        return _dropped(spec.name, _AS_IDENTIFIER)
    return Decision(spec)


def _rescue(decision: Decision, column: pd.Series[Any]) -> Decision:
    """An identifier is read letter by letter where there is nothing else to learn from."""
    if not decision.remark.startswith(_AS_IDENTIFIER):
        return decision
    spec = replace(
        decision.spec, role=ColumnRole.SEQUENCE, analyzer=analyzer_of(_values.as_labels(column).dropna())
    )
    return Decision(spec, "read as a sequence of characters, as there is no other column")
