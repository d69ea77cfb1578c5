"""Trials that are to go on from their checkpoints, and what is known of those that end their driver."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tuning.store import Result, Status, Store, TrialRecord
from tuning.trial import TrialSpec

MAX_DRIVER_DEATHS = 3
"""Deaths of the driver in a row after which a trial that ran each time, and got no further, is given up."""

MAX_NODE_DEATHS = 20
"""Nodes that may die under a trial in one run: machines are taken away often, yet it may be the cause."""


class WaitingTrials:
    """Unfinished trials, the first one first; those that may have taken their driver down come last.

    Of these one runs at a time, so that none is blamed for another.
    """

    def __init__(self) -> None:
        self._specs: list[TrialSpec] = []
        self._suspects: set[str] = set()

    def add(self, spec: TrialSpec) -> None:
        """Let a trial wait."""
        self._specs.append(spec)
        self._specs.sort(key=lambda each: each.id in self._suspects)

    def blame(self, record: TrialRecord, store: Store) -> Result | None:
        """Count the driver's death, if the last run ended by that and an unfinished trial ran in it.

        To be called once, at the beginning of a run.

        Returns:
            How the trial ends, where it took its driver down too often; None: it may go on.
        """
        runs, deaths = store.runs(), record.driver_deaths
        has_died = len(runs) > 1 and not runs[-2].ended
        if has_died and record.attempts > deaths.attempts:
            deaths = deaths.and_one(record.attempts, record.iterations)
            store.set_driver_deaths(record.model, record.number, deaths)
        if deaths.count >= MAX_DRIVER_DEATHS:
            return _given_up(deaths.count)
        if deaths.count == MAX_DRIVER_DEATHS - 1:
            self._suspects.add(record.id)
        return None

    def next(self, live: Collection[str], may_start: Callable[[str], bool]) -> TrialSpec | None:
        """Return the trial to start now, None where there is none; it goes on waiting until it is removed.

        Args:
            live: ids of the trials that run.
            may_start: whether there is room for a trial of a family.
        """
        is_suspected = not self._suspects.isdisjoint(live)
        ready = (spec for spec in self._specs if not (is_suspected and spec.id in self._suspects))
        return next((spec for spec in ready if may_start(spec.model)), None)

    def remove(self, spec: TrialSpec) -> None:
        """Take out a trial that runs now."""
        self._specs.remove(spec)


def _given_up(deaths: int) -> Result:
    """Return the end of a trial that took its driver down so often."""
    return Result(
        Status.FAILED,
        error=f"the driver of the study died {deaths} times in a row while this trial ran, each time before "
        "its next score, so it is not tried again: was the machine out of memory, or its time too short?",
    )
