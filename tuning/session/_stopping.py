"""When a session starts nothing more: on a wish, when its time is up, or when a disk is full."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tuning.errors import DiskFullError
from tuning.session._folder import StudyFolder
from tuning.storage import is_disk_full

logger = logging.getLogger(__name__)


class Stopping:
    """Whether a session is to stop, since when and why.

    Args:
        folder: of the study; a file in it tells the workers.
        clock: monotonic time in seconds.

    Attributes:
        disk_full: what ended the session, where that was a full disk.
    """

    def __init__(self, folder: StudyFolder, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._deadline_s: float | None = None
        self._stopped_s: float | None = None
        self.disk_full: DiskFullError | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether nothing more is started."""
        return self._stopped_s is not None

    @property
    def stopping_s(self) -> float:
        """Seconds since the session was asked to stop, 0 before."""
        return 0.0 if self._stopped_s is None else self._clock() - self._stopped_s

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the time budget is used up, None without one."""
        return None if self._deadline_s is None else self._deadline_s - self._clock()

    def set_time_budget(self, seconds: float) -> None:
        """Stop by itself after `seconds` from now."""
        self._deadline_s = self._clock() + seconds

    def stop(self) -> None:
        """Start nothing more, and ask what runs to write a checkpoint and end."""
        if self.is_stopping:
            return
        self._stopped_s = self._clock()
        try:
            self._folder.stop_file.touch()
        except OSError as error:
            # Workers that do not hear of it end at their next write, or are ended after a while.
            if not is_disk_full(error):
                raise
            logger.warning("%s cannot be written: %s", self._folder.stop_file, error)
            return
        self._folder.mirror.push(self._folder.stop_file)

    def stop_for_disk(self, error: DiskFullError) -> None:
        """Stop because nothing more can be written."""
        self.disk_full = self.disk_full or error
        self.stop()

    def check_clock(self) -> None:
        """Stop when the time budget is used up."""
        remaining_s = self.remaining_s
        if remaining_s is not None and remaining_s <= 0:
            self.stop()
