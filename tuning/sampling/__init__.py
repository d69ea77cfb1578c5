"""How new configurations are drawn: Optuna's samplers, seeded so that a killed study repeats itself."""

from __future__ import annotations

import hashlib
import warnings

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.study import Study

from tuning.config import SamplerName, SearchConfig
from tuning.sampling._comparable import DIVERGED, ComparableStorage

__all__ = ["DIVERGED", "ComparableStorage", "derive_seed", "make_sampler"]


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
        return _make(config, family, number)


class _NumberedQMCSampler(QMCSampler):
    """Takes the point of the sequence that belongs to the trial's number.

    Optuna's own counter lies in the working copy of the study, so a resumed study would draw the
    first points again.
    """

    def __init__(self, seed: int, number: int, independent_sampler: BaseSampler) -> None:
        super().__init__(
            seed=seed,
            scramble=True,
            independent_sampler=independent_sampler,
            warn_independent_sampling=False,
        )
        self._number = number

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


def _make(config: SearchConfig, family: str, number: int) -> BaseSampler:
    seed = derive_seed(config.seed, family, number)
    startup = config.startup_trials
    match config.sampler:
        case SamplerName.TPE:
            return TPESampler(
                seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=startup
            )
        case SamplerName.GP:
            return GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
        case SamplerName.CMAES:
            return CmaEsSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
        case SamplerName.QMC:
            # A quasi-random sequence is one sequence: its points share the scrambling seed.
            return _NumberedQMCSampler(derive_seed(config.seed, family), number, RandomSampler(seed=seed))
        case SamplerName.RANDOM:
            return RandomSampler(seed=seed)
