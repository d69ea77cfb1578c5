"""What a running session knows of one family."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from tuning.config import SearchConfig
from tuning.families import Family
from tuning.metrics import Direction
from tuning.progress import FamilyProgress
from tuning.pruning import Pruner
from tuning.session._keeping import Keeping
from tuning.store import Result, Status, TrialRecord

logger = logging.getLogger(__name__)

MIN_CHARGE_S = 1.0
MAX_FAILURES_IN_A_ROW = 5


@dataclass(frozen=True)
class Draw:
    """A configuration as the sampler drew it."""

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    system_attrs: Mapping[str, Any]


class Search(Protocol):
    """A family's sampler with its working copy of the record."""

    def replay(self, trials: Sequence[FrozenTrial]) -> None:
        """Take over the trials of a record."""

    def draw(self) -> Draw:
        """Draw the next trial's configuration."""

    def report(self, number: int, iteration: int, value: float) -> None:
        """Hear a trial's best score so far."""

    def close(self, number: int, status: Status, value: float | None) -> None:
        """Hear how a trial ended."""


@dataclass
class FamilyState:
    """A family's sampler, its pruning rule, what is kept of its trials, and what they came to.

    Attributes:
        launched: trials started, those of earlier runs included.
        train_seconds: training time by trial number.
        ended: trials by the state in which they ended.
        parked: nothing more is started, because trial after trial failed.
    """

    family: Family
    search: Search
    pruner: Pruner
    keeping: Keeping
    launched: int = 0
    train_seconds: dict[int, float] = field(default_factory=dict)
    ended: Counter[Status] = field(default_factory=Counter)
    parked: bool = False
    _charged_s: float = 0.0
    _live_since_s: dict[int, float] = field(default_factory=dict)
    _best_losses: dict[int, float] = field(default_factory=dict)
    _scored: set[int] = field(default_factory=set)
    _failures_in_a_row: int = 0

    def take_over(self, record: TrialRecord, max_iterations: int) -> None:
        """Count a trial of an earlier run."""
        self.launched += 1
        self.train_seconds[record.number] = record.train_seconds
        self._charged_s += max(MIN_CHARGE_S, _wall_seconds(record))
        if record.status.is_ranked:
            self.note_best(record.number, record.value)
        if record.values:
            self._scored.add(record.number)
            self.pruner.replay({record.number: _curve(record, max_iterations)})
        if record.status.is_finished:
            self.ended[record.status] += 1

    def limit(self, trials: int | None) -> int | None:
        """How many trials the family gets in all where each may have `trials`; None: no limit.

        One where nothing is searched, as with baselines: a second trial would repeat the first.
        """
        if self.parked:
            return self.launched
        return trials if self.family.space.parameters else 1

    def begin(self, number: int, now_s: float) -> None:
        """A trial starts."""
        self._live_since_s[number] = now_s

    def count_time(self, number: int, train_seconds: float) -> float:
        """Take a trial's training time so far, and return what is new of it."""
        before = self.train_seconds.get(number, 0.0)
        self.train_seconds[number] = train_seconds
        return max(0.0, train_seconds - before)

    def leave(self, number: int, now_s: float) -> None:
        """A trial runs no longer: charge its family with the wall time since its start."""
        self._charged_s += max(MIN_CHARGE_S, now_s - self._live_since_s.pop(number))

    def charged_s(self, now_s: float) -> float:
        """Wall time of the family's trials until now, at least `MIN_CHARGE_S` for each."""
        live = sum(max(MIN_CHARGE_S, now_s - since_s) for since_s in self._live_since_s.values())
        return self._charged_s + live

    @property
    def best(self) -> float | None:
        """The best validation score of what runs, completed, was pruned or interrupted; None before any."""
        loss = min(self._best_losses.values(), default=None)
        return loss if loss is None or self.pruner.direction is Direction.MINIMIZE else -loss

    def report(self, number: int, iteration: int, value: float) -> bool:
        """Take a trial's best score so far; True when the trial is pruned."""
        if math.isfinite(value):
            self._scored.add(number)
            self.note_best(number, value)
        self.search.report(number, iteration, value)
        return self.pruner.report(number, iteration, value)

    def close(self, number: int, result: Result) -> None:
        """Take the end of a trial."""
        self.ended[result.status] += 1
        if result.status.is_ranked:
            self.note_best(number, result.value)
        else:
            self._best_losses.pop(number, None)
        self.search.close(number, result.status, result.value)
        self.keeping.end(number, result.status, result.value)
        if result.status is Status.COMPLETED and result.value is not None:
            # An early end counts at every later rung with the score it ended with.
            self.pruner.report(number, self.pruner.max_iterations, result.value)
        self._count_failure(number, result)

    def progress(self) -> FamilyProgress:
        """Where the family stands now, for a view."""
        return FamilyProgress(
            name=self.family.name,
            running=len(self._live_since_s),
            completed=self.ended[Status.COMPLETED],
            pruned=self.ended[Status.PRUNED],
            failed=self.ended[Status.FAILED],
            diverged=self.ended[Status.DIVERGED],
            best=self.best,
        )

    def note_best(self, number: int, value: float | None) -> None:
        """Take the score of a trial's best state; None and what is not finite is passed over."""
        if value is None or not math.isfinite(value):
            return
        loss = value if self.pruner.direction is Direction.MINIMIZE else -value
        self._best_losses[number] = min(loss, self._best_losses.get(number, math.inf))

    def _count_failure(self, number: int, result: Result) -> None:
        failed = result.status in (Status.FAILED, Status.DIVERGED) and number not in self._scored
        self._failures_in_a_row = self._failures_in_a_row + 1 if failed else 0
        if self._failures_in_a_row == MAX_FAILURES_IN_A_ROW:
            self.parked = True
            reason = (result.error or "no reason given").strip().splitlines()[-1]
            logger.warning(
                "%s is given up for this run: %d trials in a row failed before a score, the last with: %s",
                self.family.name,
                MAX_FAILURES_IN_A_ROW,
                reason,
            )


def target_of(states: Sequence[FamilyState], search: SearchConfig) -> int | None:
    """Return the trials that a study will have in all, None when only time limits it."""
    totals = [] if search.total_trials is None else [search.total_trials]
    limits = [state.limit(search.trials) for state in states]
    counted = [limit for limit in limits if limit is not None]
    if len(counted) == len(limits):
        totals.append(sum(counted))
    return min(totals, default=None)


def _wall_seconds(record: TrialRecord) -> float:
    """Wall time of a trial that ran in one go; training time of one that was interrupted."""
    if record.attempts > 1 or record.started_at is None or record.ended_at is None:
        return record.train_seconds
    return (record.ended_at - record.started_at).total_seconds()


def _curve(record: TrialRecord, max_iterations: int) -> dict[int, float]:
    """A trial's best scores so far, as the pruner keeps them."""
    curve = dict(record.best_values)
    if record.status is Status.COMPLETED and record.value is not None:
        curve[max_iterations] = record.value
    return curve
