"""The scale that series are forecast on: which past value they are measured from, and in which unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data.series._tally import Tally, changes, deviations, sizes
from tuning.models import Panel, TargetTransform

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]


class LocationRule(StrEnum):
    """The value that a forecast is measured from."""

    LAST = "last"  # the last known value
    MEAN = "mean"  # the mean of the last values


@dataclass(frozen=True)
class Scaling:
    """What was fitted on training time, and gives every window its location, its unit and its naive error.

    Attributes:
        rule: of the study.
        width: number of values that the rule `mean` takes.
        season: m.
        horizon: H.
        pooled: one scale for all series; None: each has its own.
        relative_scale: median of the series' scale over their mean size, for series without one.
        relative_error: the same of the naive error.
        names: series that were seen in training.
        scales: of each of them.
        naive_errors: of each of them, on the original scale.
    """

    rule: LocationRule
    width: int
    season: int
    horizon: int
    pooled: float | None
    relative_scale: float
    relative_error: float
    names: tuple[str, ...]
    scales: tuple[float, ...]
    naive_errors: tuple[float, ...]

    def locations(self, panel: Panel, series: IntArray, origin: IntArray) -> FloatArray:
        """(w,) location of forecasts of the given series from the given time steps."""
        return _locations(self.rule, panel.values, self.width)[series, origin]

    def scale_of(self, panel: Panel, series: IntArray, origin: IntArray) -> FloatArray:
        """(w,) scales, above 0; of series unseen in training, from their own values up to the origin."""
        if self.pooled is not None:
            return np.full(len(series), self.pooled)
        codes = panel.codes[series]
        found = np.append(self.scales, np.nan)[codes]  # code -1, unseen, is the last
        for one in np.unique(series[codes < 0]):
            values = np.where(panel.observed[one], panel.values[one], np.nan)[np.newaxis]
            location = _locations(self.rule, panel.values[one : one + 1], self.width)
            spread = deviations(values, location, self.horizon).so_far.mean
            own = _or_relative(spread, self.relative_scale, sizes(values).so_far.mean)
            found[series == one] = own[0, origin[series == one]]
        return found

    def naive_error_of(
        self, panel: Panel, series: IntArray, origin: IntArray, transform: TargetTransform
    ) -> FloatArray:
        """(w,) naive errors, above 0; of series unseen in training, from their values up to the origin."""
        codes = panel.codes[series]
        found = np.append(self.naive_errors, np.nan)[codes]
        for one in np.unique(series[codes < 0]):
            values = np.where(panel.observed[one], transform.inverse(panel.values[one]), np.nan)[np.newaxis]
            errors = [changes(values, lag).so_far.mean for lag in (self.season, 1)]
            own = _or_relative(_first_positive(errors), self.relative_error, sizes(values).so_far.mean)
            found[series == one] = own[0, origin[series == one]]
        return found

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Scaling:
        """From what `to_json` gave."""
        lists = {name: tuple(item) for name, item in value.items() if isinstance(item, list)}
        return cls(**{**value, **lists, "rule": LocationRule(value["rule"])})


def fit_scaling(
    names: Sequence[str],
    target: FloatArray,
    transform: TargetTransform,
    season: int,
    width: int,
    horizon: int,
) -> Scaling:
    """Choose the location rule and fit the scales.

    On a logarithmic scale errors are relative already, and one unit serves all series; otherwise each is
    measured in its own mean absolute deviation from the location.

    Args:
        names: of the S series seen in training.
        target: (S, T) of training time alone, on the original scale, nan where missing.
        transform: to the forwarded scale.
        season: m.
        width: number of values that the rule `mean` takes.
        horizon: H.
    """
    values = np.asarray(transform.forward(target), dtype=np.float64)
    filled = fill_forward(values)
    spreads = {
        rule: deviations(values, _locations(rule, filled, width), horizon).overall for rule in LocationRule
    }
    rule = _better_rule(spreads, is_pooled=transform.log1p)
    spread, size = spreads[rule].mean, sizes(values).overall.mean
    error = _first_positive([changes(target, lag).overall.mean for lag in (season, 1)])
    target_size = sizes(target).overall.mean
    relative_scale, relative_error = _median_ratio(spread, size), _median_ratio(error, target_size)
    return Scaling(
        rule,
        width,
        season,
        horizon,
        _pooled(spreads[rule]) if transform.log1p else None,
        relative_scale,
        relative_error,
        tuple(names),
        tuple(_or_relative(spread, relative_scale, size).tolist()),
        tuple(_or_relative(error, relative_error, target_size).tolist()),
    )


def fill_forward(values: npt.NDArray[np.floating]) -> FloatArray:
    """(S, T) with gaps filled by the last known value; nan before the first."""
    last = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    last = np.maximum.accumulate(last, axis=1)
    filled = np.take_along_axis(np.asarray(values, np.float64), np.maximum(last, 0), axis=1)
    return np.where(last >= 0, filled, np.nan)


def rolling(values: npt.NDArray[np.floating], width: int, statistic: str) -> FloatArray:
    """(S, T) `mean`, `std`, `min` or `max` of the last `width` values up to each step, or what there is."""
    least = min(2, width) if statistic == "std" else 1
    window = pd.DataFrame(values.T).rolling(width, min_periods=least)  # (S, T) -> (T, S)
    return np.ascontiguousarray(getattr(window, statistic)().to_numpy().T)


def _locations(rule: LocationRule, filled: npt.NDArray[np.floating], width: int) -> FloatArray:
    return np.asarray(filled, np.float64) if rule is LocationRule.LAST else rolling(filled, width, "mean")


def _better_rule(spreads: dict[LocationRule, Tally], *, is_pooled: bool) -> LocationRule:
    """The rule with the smaller mean deviation, each series in its own unit unless the scale is pooled."""
    last, mean = spreads[LocationRule.LAST].total, spreads[LocationRule.MEAN].total
    count = spreads[LocationRule.LAST].count
    unit = np.ones(len(last)) if is_pooled else (last + mean) / np.maximum(count, 1)
    advantage = np.divide(mean - last, unit, out=np.zeros(len(last)), where=unit > 0)  # of the last value
    return LocationRule.MEAN if advantage.sum() < 0 else LocationRule.LAST


def _pooled(spread: Tally) -> float:
    pooled = float(spread.total.sum() / max(spread.count.sum(), 1))
    return pooled if pooled > 0 else 1.0


def _median_ratio(errors: FloatArray, size: FloatArray) -> float:
    """Of errors to sizes, over series that have both; 1 without any."""
    good = (errors > 0) & (size > 0)
    return float(np.median(errors[good] / size[good])) if good.any() else 1.0


def _or_relative(errors: FloatArray, ratio: float, size: FloatArray) -> FloatArray:
    """The errors; where there is none above 0, what is usual for the size of the series, or 1."""
    return np.where(errors > 0, errors, np.where(size > 0, ratio * size, 1.0))


def _first_positive(choices: Sequence[FloatArray]) -> FloatArray:
    """Elementwise the first above 0; else nan or 0."""
    found = choices[0]
    for other in choices[1:]:
        found = np.where(found > 0, found, other)
    return found
