"""Names of Ray that it does not promise to keep, for what it has no public way to.

Tested with Ray 2.60; `tests/execution/test_ray_internals.py` holds a new version to it.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from importlib import import_module

from ray.job_config import JobConfig


class DriverJob(JobConfig):  # type: ignore[misc]
    """A job whose workers import what is installed, and nothing that lies in the driver's folder.

    Ray puts the driver's working folder, and that of its script, first on each worker's path: a person's own
    `yaml.py` there would hide the library from every trial. It does so by extending the list that is a fresh
    one here whenever it is asked for.

    Args:
        metadata: what the dashboard shows of the job.
    """

    def __init__(self, metadata: Mapping[str, str]) -> None:
        super().__init__(metadata=dict(metadata))

    @property
    def _py_driver_sys_path(self) -> list[str]:
        return []

    @_py_driver_sys_path.setter
    def _py_driver_sys_path(self, folders: list[str]) -> None:
        """Nothing: whatever is given stays off the workers' path."""


def leave_terminal_as_it_is() -> None:
    """Keep the colorama that Ray brings from writing an escape sequence at the end of the process.

    It does so to any terminal, also to one that shows it as text.
    """
    atexit.unregister(import_module("colorama.initialise").reset_all)
