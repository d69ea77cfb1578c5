"""The first second of a command, in which libraries are loaded."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = "Interrupted before anything began; nothing was changed."


@contextmanager
def interruptible() -> Iterator[None]:
    """End the process at once, in one sentence, when Ctrl-C is pressed inside the block.

    In the middle of an import the interrupt would end in a traceback of that library, or be taken for
    an error of its own. Nothing has begun that would have to be put right.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, f"\n{INTERRUPTED}\n".encode())
    os._exit(130)
