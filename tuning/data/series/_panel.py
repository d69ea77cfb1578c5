"""From series as read to the arrays that forecasters see: filled, scaled, with the calendar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data.series._calendar import circles
from tuning.data.series._history import Covariate, CovariateRole, History
from tuning.data.series._scaling import fill_forward
from tuning.models import Panel, TargetTransform

FloatArray = npt.NDArray[np.float64]
_LIMIT = 10.0  # standard deviations


@dataclass(frozen=True)
class CovariateScale:
    """Mean and standard deviation of a covariate over training time, of all series there together."""

    name: str
    role: CovariateRole
    mean: float
    std: float

    @classmethod
    def fit(cls, covariate: Covariate, end: int, seen: npt.NDArray[np.integer]) -> CovariateScale:
        """Fit on the time steps before `end` of the series seen there."""
        values = covariate.values[seen]
        values = values if values.ndim == 1 else values[:, :end]
        known = values[np.isfinite(values)]
        mean, std = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
        return cls(covariate.name, covariate.role, mean, std if std > 0 else 1.0)

    def apply(self, values: FloatArray) -> npt.NDArray[np.float32]:
        """The values scaled, within 10 standard deviations; missing ones are 0, the mean."""
        scaled = np.clip((values - self.mean) / self.std, -_LIMIT, _LIMIT)
        return np.where(np.isnan(scaled), 0.0, scaled).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> CovariateScale:
        """From what `to_json` gave."""
        return cls(**{**value, "role": CovariateRole(value["role"])})


@dataclass(frozen=True)
class PanelRecipe:
    """How panels are made from histories.

    Attributes:
        transform: of the target, to the forwarded scale.
        covariates: with their scales.
        circles: names of the calendar's sines and cosines.
        seen: names of the series that were seen in training, in the order of their codes.
    """

    transform: TargetTransform
    covariates: tuple[CovariateScale, ...]
    circles: tuple[str, ...]
    seen: tuple[str, ...]

    def names(self, role: CovariateRole) -> tuple[str, ...]:
        """Names of the covariates of a role, without the calendar."""
        return tuple(scale.name for scale in self.covariates if scale.role is role)

    def panel(self, history: History) -> Panel:
        """The panel of a history that has these covariates."""
        given = {covariate.name: covariate.values for covariate in history.covariates}
        scaled = {
            scale.name: scale.apply(_filled(given[scale.name], scale.role)) for scale in self.covariates
        }
        shape = history.target.shape
        known = _stacked([scaled[name] for name in self.names(CovariateRole.KNOWN)], shape)
        calendar = np.broadcast_to(circles(history.times, self.circles), (*shape, len(self.circles)))
        values = self._forwarded(history.target)
        return Panel(
            values=fill_forward(values),
            observed=np.isfinite(values),
            past=_stacked([scaled[name] for name in self.names(CovariateRole.PAST)], shape),
            known=np.concatenate([known, calendar], axis=2),
            static=_stacked([scaled[name] for name in self.names(CovariateRole.STATIC)], shape[:1]),
            codes=self._codes(history.names),
            times=history.times.to_numpy(),
            names=np.array(history.names, dtype=object),
        )

    def _codes(self, names: Sequence[str]) -> npt.NDArray[np.int32]:
        seen = pd.Index(self.seen, dtype=object)
        return seen.get_indexer(pd.Index(names, dtype=object)).astype(np.int32)

    def _forwarded(self, target: FloatArray) -> FloatArray:
        """(S, T) on the forwarded scale; what has no logarithm is missing."""
        possible = np.where(target > -1, target, np.nan) if self.transform.log1p else target
        return np.asarray(self.transform.forward(possible), dtype=np.float64)


def _filled(values: FloatArray, role: CovariateRole) -> FloatArray:
    """Gaps filled with the last value; of what is known in advance, those at the start with the first."""
    if role is CovariateRole.STATIC:
        return values
    filled = fill_forward(values)
    if role is CovariateRole.KNOWN:
        return fill_forward(filled[:, ::-1])[:, ::-1]
    return filled


def _stacked(columns: Sequence[npt.NDArray[np.float32]], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """p arrays of a shape -> (*shape, p)."""
    return np.stack(columns, axis=-1) if columns else np.empty((*shape, 0), dtype=np.float32)
