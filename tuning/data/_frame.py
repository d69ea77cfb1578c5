"""What a person hands over, as a frame: rows, columns or a file in, the labels of their rows kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data._periods import TimeIndex, level_values, without_periods
from tuning.data._read import read_frame
from tuning.data._read_json import flattened
from tuning.errors import DataError
from tuning.paths import from_home

_KINDS = "a DataFrame, a Series, a dict, a list of dicts or the path of a file"
_NAMES_SHOWN = 8
_LONGEST_NAME = 255  # of a file; a longer one cannot even be looked for
Rows = pd.DataFrame | pd.Series | Mapping[Any, Any] | Sequence[Mapping[Any, Any]] | str | Path


@dataclass(frozen=True)
class Wanted:
    """The columns that a model looks for in the rows handed over.

    Attributes:
        features: names of the columns to predict from.
        times: those that hold times, which an index without a name stands for.
        lists: those that hold a list in each row.
        target: name of the target, where values of it can be given; None where they are not looked at.
    """

    features: tuple[str, ...]
    times: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    target: str | None = None

    @classmethod
    def by_all(cls, parts: Sequence[Wanted]) -> Wanted:
        """Join what several models look for in the same rows."""
        return cls(
            features=tuple(dict.fromkeys(name for part in parts for name in part.features)),
            times=tuple(dict.fromkeys(name for part in parts for name in part.times)),
            lists=tuple(dict.fromkeys(name for part in parts for name in part.lists)),
            target=parts[0].target,
        )


def as_frame(given: object, wanted: Wanted, delimiter: str | None = None) -> pd.DataFrame:
    """Turn rows to predict into a frame with columns of text names, at the index that they came with.

    Columns that the model looks for are taken from the index where they are no columns.

    Args:
        given: a DataFrame, whatever has a `to_pandas`, a Series (one row, or the one column), a dict (one
            row, or columns), a list of dicts, or the path of a file.
        wanted: what the model looks for.
        delimiter: of a CSV file; None: sniffed.

    Raises:
        DataError: it is something else, has no rows, or two columns of one name; the message says what to
            hand over instead.
    """
    if isinstance(given, str | Path):
        _refuse_contents(str(given))
        return read_frame(from_home(given), delimiter)
    given = _in_pandas(given)
    if isinstance(given, pd.DataFrame):
        frame = given
    elif isinstance(given, pd.Series):
        frame = _of_series(given, wanted)
    elif isinstance(given, Mapping):
        frame = _of_dict(given, wanted)
    elif _are_records(given):
        frame = pd.DataFrame(given)
    else:
        raise _refusal(given, wanted)
    frame = named(frame, "The rows to predict")
    return with_index(flattened(frame) if _has_records(frame) else frame, wanted)


def table_to_keep(given: object) -> pd.DataFrame | None:
    """Turn a table to train on into a frame; None where it is a path.

    Raises:
        DataError: it is neither a path nor a table.
    """
    if isinstance(given, str | Path):
        return None
    given = _in_pandas(given)
    if isinstance(given, pd.DataFrame):
        return given
    if _are_records(given) or (isinstance(given, Mapping) and all(map(_is_listed, given.values()))):
        try:
            return flattened(pd.DataFrame(given))
        except ValueError as error:
            raise DataError(f"Study.data: the columns do not fit together: {error}.") from error
    raise DataError(
        "Study.data: a table to train on is the path of a file, a DataFrame, a dict of columns or a list of "
        f"dicts, not {type(given).__name__}: hand over one of these."
    )


def _has_records(frame: pd.DataFrame) -> bool:
    """Whether a column holds records, which a file has as columns with dotted names."""
    firsts = (next(iter(frame[name].dropna()), None) for name in frame.columns if frame[name].dtype == object)
    return any(isinstance(first, dict) for first in firsts)


def _in_pandas(given: object) -> object:
    """Tables of other libraries, and arrays of records, as frames; all else as it is."""
    if isinstance(given, np.ndarray) and given.dtype.names is not None:
        return pd.DataFrame(given)
    is_pandas = isinstance(given, pd.DataFrame | pd.Series)
    return given.to_pandas() if hasattr(given, "to_pandas") and not is_pandas else given


def _are_records(given: object) -> TypeGuard[list[Any]]:
    """Whether it is a list of rows that have names: dicts, Series or named tuples."""
    return (
        isinstance(given, list | tuple)
        and not hasattr(given, "_fields")
        and bool(given)
        and all(isinstance(row, Mapping | pd.Series) or hasattr(row, "_fields") for row in given)
    )


def _refuse_contents(text: str) -> None:
    """Refuse a text that holds rows where the path of a file belongs."""
    looks_like_rows = not text.strip() or "\n" in text or text.lstrip()[0] in "[{"
    if looks_like_rows and not Path(text[:_LONGEST_NAME]).is_file():
        shown = text.strip().split("\n")[0][:40]
        raise DataError(
            f"A text to predict from is the path of a file, not {shown!r}: read rows in a text by json.loads "
            "or pd.read_csv(io.StringIO(text)) first."
        )


def _refusal(given: object, wanted: Wanted) -> DataError:
    names = ", ".join(map(repr, wanted.features[:_NAMES_SHOWN]))
    more = ", ..." if len(wanted.features) > _NAMES_SHOWN else ""
    if isinstance(given, Sequence) and not given:
        return DataError("There are no rows to predict: the list is empty.")
    if isinstance(given, np.ndarray | Sequence):
        return DataError(
            "The rows to predict have no column names: hand over pd.DataFrame(rows, columns="
            f"[{names}{more}]), with the names in the order of the values."
        )
    return DataError(f"Rows to predict are {_KINDS}, not {type(given).__name__}: hand over one of these.")


def _of_series(given: pd.Series[Any], wanted: Wanted) -> pd.DataFrame:
    """One row where the labels are names of columns, else the values of one column."""
    labels = {str(label).strip() for label in given.index}
    if labels & set(wanted.features):
        return given.to_frame().T.infer_objects()
    name = None if given.name is None else str(given.name).strip()
    if isinstance(given.index, TimeIndex) and wanted.target is not None and name in (None, wanted.target):
        return given.to_frame(wanted.target)
    if name in wanted.features or (name is None and len(wanted.features) == 1):
        return given.to_frame(wanted.features[0] if name is None else name)
    names = ", ".join(map(repr, wanted.features[:_NAMES_SHOWN]))
    raise DataError(
        f"The Series to predict is neither a row, with labels such as {names}, nor a column that the model "
        "was trained on: hand over a DataFrame."
    )


def _of_dict(given: Mapping[Any, Any], wanted: Wanted) -> pd.DataFrame:
    """Columns where all values are lists, or dicts of a value for each row; else one row."""
    values = {str(name).strip(): value for name, value in given.items()}
    if values and set(values) & set(wanted.features) and all(isinstance(v, Mapping) for v in values.values()):
        return pd.DataFrame(dict(given))
    if values and all(_is_column(value, name in wanted.lists) for name, value in values.items()):
        try:
            return pd.DataFrame(dict(given))
        except ValueError as error:
            lengths = ", ".join(f"{name!r} {len(value)}" for name, value in values.items())
            raise DataError(f"The columns to predict are not of one length: {lengths}.") from error
    listed = [name for name, value in values.items() if _is_column(value, name in wanted.lists)]
    wrong = [name for name in listed if name in wanted.features]
    if wrong:
        single = next(name for name in values if name not in listed)
        raise DataError(
            f"The dict to predict has a list for {wrong[0]!r} and a single value for {single!r}: give lists "
            "of one length for all columns, or single values of one row."
        )
    return pd.DataFrame([dict(given)])


def _is_column(value: object, holds_lists: bool) -> bool:
    """Whether a value is a column of rows rather than what one row has."""
    if not _is_listed(value):
        return False
    return not holds_lists or any(isinstance(one, list | tuple | np.ndarray | str) for one in value)


def _is_listed(value: object) -> TypeGuard[Iterable[Any]]:
    return isinstance(value, list | tuple | np.ndarray | pd.Series | pd.Index)


def named(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """Name the columns as a file has them: text, without spaces around, levels joined by dots.

    Periods become times (`without_periods`).

    Args:
        frame: not changed.
        what: it is, for the message.

    Raises:
        DataError: two columns have one name, or there are no rows.
    """
    names = [column_name(label) for label in frame.columns]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"{what}: more than one column is named {', '.join(map(repr, repeated))}: rename them."
        )
    if len(frame) == 0:
        raise DataError(f"{what}: the frame has no rows.")
    return without_periods(frame.set_axis(pd.Index(names), axis=1))


def column_name(label: object) -> str:
    """Write the label of a column as a file has it: text without spaces around, levels joined by dots."""
    parts = label if isinstance(label, tuple) else (label,)
    return ".".join(text for part in parts if (text := str(part).strip()))


def with_index(frame: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    """Add columns that are looked for and stand in the index, by their names or as the only times."""
    absent = [name for name in (*wanted.features, wanted.target) if name and name not in frame.columns]
    levels = {column_name(name): place for place, name in enumerate(frame.index.names) if name is not None}
    found = {name: levels[name] for name in absent if name in levels}
    times = [name for name in absent if name in wanted.times]
    if not found and len(times) == 1 and frame.index.name is None and isinstance(frame.index, TimeIndex):
        found = {times[0]: 0}
    return frame.assign(**{name: level_values(frame.index, place) for name, place in found.items()})


def keepable(frame: pd.DataFrame, times: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Make a frame to train on one that a file can hold, with its index among the columns.

    Args:
        frame: not changed.
        times: names of the columns of times, one of which an index without a name may stand for.

    Returns:
        The frame at a plain index, and a sentence for each level of the index.

    Raises:
        DataError: two columns have one name, or there are no rows.
    """
    kept = named(frame, "Study.data")
    notes: list[str] = []
    absent = [name for name in times if name not in kept.columns]
    for place, label in enumerate(frame.index.names):
        level = frame.index.get_level_values(place)
        name = None if label is None else column_name(label)
        if name is None and len(absent) == 1 and isinstance(level, TimeIndex):
            name = absent[0]
        if name is not None and name not in kept.columns:
            kept.insert(place, name, level_values(frame.index, place))
            notes.append(
                f"The index is read as the column {name!r} (leave it out by reset_index(drop=True))."
            )
        elif name is None and not pd.api.types.is_integer_dtype(level.dtype):
            notes.append(
                f"The index, such as {str(level[0])!r}, has no name and is left out: to use it as a column, "
                "name it by rename_axis('NAME')."
            )
    return kept.reset_index(drop=True), tuple(notes)


def unused_columns(frame: pd.DataFrame, wanted: Wanted, target: str) -> list[str]:
    """Name the columns that a model does not look at, such as those that tell rows apart, without lists."""
    used = {*wanted.features, target}
    return [name for name in map(str, frame.columns) if name not in used and not _holds_objects(frame[name])]


def _holds_objects(column: pd.Series[Any]) -> bool:
    return column.dtype == object and any(isinstance(one, list | dict | np.ndarray) for one in column)


def labels_of_rows(
    index: pd.Index[Any], rows: npt.NDArray[np.int64], placed: pd.DataFrame, time: str
) -> pd.Index[Any]:
    """Labels of predictions: those of their rows; of predictions without a row, what follows on.

    Args:
        index: (n,) of the rows handed over.
        rows: (m,) position of each prediction's row, -1 without one.
        placed: (m,) predictions with their columns of times and series.
        time: name of the column of times.
    """
    if (rows >= 0).all():
        return index.take(rows)
    if index.nlevels > 1:
        levels = [_continued(index.get_level_values(k), rows, placed, time) for k in range(index.nlevels)]
        return pd.MultiIndex.from_arrays(levels, names=index.names)
    return _continued(index, rows, placed, time)


def _continued(
    level: pd.Index[Any], rows: npt.NDArray[np.int64], placed: pd.DataFrame, time: str
) -> pd.Index[Any]:
    """Labels of one level: times and series as predicted, whole numbers counted on."""
    name = time if level.name is None and isinstance(level, TimeIndex) else column_name(level.name)
    without = np.flatnonzero(rows < 0)
    if name in placed.columns:
        new: pd.Index[Any] = pd.Index(placed[name].iloc[without])
    else:
        start = int(level.max()) + 1 if pd.api.types.is_integer_dtype(level.dtype) else len(level)
        new = pd.RangeIndex(start, start + len(without))
    if isinstance(level, pd.PeriodIndex):
        new = pd.DatetimeIndex(new).to_period(level.freqstr)
    elif isinstance(level, pd.DatetimeIndex) and level.tz is not None:
        zone = level.tz if (level == level.normalize()).all() else "UTC"  # days, or read as UTC
        new = pd.DatetimeIndex(new).tz_localize(zone).tz_convert(level.tz)
    together = level.take(rows[rows >= 0]).append(new)
    order = np.empty(len(rows), dtype=np.intp)
    order[np.concatenate([np.flatnonzero(rows >= 0), without])] = np.arange(len(rows))
    return together.take(order).rename(level.name)
