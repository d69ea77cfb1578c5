"""The processes that train one trial together, in lockstep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tuning.models import ALONE, WorkerGroup


def _own_answer(answer: bool) -> bool:
    return answer


@dataclass(frozen=True)
class Peers:
    """One process's place among those that train a trial, and how they stay together.

    All have the same rows and make the same calls, so they come to the same scores. What could differ between
    them, the clock and whether a file is there, the first one decides; and it alone writes.

    Attributes:
        group: what the models join.
        agree: given this process's answer to a question, waits for all and returns the first one's.
    """

    group: WorkerGroup = ALONE
    agree: Callable[[bool], bool] = _own_answer

    @property
    def writes(self) -> bool:
        """Whether this process writes the trial's files."""
        return self.group.rank == 0

    def wait(self) -> None:
        """Wait until all have come here."""
        self.agree(True)


ON_ITS_OWN = Peers()
