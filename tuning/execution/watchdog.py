"""Ending a process whose training step hangs."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATTERN = "hang*.txt"
_GRACE_S = 1.0


@contextmanager
def watchdog(folder: Path, left_s: float | None, rank: int = 0) -> Iterator[None]:
    """Let the process end itself, with its stacks written down, when the block outlasts the trial's limit.

    A thread of C waits, so it also ends code that holds the interpreter's lock for ever.

    Args:
        folder: of the trial.
        left_s: seconds that the trial has left; None: no limit.
        rank: of the process among those that run the trial.
    """
    if left_s is None:
        yield
        return
    path = folder / f"hang-{rank}.txt"
    with path.open("w") as file:
        faulthandler.dump_traceback_later(max(left_s, 0.0) + _GRACE_S, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    path.unlink()


def read_hang(folder: Path) -> str:
    """Where the trial's processes were when the watchdog ended them; empty when it did not."""
    return "\n".join(text for path in sorted(folder.glob(_PATTERN)) if (text := path.read_text()))
