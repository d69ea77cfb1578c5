"""What is tuned: one file per family on one shared base. Knows nothing of Ray, Optuna or studies."""

from tuning.models._base import TRAINING, Model, Params
from tuning.models._group import ALONE, Distribution, WorkerGroup
from tuning.models._own_file import imported_beside, own_files
from tuning.models._registry import ModelClass, family_names, load_family, load_family_file
from tuning.models._sequences import Sequences, SequenceSchema
from tuning.models._table import Loss, Schema, Table, Task
from tuning.models._target import TargetTransform
from tuning.models._windows import Panel, SeriesSchema, Windows

__all__ = [
    "ALONE",
    "TRAINING",
    "Distribution",
    "Loss",
    "Model",
    "ModelClass",
    "Panel",
    "Params",
    "Schema",
    "SequenceSchema",
    "Sequences",
    "SeriesSchema",
    "Table",
    "TargetTransform",
    "Task",
    "Windows",
    "WorkerGroup",
    "family_names",
    "imported_beside",
    "load_family",
    "load_family_file",
    "own_files",
]
