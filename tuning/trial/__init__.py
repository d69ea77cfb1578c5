"""One trial, as a plain loop that needs no Ray."""

from tuning.trial._checkpoint import (
    BEST,
    CHECKPOINTS,
    Progress,
    keep_what_predicts,
    read_best_units,
    read_checkpoint,
    write_checkpoint,
)
from tuning.trial._loop import TrialLoop
from tuning.trial._outcome import PREDICTIONS_NAME, Score, mean_outputs, score_test
from tuning.trial._peers import ON_ITS_OWN, Peers
from tuning.trial._spec import FoldRows, GpuShortage, Report, TrialSpec

__all__ = [
    "BEST",
    "CHECKPOINTS",
    "ON_ITS_OWN",
    "PREDICTIONS_NAME",
    "FoldRows",
    "GpuShortage",
    "Peers",
    "Progress",
    "Report",
    "Score",
    "TrialLoop",
    "TrialSpec",
    "keep_what_predicts",
    "mean_outputs",
    "read_best_units",
    "read_checkpoint",
    "score_test",
    "write_checkpoint",
]
