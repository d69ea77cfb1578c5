"""A thread for a monitor, so that a slow server stalls no trial and a broken one ends no study."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from tuning.monitoring._base import Monitor
from tuning.store import TrialRecord
from tuning.trial import Report, TrialSpec

logger = logging.getLogger(__name__)

FLUSH_LIMIT_S = 30.0


class Background:
    """Passes on what it is told, in order, from a thread.

    After a failure the monitor is told nothing more, with one warning, until it may catch up with the
    record at the end of the run.

    Args:
        monitor: what is told.
        name: what messages call it.
        flush_limit_s: time that `close` waits for what was not passed on yet.
    """

    def __init__(self, monitor: Monitor, name: str, *, flush_limit_s: float = FLUSH_LIMIT_S) -> None:
        self._monitor = monitor
        self._name = name
        self._flush_limit_s = flush_limit_s
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._is_failed = False
        self._has_warned = False

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes all that its searcher holds into a snapshot, from which nothing is read."""
        return {}

    def catch_up(self, records: Sequence[TrialRecord]) -> None:
        self._submit(self._retry, records)

    def start(self, spec: TrialSpec) -> None:
        self._submit(self._unless_failed, self._monitor.start, spec)

    def report(self, spec: TrialSpec, report: Report) -> None:
        self._submit(self._unless_failed, self._monitor.report, spec, report)

    def end(self, record: TrialRecord) -> None:
        self._submit(self._unless_failed, self._monitor.end, record)

    def close(self) -> None:
        """Wait for what is under way, but not for ever."""
        last = self._submit(self._monitor.close)
        _, late = wait([last], timeout=self._flush_limit_s)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if late:
            logger.warning(
                "%s was not done within %g s and lacks the latest of the study; a resume catches up.",
                self._name,
                self._flush_limit_s,
            )

    def _submit(self, call: Callable[..., None], *args: Any) -> Future[None]:
        future = self._pool.submit(call, *args)
        future.add_done_callback(self._note)
        return future

    def _unless_failed(self, call: Callable[..., None], *args: Any) -> None:
        if not self._is_failed:
            call(*args)

    def _retry(self, records: Sequence[TrialRecord]) -> None:
        self._is_failed = False
        self._monitor.catch_up(records)

    def _note(self, future: Future[None]) -> None:
        """Take a failure, of whatever kind: plug-ins of a server's storage raise types of their own."""
        error = None if future.cancelled() else future.exception()
        if error is None:
            return
        self._is_failed = True
        if not self._has_warned:
            self._has_warned = True
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            logger.warning("%s could not be told of a trial: %s (no result is lost)", self._name, reason)
