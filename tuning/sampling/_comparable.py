"""What samplers see of a study whose weak trials stop early, or diverge: scores that can be compared.

GP and CMA-ES learn from completed trials alone, and no sampler learns from failed ones. Where most trials
are pruned they would draw nearly at random, and again and again where training diverges.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Container, Mapping, Sequence
from statistics import median

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from tuning.config import SamplerName
from tuning.metrics import Direction

DIVERGED = "diverged"
"""User attribute of a trial that diverged."""


class ComparableStorage(InMemoryStorage):
    """A working copy of a study that shows its sampler each trial as something to learn from.

    To TPE, which knows pruned trials, a diverged one is a trial that was pruned before all others. To GP and
    CMA-ES a pruned trial is a completed one with the score that it can be expected to have come to, and a
    diverged one has the worst score of all. Trials asked for one by one are shown as they are.

    Args:
        sampler: who looks.
        direction: whether low or high scores are better.
    """

    def __init__(self, sampler: SamplerName, direction: Direction) -> None:
        super().__init__()
        self._sampler = sampler
        self._direction = direction

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if states == (TrialState.WAITING,):
            return super().get_all_trials(study_id, deepcopy=deepcopy, states=states)

        trials = self._shown(super().get_all_trials(study_id, deepcopy=deepcopy))
        return [trial for trial in trials if states is None or trial.state in states]

    def _shown(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        match self._sampler:
            case SamplerName.TPE:
                return [_pruned_first(trial) if _has_diverged(trial) else trial for trial in trials]
            case SamplerName.GP | SamplerName.CMAES:
                return _completed(trials, self._direction)
            case _:
                return trials


def _has_diverged(trial: FrozenTrial) -> bool:
    return DIVERGED in trial.user_attrs


def _pruned_first(trial: FrozenTrial) -> FrozenTrial:
    """Return the trial as one that was pruned without a score, which TPE ranks behind all others."""
    shown = copy.copy(trial)
    shown.state, shown.value, shown.intermediate_values = TrialState.PRUNED, None, {}
    return shown


def _completed(trials: Sequence[FrozenTrial], direction: Direction) -> list[FrozenTrial]:
    """Return pruned and diverged trials as completed ones, the others as they are."""
    values = _expected_values(trials, direction)
    pick_worst = max if direction is Direction.MINIMIZE else min
    worst = pick_worst(values.values(), default=None)
    shown = []
    for trial in trials:
        value = worst if _has_diverged(trial) else values.get(trial.number)
        changes = trial.state is not TrialState.COMPLETE and value is not None
        shown.append(_with_value(trial, value) if changes else trial)
    return shown


def _with_value(trial: FrozenTrial, value: float | None) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.state, shown.value = TrialState.COMPLETE, value
    return shown


def _expected_values(trials: Sequence[FrozenTrial], direction: Direction) -> dict[int, float]:
    """Return the final score of each completed trial, and the expected one of each pruned trial.

    A pruned trial is expected to gain, from where it stopped, the median of what completed trials gained
    from there; but not to end better than the best of them, among which it was not.
    """
    completed = [
        trial for trial in trials if trial.state is TrialState.COMPLETE and math.isfinite(trial.value or 0.0)
    ]
    values = {trial.number: trial.value for trial in completed if trial.value is not None}
    is_lower_better = direction is Direction.MINIMIZE
    best = (min if is_lower_better else max)(values.values(), default=None)
    pruned = {trial.number: _last(trial) for trial in trials if trial.state is TrialState.PRUNED}
    stops = {step for step, value in filter(None, pruned.values())}
    gains = {step: _median_gain(completed, step) for step in stops}
    for number, last in pruned.items():
        if last is not None:
            step, value = last
            expected = value + gains[step]
            bound = expected if best is None else best
            values[number] = max(expected, bound) if is_lower_better else min(expected, bound)
    return values


def _last(trial: FrozenTrial) -> tuple[int, float] | None:
    """Return the iteration after which a trial stopped, and its score there; None where it has none."""
    if not trial.intermediate_values:
        return None
    step, value = max(trial.intermediate_values.items())
    return (step, value) if math.isfinite(value) else None


def _median_gain(completed: Sequence[FrozenTrial], step: int) -> float:
    """Return what completed trials gained after an iteration, 0 where none tells."""
    gains = [
        trial.value - score
        for trial in completed
        if trial.value is not None and (score := _score_at(trial.intermediate_values, step)) is not None
    ]
    return median(gains) if gains else 0.0


def _score_at(scores: Mapping[int, float], step: int) -> float | None:
    """Return the score at an iteration, or at the last one before it."""
    known = [each for each in scores if each <= step and math.isfinite(scores[each])]
    return scores[max(known)] if known else None
