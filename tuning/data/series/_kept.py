"""The history that a transform keeps: cut to its end, put before newer rows, written and read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data.series._frequency import parse_frequency
from tuning.data.series._grid import check_size, show
from tuning.data.series._history import Covariate, CovariateRole, History
from tuning.errors import DataError

FloatArray = npt.NDArray[np.float64]
_ARRAYS_FILE, _NAMES_FILE = "history.npz", "history.json"


def tail(history: History, steps: int) -> History:
    """The last time steps up to the last target, and those after it."""
    known = np.flatnonzero(np.isfinite(history.target).any(axis=0))
    start = max(int(known[-1]) + 1 - steps, 0) if len(known) else 0
    return _regridded(history, history.times[start:], history.names)


def of_series(history: History, names: Sequence[str]) -> History:
    """Take the series of the given names."""
    return history if tuple(names) == history.names else _regridded(history, history.times, names)


def ended_before(history: History, kept: History) -> dict[str, str]:
    """Find the series without a target in the end that is kept, and the time of the last one of each."""
    known = np.isfinite(history.target)
    gone = np.flatnonzero(known.any(axis=1) & ~np.isfinite(kept.target).any(axis=1))
    last = known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    return {history.names[series]: show(history.times[last[series]]) for series in gone}


def lengthened(history: History, end: int) -> History:
    """With the grid going on up to, not including, the time step `end`."""
    if end <= len(history.times):
        return history
    times = pd.date_range(history.times[0], periods=end, freq=parse_frequency(history.frequency), unit="us")
    return _regridded(history, times, history.names)


def extended(kept: History, newer: History) -> History:
    """The series of `newer`, with what `kept` knows of them where `newer` has no value.

    Raises:
        DataError: the times of `newer` lie between those of `kept`, or too far from them.
    """
    start, end = min(kept.times[0], newer.times[0]), max(kept.times[-1], newer.times[-1])
    times = pd.date_range(start, end, freq=parse_frequency(newer.frequency), unit="us")
    _check_steps(kept, newer, times)
    check_size(len(newer.names), len(times), newer.frequency)
    before, after = (_regridded(each, times, newer.names) for each in (kept, newer))
    known = {covariate.name: covariate.values for covariate in before.covariates}
    return replace(
        after,
        target=_first_known(after.target, before.target),
        covariates=tuple(
            replace(each, values=_first_known(each.values, known[each.name])) for each in after.covariates
        ),
    )


def _check_steps(kept: History, newer: History, times: pd.DatetimeIndex) -> None:
    ends = newer.times[[0]].append(kept.times[[-1]])
    if (times.get_indexer(ends) < 0).any():
        raise DataError(
            f"data.time: {show(newer.times[0])} is not a whole number of steps of {newer.frequency} from "
            f"{show(kept.times[-1])}, where the data that the model was trained on end: give the rows at "
            "such times."
        )


def save_history(history: History, folder: Path) -> None:
    """Write into an existing folder; positions in the file are left out."""
    arrays = {f"covariate_{place}": each.values for place, each in enumerate(history.covariates)}
    stamps = history.times.to_numpy("datetime64[us]").astype(np.int64)
    np.savez_compressed(folder / _ARRAYS_FILE, times=stamps, target=history.target, **arrays)  # type: ignore[arg-type]
    names = {
        "names": history.names,
        "frequency": history.frequency,
        "covariates": [[each.name, each.role.value] for each in history.covariates],
    }
    (folder / _NAMES_FILE).write_text(json.dumps(names), encoding="utf-8")


def load_history(folder: Path) -> History:
    """Read what `save_history` wrote.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: the files are missing or damaged.
    """
    names = json.loads((folder / _NAMES_FILE).read_text(encoding="utf-8"))
    with np.load(folder / _ARRAYS_FILE, allow_pickle=False) as arrays:
        return History(
            names=tuple(names["names"]),
            times=pd.DatetimeIndex(arrays["times"].astype("datetime64[us]")),
            frequency=names["frequency"],
            target=arrays["target"],
            rows=np.full(arrays["target"].shape, -1, dtype=np.int64),
            covariates=tuple(
                Covariate(name, CovariateRole(role), arrays[f"covariate_{place}"])
                for place, (name, role) in enumerate(names["covariates"])
            ),
        )


def _regridded(history: History, times: pd.DatetimeIndex, names: Sequence[str]) -> History:
    """The values at other times and of other series; missing where the history has none."""
    step = history.times.get_indexer(times)
    series = pd.Index(history.names, dtype=object).get_indexer(pd.Index(names, dtype=object))
    return replace(
        history,
        names=tuple(names),
        times=times,
        target=_picked(history.target, series, step),
        rows=_picked(history.rows, series, step).astype(np.int64),
        covariates=tuple(
            replace(each, values=_picked(each.values, series, step)) for each in history.covariates
        ),
    )


def _picked(
    values: npt.NDArray[np.generic], series: npt.NDArray[np.intp], step: npt.NDArray[np.intp]
) -> FloatArray:
    """(S, T) or (S,) -> those series and steps, -1 for none; a missing position is -1, other values nan."""
    none = -1 if values.dtype.kind == "i" else np.nan
    found = np.where((series >= 0)[:, *[np.newaxis] * (values.ndim - 1)], values[series], none)
    if values.ndim == 1:
        return np.asarray(found)
    return np.asarray(np.where(step >= 0, found[:, step], none))


def _first_known(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.where(np.isnan(first), second, first)
