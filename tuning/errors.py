"""The errors of a study. `InputError` and what derives from it mean: the input is wrong (exit code 2)."""

from __future__ import annotations

from tuning.models.errors import TuningError

__all__ = [
    "BusyError",
    "ConfigError",
    "DataError",
    "DiskFullError",
    "ExecutionError",
    "InputError",
    "NameTakenError",
    "RecordError",
    "StorageError",
    "StudyFailedError",
    "TuningError",
]


class InputError(TuningError):
    """What the user gave is wrong; nothing was started. The command line ends with exit code 2."""


class ConfigError(InputError):
    """A setting is unknown, of the wrong type, out of its range or at odds with another."""


class DataError(InputError):
    """The data cannot be read, or cannot be learnt from as asked."""


class RecordError(InputError):
    """The record of a study is missing something, or disagrees with its folder."""


class BusyError(InputError):
    """Another process, or another thread of this one, runs the study."""


class NameTakenError(InputError):
    """A study of that name exists already, or is being set up by another process."""


class StudyFailedError(TuningError):
    """The study ran, and no trial of it succeeded."""


class ExecutionError(TuningError):
    """Running the trials broke off; the record holds what was reported."""


class StorageError(ExecutionError):
    """The object store does not do what it is asked, after several tries."""


class DiskFullError(ExecutionError):
    """A disk, a quota or a file-size limit takes nothing more; no trial is to blame."""
