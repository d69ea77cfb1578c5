"""What is tuned: one file per family on one shared base. Knows nothing of Ray, Optuna or studies."""

from models._base import Model, Params
from models._registry import ModelClass, family_names, load_family, load_family_file
from models._table import Loss, Schema, Table, TargetTransform, Task

__all__ = [
    "Loss",
    "Model",
    "ModelClass",
    "Params",
    "Schema",
    "Table",
    "TargetTransform",
    "Task",
    "family_names",
    "load_family",
    "load_family_file",
]
