"""Which series are continued, from which time step, and which of the rows handed over are answered by it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data.series._grid import show
from tuning.data.series._history import History
from tuning.data.series._kept import extended, lengthened, of_series
from tuning.errors import DataError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_NAMES_SHOWN = 5
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Continuation:
    """Series to forecast, and the rows that ask for it.

    Attributes:
        history: all that is known of the S series, up to the last step to forecast at least.
        origin: (S,) time step of the last known target; -1 of a series without one, which is left out.
        asked: (S, T) rows handed over that are to be forecast: those after the last target given with them.
        horizon: H.
        last_known: the last time step with a target, of any series.
    """

    history: History
    origin: IntArray
    asked: BoolArray
    horizon: int
    last_known: int

    @property
    def forecast(self) -> BoolArray:
        """(S, T) the time steps that are forecast."""
        ahead = np.arange(len(self.history.times)) - self.origin[:, np.newaxis]
        return (self.origin >= 0)[:, np.newaxis] & (ahead >= 1) & (ahead <= self.horizon)

    @property
    def possible(self) -> tuple[History, IntArray]:
        """The series that can be forecast, and the origin of each."""
        chosen = np.flatnonzero(self.origin >= 0)
        names = [self.history.names[place] for place in chosen]
        return of_series(self.history, names), self.origin[chosen]

    @property
    def rows(self) -> IntArray:
        """(n,) row of each forecast in what was handed over, -1 without one; as the steps of the series."""
        return self.history.rows[self.forecast]

    @property
    def unanswered(self) -> tuple[IntArray, IntArray]:
        """Series and time step of rows that ask for a forecast and get none, in the order of the rows."""
        series, step = np.nonzero(self.asked & ~self.forecast)
        order = np.argsort(self.history.rows[series, step])
        return series[order], step[order]

    def warn(self, ended: Mapping[str, str]) -> None:
        """Say which series and rows are not forecast, and which forecasts lie in time that is over.

        Args:
            ended: series that ended before the history begins, and when.
        """
        self._warn_of_skipped(ended)
        self._warn_of_the_past()
        self._warn_of_unanswered()

    def _warn_of_skipped(self, ended: Mapping[str, str]) -> None:
        before = show(self.history.times[0])
        skipped = [self.history.names[place] for place in np.flatnonzero(self.origin < 0)]
        old = [f"{name!r} (ended {ended[name]})" for name in skipped if name in ended]
        if old:
            _LOGGER.warning("Not forecast, as the series ended long before the others: %s.", listed(old))
        unknown = [repr(name) for name in skipped if name not in ended]
        if unknown:
            _LOGGER.warning("Not forecast, as no target is known from %s on: %s.", before, listed(unknown))

    def _warn_of_the_past(self) -> None:
        is_over = (self.origin >= 0) & (self.origin + self.horizon <= self.last_known)
        series = np.flatnonzero(is_over)
        if len(series):
            ends = [f"{self._name(int(place))} {self._at(self.origin[place])}".strip() for place in series]
            _LOGGER.warning(
                "Forecasts lie wholly in the past, as values are known up to %s: they go on from %s.",
                self._at(self.last_known),
                listed(ends),
            )

    def _warn_of_unanswered(self) -> None:
        series, step = self.unanswered
        if len(series):
            first = f"{self._name(int(series[0]))} {self._at(step[0])}".strip()
            _LOGGER.warning(
                "%d of %d rows to forecast are left empty, the first of them %s: forecasts reach %d step%s "
                "from the last known target of a series.",
                len(series),
                int(self.asked.sum()),
                first,
                self.horizon,
                "s" * (self.horizon > 1),
            )

    def _name(self, series: int) -> str:
        """The series for a message; a single one has no name."""
        name = self.history.names[series]
        return f"{name!r} at" if name else ""

    def _at(self, step: int) -> str:
        return show(self.history.times[step])


def continuation(kept: History, newer: History | None, horizon: int) -> Continuation:
    """Find out from where series go on.

    Args:
        kept: what the study knows.
        newer: the rows handed over; None: all series of the study go on from their ends.
        horizon: H.

    Raises:
        DataError: no series has a known target, or no row handed over lies within reach of one.
    """
    history = kept if newer is None else extended(kept, newer)
    given = _last_known(history if newer is None else newer)
    if newer is not None:
        given = np.where(given >= 0, given + int(history.times.get_indexer(newer.times[:1])[0]), -1)
    origin = np.where(given >= 0, given, _last_known(history))
    if (origin < 0).all():
        names = listed([repr(name) for name in history.names])
        raise DataError(
            f"There is no known target of {names}: a forecast goes on from known values, give them before "
            "the rows to forecast."
        )
    last_known = int(max(origin.max(), *_last_known(kept) + _shift(kept, history)))
    history = lengthened(history, max(int(origin.max()) + horizon, last_known) + 1)
    steps = np.arange(len(history.times))
    asked = (history.rows >= 0) & (steps > given[:, np.newaxis])
    found = Continuation(history, origin, asked & (newer is not None), horizon, last_known)
    _refuse_out_of_reach(found)
    return found


def _shift(kept: History, history: History) -> int:
    """Steps from the start of `history` to that of `kept`, which is not before it."""
    return int(history.times.get_indexer(kept.times[:1])[0])


def _last_known(history: History) -> IntArray:
    """(S,) the last time step with a target, -1 without one."""
    steps = np.arange(history.target.shape[1])
    return np.asarray(np.where(np.isfinite(history.target), steps, -1).max(axis=1), dtype=np.int64)


def _refuse_out_of_reach(found: Continuation) -> None:
    """Refuse rows of which no forecast reaches a single one: they belong to another time.

    Raises:
        DataError: the message names the times.
    """
    answered = found.asked & found.forecast
    if not found.asked.any() or answered.any():
        return
    wanted = np.flatnonzero(found.asked.any(axis=0))
    reached = np.flatnonzero(found.forecast.any(axis=0))
    times = found.history.times
    asked = _range(times, wanted)
    raise DataError(
        f"data.time: the rows to forecast are of {asked}, but {found.horizon} steps from the last known "
        f"targets reach {_range(times, reached)} alone: give the rows before them, with their targets."
    )


def _range(times: pd.DatetimeIndex, steps: npt.NDArray[np.intp]) -> str:
    first, last = show(times[steps[0]]), show(times[steps[-1]])
    return first if first == last else f"{first} to {last}"


def listed(names: Sequence[str]) -> str:
    """Name the first few, and count the others."""
    hidden = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {hidden} more" if hidden > 0 else "")
