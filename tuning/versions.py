"""The libraries that a study's results depend on, and their versions."""

from __future__ import annotations

import platform
from importlib.metadata import version

LIBRARIES = ("ray", "optuna", "torch", "lightgbm", "xgboost", "catboost", "scikit-learn", "numpy", "pandas")


def installed_versions() -> dict[str, str]:
    """Version by name, Python's included.

    Raises:
        PackageNotFoundError: a library is not installed.
    """
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
