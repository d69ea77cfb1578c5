"""Hyperparameter tuning on Ray that loses nothing.

>>> from tuning import Study
>>> Study.__name__
'Study'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning.errors import ConfigError, DataError, InputError, RecordError, StudyFailedError, TuningError

if TYPE_CHECKING:
    from tuning.study import Study

__all__ = [
    "ConfigError",
    "DataError",
    "InputError",
    "RecordError",
    "Study",
    "StudyFailedError",
    "TuningError",
]


def __getattr__(name: str) -> object:
    """Import `Study` when it is asked for: it brings Ray, which a look at a leaderboard need not wait for."""
    if name == "Study":
        from tuning.study import Study

        return Study
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
