"""Signals that come while Ray starts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ray._private import ray_constants
from ray._private import utils as ray_utils

# Ray sets a handler from Python; and its core one of its own, for crashes, which aborts 3 s after a SIGTERM.
_RAY_HANDLERS: tuple[tuple[Any, str, Any], ...] = (
    (ray_utils, "set_sigterm_handler", lambda handler: None),
    (ray_constants, "RAY_DISABLE_FAILURE_SIGNAL_HANDLER", True),
)


@contextmanager
def sigterm_held_back() -> Iterator[None]:
    """Let a SIGTERM wait for the end of the block, in which Ray starts; a second one ends it at once.

    An exception in the middle of a start would crash Ray's core at the end of the process. The handler stays
    what it was.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        held.append(number)
        if len(held) > 1:
            raise SystemExit(number)

    before = signal.signal(signal.SIGTERM, hold)
    try:
        with _no_handlers_of_ray():
            yield
    finally:
        signal.signal(signal.SIGTERM, before)
    if held and callable(before):
        before(signal.SIGTERM, None)
    elif held:
        raise SystemExit(signal.SIGTERM)


@contextmanager
def _no_handlers_of_ray() -> Iterator[None]:
    """Keep Ray from setting handlers of its own, in this process alone."""
    originals = [getattr(module, name) for module, name, _ in _RAY_HANDLERS]
    for module, name, instead in _RAY_HANDLERS:
        setattr(module, name, instead)
    try:
        yield
    finally:
        for (module, name, _), original in zip(_RAY_HANDLERS, originals, strict=True):
            setattr(module, name, original)
