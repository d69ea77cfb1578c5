"""Progress as lines, for logs and pipes."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TextIO

from tuning.config.duration import format_duration
from tuning.leaderboard import format_number
from tuning.metrics import Direction
from tuning.progress._snapshot import Snapshot
from tuning.progress._view import View


class PlainView(View):
    """Writes a line when trials finished and when a family has a new best, and one at the end.

    Args:
        stream: where to; None: stderr.
        interval_s: least time between two writes.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        interval_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._interval_s = interval_s
        self._clock = clock
        self._next_s = 0.0
        self._latest: Snapshot | None = None
        self._shown: Snapshot | None = None
        self._is_open = False

    def start(self, headline: Sequence[str]) -> None:
        self._is_open = True
        self._write(headline)

    def update(self, snapshot: Snapshot) -> None:
        self._latest = snapshot
        if self._shown is None:
            # What a resumed study has already is where this run starts, not news.
            self._shown = snapshot
            self._next_s = self._clock() + self._interval_s
            return
        now_s = self._clock()
        if now_s >= self._next_s:
            self._show(self._shown, snapshot, now_s)

    def note(self, text: str) -> None:
        self._write([text])

    def stop(self) -> None:
        if self._is_open and self._latest is not None:
            self._write([_final_line(self._latest)])
        self._is_open = False

    def _show(self, before: Snapshot, now: Snapshot, now_s: float) -> None:
        lines = _new_best_lines(before, now)
        if lines or now.finished != before.finished or now.stopping != before.stopping:
            self._write([*lines, _progress_line(now)])
            self._shown = now
            self._next_s = now_s + self._interval_s

    def _write(self, lines: Sequence[str]) -> None:
        self._stream.writelines(f"{line}\n" for line in lines)
        self._stream.flush()


def _new_best_lines(before: Snapshot, now: Snapshot) -> list[str]:
    """One line on the families whose best score improved, none when there are none."""
    known = {family.name: family.best for family in before.families}
    news = [
        f"{family.name} {format_number(family.best)}"
        for family in now.families
        if _is_better(family.best, known.get(family.name), now.direction)
    ]
    return [f"{_elapsed(now)} new best {now.metric}: {', '.join(news)}"] if news else []


def _is_better(value: float | None, known: float | None, direction: Direction) -> bool:
    """Compare with what was shown: a trial that diverges or fails takes its score back."""
    if value is None or known is None:
        return value is not None
    return value < known if direction is Direction.MINIMIZE else value > known


def _progress_line(now: Snapshot) -> str:
    trials = str(now.finished) if now.target is None else f"{now.finished}/{now.target}"
    parts = [f"{trials} trials", *_endings(now), f"{now.running} running", _pace(now)]
    if now.left_s is not None:
        parts.append(f"{format_duration(now.left_s)} left")
    if now.stopping:
        parts.append("stopping")
    return f"{_elapsed(now)} {', '.join(parts)}"


def _final_line(now: Snapshot) -> str:
    parts = [f"{now.finished} trials finished", *_endings(now), _pace(now)]
    return f"Ended after {format_duration(now.elapsed_s)}: {', '.join(parts)}"


def _endings(now: Snapshot) -> list[str]:
    """How trials ended that did not complete: `3 pruned`, `1 failed`."""
    counts: Counter[str] = Counter()
    for family in now.families:
        counts.update(pruned=family.pruned, failed=family.failed, diverged=family.diverged)
    return [f"{count} {ending}" for ending, count in counts.items() if count]


def _pace(now: Snapshot) -> str:
    return f"{now.trials_per_minute:.1f} trials/min, overhead {now.overhead_share:.0%}"


def _elapsed(now: Snapshot) -> str:
    return f"[{format_duration(now.elapsed_s)}]"
