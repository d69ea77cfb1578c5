"""The map between a target's original scale and the scale that models train on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True)
class TargetTransform:
    """The map between the target's original scale and the scale that models train on.

    `forward` and `inverse` apply `log1p` / `expm1` where asked, then subtract `centre` and divide by `unit`,
    which are 0 and 1 but for targets that boosters could not learn as they are: so far from 0 that float32
    merges them, or so small that any regularisation is too much. `standardise` and `unstandardise` go on to
    mean 0 and standard deviation 1 (for networks). `mean` and `std` belong to the forwarded scale, and all
    come from the training rows alone.

    >>> t = TargetTransform(log1p=True, mean=1.0, std=2.0, clip_min=0.01)
    >>> t.inverse(t.forward(np.array([0.5, 3.0])))
    array([0.5, 3. ])
    >>> t.unstandardise(t.standardise(np.array([0.5, 3.0])))
    array([0.5, 3. ])
    >>> t.inverse(np.array([-1.0]))
    array([0.01])
    >>> TargetTransform(centre=1.7e9).forward(np.array([1.7e9 + 1]))
    array([1.])
    """

    log1p: bool = False
    mean: float = 0.0
    std: float = 1.0
    clip_min: float | None = None
    centre: float = 0.0
    unit: float = 1.0

    def forward(self, y: FloatArray) -> FloatArray:
        """(n,) original scale -> (n,) model scale."""
        y = np.asarray(y, dtype=np.float64)
        z = np.log1p(y) if self.log1p else y
        return (z - self.centre) / self.unit

    def inverse(self, z: FloatArray) -> FloatArray:
        """(n,) model scale -> (n,) original scale, clipped from below at `clip_min`."""
        z = np.asarray(z, dtype=np.float64) * self.unit + self.centre
        y = np.expm1(z) if self.log1p else z
        return y if self.clip_min is None else np.maximum(y, self.clip_min)

    def standardise(self, y: FloatArray) -> FloatArray:
        """(n,) original scale -> (n,) mean 0, standard deviation 1."""
        return (self.forward(y) - self.mean) / self.std

    def unstandardise(self, z: FloatArray) -> FloatArray:
        """(n,) standardised -> (n,) original scale."""
        return self.inverse(np.asarray(z, dtype=np.float64) * self.std + self.mean)
