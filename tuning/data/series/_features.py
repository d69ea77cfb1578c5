"""What a row of a forecast shows a model of tables: lags, rolling statistics, calendar and covariates.

Everything is read at or before the origin, but for the calendar and the covariates that are known in
advance. Values are in the unit of the window, (value - location) / scale, so that series compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data.series._calendar import calendar_numbers
from tuning.data.series._scaling import rolling
from tuning.data.series._season import Seasons
from tuning.models import Panel, Windows

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
Column = tuple[str, FloatArray]

_RECENT_LAGS = 6
_SHORT_WIDTH = 4
_CYCLES = 4  # seasons that are averaged
_LONG_SEASON = 24  # steps from which parts of a season matter


@dataclass(frozen=True)
class FeaturePlan:
    """What features there can be; those that never vary in training are left out later.

    Attributes:
        seasons: of the grid.
        known: names of the covariates known in advance, the first of `Panel.known`.
        past: names of `Panel.past`.
        static: names of `Panel.static`.
        calendar: fields of the target's time.
    """

    seasons: Seasons
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    calendar: tuple[str, ...] = ()

    @property
    def reach(self) -> int:
        """Time steps before the origin that features look at, without the horizon."""
        return (_CYCLES + 1) * self.seasons.first + 2 * self.seasons.second + _RECENT_LAGS

    def columns(self, windows: Windows) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
        """Names of p features, and (n, p) float32 with nan where unknown, one row per step to forecast."""
        sight = _Sight(windows)
        columns = [
            *_recent(sight),
            *_rolled(sight, _widths(self.seasons)),
            *_season_lags(sight, self.seasons),
            *_season_changes(sight, self.seasons),
            *_calendar(sight, self.calendar),
            *self._covariates(sight),
        ]
        names = tuple(name for name, _ in columns)
        return names, np.stack([values.astype(np.float32) for _, values in columns], axis=1)

    def _covariates(self, sight: _Sight) -> Iterator[Column]:
        panel, lag = sight.panel, sight.whole_seasons(self.seasons.first)
        for place, name in enumerate(self.known):
            values = panel.known[:, :, place]
            yield name, sight.at(values, sight.target)
            yield f"{name}.at_origin", sight.at(values, sight.origin)
            if self.seasons.first > 1:
                yield f"{name}.season_ago", sight.at(values, sight.target - lag)
        for place, name in enumerate(self.past):
            values = panel.past[:, :, place]
            yield name, sight.at(values, sight.origin)
            mean = rolling(values, _SHORT_WIDTH, "mean")
            yield f"{name}.mean_{_SHORT_WIDTH}", sight.at(mean, sight.origin)
        for place, name in enumerate(self.static):
            yield name, panel.static[sight.series, place]


class _Sight:
    """Where each of n rows looks from, and at what."""

    def __init__(self, windows: Windows) -> None:
        window = windows.window_of_row
        self.panel: Panel = windows.panel
        self.step: IntArray = windows.step_of_row
        self.series = windows.series[window]
        self.origin = windows.origin[window]
        self.target = self.origin + self.step
        self.location = windows.location[window]
        self.scale = windows.scale[window]

    def at(self, values: FloatArray, time: IntArray) -> FloatArray:
        """(S, T) values -> (n,) of the rows' series at (n,) time steps, nan before the first."""
        found = values[self.series, np.maximum(time, 0)]
        return np.where(time >= 0, found, np.nan)

    def value(self, time: IntArray) -> FloatArray:
        """(n,) target at (n,) time steps, in the unit of the window."""
        return self.standardised(self.at(self.panel.values, time))

    def standardised(self, values: FloatArray) -> FloatArray:
        """(n,) on the forwarded scale -> in the unit of the window."""
        return (values - self.location) / self.scale

    def whole_seasons(self, season: int, lag: int = 0) -> IntArray:
        """(n,) the lag from the target, raised by whole seasons until it reaches the origin."""
        missing = np.maximum(self.step - (lag or season), 0)
        return (lag or season) + season * -(-missing // season)

    @cached_property
    def times(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.panel.times)


def _widths(seasons: Seasons) -> tuple[int, ...]:
    widths = {_SHORT_WIDTH, seasons.first // 4, seasons.first, seasons.second}
    return tuple(sorted(width for width in widths if width >= 2))


def _recent(sight: _Sight) -> Iterator[Column]:
    for lag in range(_RECENT_LAGS):
        yield f"lag_{lag}", sight.value(sight.origin - lag)
    yield "step", sight.step.astype(np.float64)
    yield "log_scale", np.log(sight.scale)


def _rolled(sight: _Sight, widths: tuple[int, ...]) -> Iterator[Column]:
    values = sight.panel.values
    for width in widths:
        for statistic in ("mean", "min", "max"):
            found = sight.at(rolling(values, width, statistic), sight.origin)
            yield f"{statistic}_{width}", sight.standardised(found)
        yield f"std_{width}", sight.at(rolling(values, width, "std"), sight.origin) / sight.scale


def _season_lags(sight: _Sight, seasons: Seasons) -> Iterator[Column]:
    """Values whole seasons, and a little less and more, before the target; parts of long seasons."""
    m = seasons.first
    if m > 1:
        lags = {m - 1, m, m + 1, 2 * m} | ({m // 4, m // 2} if m >= _LONG_SEASON else set())
        for lag in sorted(lags):
            yield f"season_lag_{lag}", sight.value(sight.target - sight.whole_seasons(m, lag))
        yield f"season_mean_{m}", _season_mean(sight, m)
    if seasons.second:
        for lag in (seasons.second - 1, seasons.second, seasons.second + 1):
            yield f"season_lag_{lag}", sight.value(sight.target - sight.whole_seasons(seasons.second, lag))


def _season_mean(sight: _Sight, season: int) -> FloatArray:
    """(n,) mean over the last seasons, at the place of the target in them; nan where none is known."""
    lag = sight.whole_seasons(season)
    values = np.stack([sight.value(sight.target - lag - cycle * season) for cycle in range(_CYCLES)])
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _season_changes(sight: _Sight, seasons: Seasons) -> Iterator[Column]:
    """How the series went on from the same place of earlier seasons, from its value and from its mean."""
    panel = sight.panel
    for season, cycles in ((seasons.first, 2), (seasons.second, 1)):
        if season < 2:
            continue
        means = rolling(panel.values, max(season // 4, _SHORT_WIDTH), "mean")
        for cycle in range(cycles):
            back = sight.whole_seasons(season) + cycle * season
            then = sight.at(panel.values, sight.target - back)
            name = f"{season * (cycle + 1)}"
            yield f"origin_ago_{name}", sight.value(sight.origin - back)
            yield f"mean_ago_{name}", sight.standardised(sight.at(means, sight.origin - back))
            yield f"change_ago_{name}", (then - sight.at(panel.values, sight.origin - back)) / sight.scale
            yield f"rise_ago_{name}", (then - sight.at(means, sight.origin - back)) / sight.scale


def _calendar(sight: _Sight, fields: tuple[str, ...]) -> Iterator[Column]:
    numbers = calendar_numbers(sight.times, fields)
    for place, name in enumerate(fields):
        yield name, numbers[sight.target, place]
