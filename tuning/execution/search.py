"""A family's sampler: Ray's `OptunaSearch` on a working copy of the record, with its states put right."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, Trial, TrialState
from ray.tune.search.optuna import OptunaSearch

from tuning.config import SearchConfig
from tuning.families import Family
from tuning.metrics import Direction
from tuning.sampling import DIVERGED, ComparableStorage, make_sampler
from tuning.session import Draw
from tuning.store import Status, best_so_far, has_diverged

_MODES = {Direction.MINIMIZE: "min", Direction.MAXIMIZE: "max"}


class FamilySearch(OptunaSearch):  # type: ignore[misc]
    """One Optuna study per family, held in memory; the durable record is written beside it.

    Differs from `OptunaSearch` where that loses or bends what happened: each draw is seeded by study,
    family and number; a pruned trial is told as PRUNED with its scores; a failed or diverged one as
    FAIL, never left RUNNING; the sampler is shown what it can compare (`ComparableStorage`); and the copy
    can be rebuilt from a record, running trials included.

    Args:
        config: sampler and seed.
        family: what is searched; its default configuration is drawn first.
        direction: whether low or high scores are better.
    """

    def __init__(self, config: SearchConfig, family: Family, direction: Direction) -> None:
        self._config = config
        self._family = family
        self._direction = direction
        self._copy = ComparableStorage(config.sampler, direction)
        super().__init__(
            space=family.space.suggest,
            metric="value",
            mode=_MODES[direction],
            sampler=make_sampler(config, family.name, 0),
            study_name=family.name,
            storage=self._copy,
        )

    def replay(self, trials: Sequence[FrozenTrial]) -> None:
        """Take over the trials of a record, in the order of their numbers; without any, begin afresh."""
        for trial in sorted(trials, key=lambda trial: trial.number):
            heard = copy.copy(trial)
            heard.intermediate_values = best_so_far(trial, self._direction)
            heard.user_attrs = {DIVERGED: True} if has_diverged(trial) else {}
            self._copy.create_new_trial(self._study_id, template_trial=heard)
        if not trials:
            space = self._family.space
            self._ot_study.enqueue_trial(space.encode(space.defaults()))

    def draw(self) -> Draw:
        """Draw the next configuration."""
        number = sum(trial.state is not TrialState.WAITING for trial in self._trials())
        self._ot_study.sampler = make_sampler(self._config, self._family.name, number)
        with warnings.catch_warnings():
            # It takes the time that GP needs to learn for a mistake of the space's author.
            warnings.filterwarnings("ignore", "Define-by-run function", UserWarning)
            self.suggest(str(number))
        trial: Trial = self._ot_trials[str(number)]
        frozen = self._copy.get_trial(self._id(number))
        return Draw(trial.params, trial.distributions, frozen.system_attrs)

    def report(self, number: int, iteration: int, value: float) -> None:
        """Hear a trial's best score so far."""
        self._copy.set_trial_intermediate_value(self._id(number), iteration, value)

    def close(self, number: int, status: Status, value: float | None) -> None:
        """Hear how a trial ended."""
        trial = self._copy.get_trial(self._id(number))
        if status is Status.PRUNED:
            self._ot_study.tell(trial.number, state=TrialState.PRUNED)
        elif status is Status.COMPLETED and value is not None and math.isfinite(value):
            self._ot_study.tell(trial.number, value, state=TrialState.COMPLETE)
        else:
            if status is Status.DIVERGED:
                self._copy.set_trial_user_attr(trial._trial_id, DIVERGED, True)
            self._ot_study.tell(trial.number, state=TrialState.FAIL)

    @property
    def _study_id(self) -> int:
        return int(self._copy.get_study_id_from_name(self._family.name))

    def _id(self, number: int) -> int:
        return int(self._copy.get_trial_id_from_study_id_trial_number(self._study_id, number))

    def _trials(self) -> list[FrozenTrial]:
        trials: list[Any] = self._copy.get_all_trials(self._study_id, deepcopy=False)
        return trials
