"""Series as they were read: one array per column, on a regular time grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd


class CovariateRole(StrEnum):
    """What is known of a covariate when a forecast is made."""

    KNOWN = "known"  # also for the time to come
    PAST = "past"  # up to the origin
    STATIC = "static"  # one value per series


@dataclass(frozen=True)
class Covariate:
    """One numeric column of series; a category becomes one covariate of 0 and 1 per level.

    Attributes:
        name: `temperature`, or `weather=rain` for a level.
        role: what is known of it when a forecast is made.
        values: (S, T) float64, or (S,) of a static one; NaN where missing.
    """

    name: str
    role: CovariateRole
    values: npt.NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """S series on one regular grid of T times, as read: nothing filled, scaled or fitted.

    Attributes:
        names: (S,) of the series; the empty name where the data are one series.
        times: (T,) the grid.
        frequency: of the grid, as pandas names it ("h", "D", "W-FRI", "MS").
        target: (S, T) float64, NaN where not given.
        rows: (S, T) int64 position in the file, -1 where the file has no row.
        covariates: in the order of the file.
        levels: per categorical column, its levels in the order of their covariates.
    """

    names: tuple[str, ...]
    times: pd.DatetimeIndex
    frequency: str
    target: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    covariates: tuple[Covariate, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
