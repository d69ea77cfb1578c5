"""Numbers moved to where float32, in which models read them, tells them apart.

float32 has 24 bits: of seconds since 1970 it knows every 128th, of prices above 16,777,216 every second.
scikit-learn's trees take values less than 1e-7 apart for equal. A column that loses values so is centred,
and where that is not enough scaled, before it is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuning.data._values import FloatArray

_FLOAT32 = np.finfo(np.float32)
_LARGEST = float(np.finfo(np.float64).max)
_MOST_ROWS_LOOKED_AT = 200_000
_LOST_BY_CHANCE = 1e-2  # of the distinct values: that many of random numbers lie so close
_LEAST_STEP = 1e-7  # between the values that scikit-learn's trees tell apart

# Standard deviations of a target beyond which its scale is taken out of it: the regularisers that are
# searched (`gamma`, `reg_alpha`) compare to the target, and undo all that is learnt of a small one.
_USUAL_STD = (0.1, 1e6)


@dataclass(frozen=True)
class Float32Map:
    """Centre and scale of p numeric columns, learnt on training rows; all else stays as it is.

    Attributes:
        centre: (p,) what is subtracted, in float64.
        scale: (p,) what is divided by after that.
    """

    centre: FloatArray
    scale: FloatArray

    @classmethod
    def fit(cls, numbers: FloatArray) -> Float32Map:
        """Choose for each of (n, p) columns with nan: as it is, centred, or centred and scaled."""
        step = max(1, len(numbers) // _MOST_ROWS_LOOKED_AT)
        found = [_place(column) for column in numbers[::step].T]
        return cls(np.array([centre for centre, _ in found]), np.array([scale for _, scale in found]))

    @classmethod
    def identity(cls, width: int) -> Float32Map:
        """Return the map that moves nothing: of studies that were made before there was one."""
        return cls(np.zeros(width), np.ones(width))

    def apply(self, numbers: FloatArray) -> FloatArray:
        """(n, p) float64 with nan -> (n, p) float64 within the range of float32, what is too small 0."""
        moved = (self.centre != 0) | (self.scale != 1)
        if moved.any():
            numbers = numbers.copy()
            with np.errstate(over="ignore"):  # ends as the largest number of float32
                numbers[:, moved] = (numbers[:, moved] - self.centre[moved]) / self.scale[moved]
        return within_float32(numbers)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"centre": self.centre.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None, width: int) -> Float32Map:
        """Read what `to_json` gave; None: nothing is moved."""
        if value is None:
            return cls.identity(width)
        return cls(np.array(value["centre"], dtype=np.float64), np.array(value["scale"], dtype=np.float64))


def share_merged(values: FloatArray) -> float:
    """Return the share of the distinct ones of (n,) finite values that are one with another in float32."""
    return _lost(np.unique(values[:: max(1, len(values) // _MOST_ROWS_LOOKED_AT)]), least_step=0.0)


def within_float32(numbers: FloatArray) -> FloatArray:
    """Return the numbers with those beyond the range of float32 at its ends, and those too small for it 0."""
    values = np.clip(numbers, _FLOAT32.min, _FLOAT32.max)
    values[np.abs(values) < _FLOAT32.tiny] = 0.0
    return values


def target_place(values: FloatArray) -> tuple[float, float]:
    """Return what (n,) finite targets are lessened by, and divided by after that, for models to learn them.

    That is 0 and 1 but for targets that float32 merges, and for those of an unusual scale.
    """
    distinct = np.unique(values)
    middle, std = _middle(distinct), float(values.std())
    centre = middle if _lost(distinct) > _LOST_BY_CHANCE + _lost(distinct - middle) else 0.0
    low, high = _USUAL_STD
    return centre, 1.0 if low <= std <= high or std == 0 else std


def _place(column: FloatArray) -> tuple[float, float]:
    """Return centre and scale of (n,) numbers with nan: the first choice that loses no more than another."""
    distinct = np.unique(column[~np.isnan(column)])
    if len(distinct) < 2 or _lost(distinct) <= _LOST_BY_CHANCE:
        return 0.0, 1.0
    middle = _middle(distinct)
    with np.errstate(over="ignore"):
        spread = min(float(np.abs(distinct - middle).max()), _LARGEST)
        choices = [(0.0, 1.0), (middle, 1.0), (middle, spread)]
        lost = [_lost((distinct - centre) / scale) for centre, scale in choices]
    return next(
        choice for choice, share in zip(choices, lost, strict=True) if share <= min(lost) + _LOST_BY_CHANCE
    )


def _middle(distinct: FloatArray) -> float:
    """Return the median of the distinct values, one of them: its own distance is then exactly 0."""
    return float(distinct[len(distinct) // 2])


def _lost(distinct: FloatArray, least_step: float = _LEAST_STEP) -> float:
    """Return the share of ascending distinct values that a model cannot tell from the one before."""
    rounded = within_float32(distinct).astype(np.float32).astype(np.float64)
    return float(np.mean(np.diff(rounded) <= least_step)) if len(distinct) > 1 else 0.0
