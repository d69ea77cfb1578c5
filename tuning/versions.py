"""The libraries that a study's results depend on, and their versions."""

from __future__ import annotations

import platform
import re
from importlib.metadata import requires, version

_PROJECT = "tuning-on-ray"
LIBRARIES = ("ray", "optuna", "torch", "lightgbm", "xgboost", "catboost", "scikit-learn", "numpy", "pandas")


def installed_versions() -> dict[str, str]:
    """Return the version by name, this project's and Python's included.

    Raises:
        PackageNotFoundError: a library is not installed.
    """
    names = (_PROJECT, *LIBRARIES)
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def pinned_requirements() -> list[str]:
    """What this project needs, in the versions installed here; without Ray, which a cluster brings itself.

    Raises:
        PackageNotFoundError: the project or a library is not installed.
    """
    names = (
        re.split(r"[^A-Za-z0-9._-]", text)[0] for text in requires(_PROJECT) or () if "extra ==" not in text
    )
    return [f"{name}=={version(name)}" for name in names if name != "ray"]
