"""Hyperparameter tuning on Ray that loses nothing.

>>> from tuning import Study
>>> Study.__name__
'Study'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuning.errors import ConfigError, DataError, InputError, RecordError, StudyFailedError, TuningError
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
    """Import what is asked for: `Study` brings Ray, which a look at a leaderboard need not wait for."""
    if name in __all__:
        return getattr(import_module("tuning.study" if name == "Study" else "tuning.errors"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
