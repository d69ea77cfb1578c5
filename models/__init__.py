"""What is tuned: one file per family on one shared base. Knows nothing of Ray, Optuna or studies."""

from models._base import Model, Params
from models._group import ALONE, Distribution, WorkerGroup
from models._registry import ModelClass, family_names, load_family, load_family_file
from models._sequences import Sequences, SequenceSchema
from models._table import Loss, Schema, Table, Task
from models._target import TargetTransform
from models._windows import Panel, SeriesSchema, Windows

__all__ = [
    "ALONE",
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
    "load_family",
    "load_family_file",
]
