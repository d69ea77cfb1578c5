"""The wall time of a study over its runs: what each might take, took, and left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from tuning.store import Run, Store

SAVE_EVERY_S = 10.0


def next_budget_s(
    runs: Sequence[Run], budget_s: float | None, *, new_budget: bool = False, more_trials: bool = False
) -> float | None:
    """Wall time that a study's next run may take, None without a limit.

    Args:
        runs: the study's runs so far.
        budget_s: the time budget in its configuration.
        new_budget: the budget was given just now, and counts from now.
        more_trials: a number of trials was given just now: it lifts a budget that is used up.

    >>> next_budget_s([Run(600, used_s=200)], 600)
    400
    >>> next_budget_s([Run(600, used_s=600)], 600)
    0.0
    >>> next_budget_s([Run(600, used_s=600)], 600, more_trials=True) is None
    True
    """
    if new_budget or not runs:
        return budget_s
    left_s = runs[-1].left_s
    return None if left_s == 0 and more_trials else left_s


class RunClock:
    """The clock of one run, kept in the record, where a kill leaves it at most `SAVE_EVERY_S` behind.

    Args:
        store: the record; it has the study's families already.
        budget_s: wall time that the run may take, None without a limit.
        clock: monotonic time in seconds.
    """

    def __init__(
        self, store: Store, budget_s: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._clock = clock
        self._started_s = self._saved_s = clock()
        self._earlier = store.runs()
        self._run = Run(budget_s)
        self._save()

    @property
    def left_s(self) -> float | None:
        """Wall time left, None without a limit."""
        return replace(self._run, used_s=self._clock() - self._started_s).left_s

    def tick(self) -> None:
        """Record the time, if that is due."""
        if self._clock() - self._saved_s >= SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Record the time used until now."""
        self._saved_s = self._clock()
        self._run = replace(self._run, used_s=self._saved_s - self._started_s)
        self._save()

    def end(self) -> None:
        """Record that the run came to its end; its time is that of the last `save`."""
        self._run = replace(self._run, ended=True)
        self._save()

    def _save(self) -> None:
        self._store.set_runs([*self._earlier, self._run])
