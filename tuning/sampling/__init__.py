"""How new configurations are drawn: Optuna's samplers, seeded so that a killed study repeats itself."""

from __future__ import annotations

import hashlib
import warnings

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from tuning.config import SamplerName, SearchConfig

__all__ = ["derive_seed", "make_sampler"]


def derive_seed(*parts: str | int) -> int:
    """A 32-bit seed that depends on every part and on nothing else (no process, no order of calls).

    >>> derive_seed(0, "lightgbm", 7) == derive_seed(0, "lightgbm", 7) != derive_seed(0, "lightgbm", 8)
    True
    """
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def make_sampler(config: SearchConfig, family: str, number: int) -> BaseSampler:
    """The sampler of trial `number` of `family`.

    A sampler's draw depends on the record and on this seed alone, so a study that was killed and
    resumed draws what it would have drawn.
    """
    with warnings.catch_warnings():
        # Multivariate, grouped TPE has been "experimental" in Optuna since 2.0.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return _make(config, family, derive_seed(config.seed, family, number))


def _make(config: SearchConfig, family: str, seed: int) -> BaseSampler:
    startup = config.startup_trials
    match config.sampler:
        case SamplerName.TPE:
            return TPESampler(
                seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=startup
            )
        case SamplerName.GP:
            return GPSampler(seed=seed, n_startup_trials=startup)
        case SamplerName.CMAES:
            return CmaEsSampler(seed=seed, n_startup_trials=startup)
        case SamplerName.QMC:
            # A quasi-random sequence is one sequence: its points share the scrambling seed.
            return QMCSampler(
                seed=derive_seed(config.seed, family), scramble=True, warn_independent_sampling=False
            )
        case SamplerName.RANDOM:
            return RandomSampler(seed=seed)
