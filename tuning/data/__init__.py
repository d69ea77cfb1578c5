"""Data: read a table, decide what its columns are, split it, and fit transforms on training rows alone."""

from tuning.data._frame import (
    Rows,
    Wanted,
    as_frame,
    column_name,
    keepable,
    table_to_keep,
    unused_columns,
)
from tuning.data._load import load_transform
from tuning.data._prepare import prepare, prepare_final
from tuning.data._prepared import FinalRows, Fold, PreparedData, Transform
from tuning.data._read import fingerprint, read_frame
from tuning.data._transform import TableTransform, read_classes
from tuning.data.config import ColumnRole, DataConfig, SplitConfig, SplitMethod, TargetConfig, TaskKind

__all__ = [
    "ColumnRole",
    "DataConfig",
    "FinalRows",
    "Fold",
    "PreparedData",
    "Rows",
    "SplitConfig",
    "SplitMethod",
    "TableTransform",
    "TargetConfig",
    "TaskKind",
    "Transform",
    "Wanted",
    "as_frame",
    "column_name",
    "fingerprint",
    "keepable",
    "load_transform",
    "prepare",
    "prepare_final",
    "read_classes",
    "read_frame",
    "table_to_keep",
    "unused_columns",
]
