"""Where a running study stands."""

from __future__ import annotations

from dataclasses import dataclass

from tuning.metrics import Direction


@dataclass(frozen=True)
class FamilyProgress:
    """Trials of one family, those of earlier runs of the study included.

    Attributes:
        name: family name.
        running: trials that run now.
        best: best validation score so far, None before the first.
    """

    name: str
    running: int = 0
    completed: int = 0
    pruned: int = 0
    failed: int = 0
    diverged: int = 0
    best: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """A study at one moment.

    Attributes:
        study: name of the study.
        metric: name of the metric that is searched on.
        families: progress per family.
        launched: trials started, those of earlier runs included.
        finished: trials finished, those of earlier runs included.
        target: trials that the study will have in all; None when only time limits it.
        elapsed_s: seconds since this run began.
        remaining_s: seconds until the time budget is used up; None without one.
        busy_seconds: training time of this run, summed over its slots.
        slots: trials at once.
        stopping: nothing new starts; what runs saves its checkpoint and ends.
        finished_before: trials that earlier runs finished.
        resume: command that goes on with the study, for a shell; empty: with its name alone.
        direction: whether low or high values of the metric are better.
    """

    study: str
    metric: str
    families: tuple[FamilyProgress, ...]
    launched: int
    finished: int
    target: int | None
    elapsed_s: float
    remaining_s: float | None
    busy_seconds: float
    slots: int
    stopping: bool = False
    finished_before: int = 0
    resume: str = ""
    direction: Direction = Direction.MINIMIZE

    @property
    def running(self) -> int:
        """Trials that run now."""
        return sum(family.running for family in self.families)

    @property
    def trials_per_minute(self) -> float:
        """Trials that this run finished, per minute."""
        return 60 * (self.finished - self.finished_before) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def overhead_share(self) -> float:
        """Share of the slots' wall time that was not training, 0 to 1."""
        available_s = self.elapsed_s * self.slots
        if available_s <= 0:
            return 0.0
        return min(1.0, max(0.0, 1 - self.busy_seconds / available_s))

    @property
    def share_done(self) -> float | None:
        """Share of the trials or of the time budget that is used, the larger one; None without a limit."""
        shares = []
        if self.target:
            shares.append(self.finished / self.target)
        if self.remaining_s is not None:
            left_s = max(0.0, self.remaining_s)
            shares.append(self.elapsed_s / (self.elapsed_s + left_s) if self.elapsed_s + left_s > 0 else 1.0)
        return min(1.0, max(shares)) if shares else None

    @property
    def left_s(self) -> float | None:
        """Seconds left: of the time budget or, when that is sooner, until the last trial at this pace."""
        left = [] if self.remaining_s is None else [max(0.0, self.remaining_s)]
        if self.target is not None and self.trials_per_minute > 0:
            left.append(60 * max(0, self.target - self.finished) / self.trials_per_minute)
        return min(left, default=None)
