"""Ending a process whose training step hangs."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATTERN = "hang*.txt"
_GRACE_S = 1.0

HANG_LIMITS = 3
"""Time limits after which a trial that comes to no end is taken to hang."""


@contextmanager
def watchdog(folder: Path, limit_s: float | None, spent_s: float = 0.0, rank: int = 0) -> Iterator[None]:
    """Let the process end itself, with its stacks written down, when the block hangs.

    A trial ends by itself with the unit in which its time is up; one that has come to no end of a unit
    after `HANG_LIMITS` times its limit hangs. A thread of C waits, so it also ends code that holds the
    interpreter's lock for ever.

    Args:
        folder: of the trial.
        limit_s: time limit of the trial; None: none, and nothing is watched.
        spent_s: of it, until now.
        rank: of the process among those that run the trial.
    """
    if limit_s is None:
        yield
        return
    wait_s = max(limit_s - spent_s, 0.0) + (HANG_LIMITS - 1) * limit_s
    path = folder / f"hang-{rank}.txt"
    with path.open("w") as file:
        faulthandler.dump_traceback_later(wait_s + _GRACE_S, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    path.unlink()


def read_hang(folder: Path) -> str:
    """Where the trial's processes were when the watchdog ended them; empty when it did not."""
    return "\n".join(text for path in sorted(folder.glob(_PATTERN)) if (text := path.read_text()))
