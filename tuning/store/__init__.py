"""The durable record of a study."""

from tuning.store._backend import JOURNAL_NAME, drop_torn_line
from tuning.store._lease import Lease
from tuning.store._lock import LOCK_NAME, DriverLock, driver_lock, is_driven
from tuning.store._reading import best_so_far, has_diverged
from tuning.store._record import (
    Details,
    DriverDeaths,
    Metrics,
    Placement,
    Result,
    Run,
    Status,
    TrialRecord,
    trial_id,
)
from tuning.store._store import Store

__all__ = [
    "JOURNAL_NAME",
    "LOCK_NAME",
    "Details",
    "DriverDeaths",
    "DriverLock",
    "Lease",
    "Metrics",
    "Placement",
    "Result",
    "Run",
    "Status",
    "Store",
    "TrialRecord",
    "best_so_far",
    "driver_lock",
    "drop_torn_line",
    "has_diverged",
    "is_driven",
    "trial_id",
]
