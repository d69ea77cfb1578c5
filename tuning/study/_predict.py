"""What predicts, by the name that a person gives it: a trial, or the final fit."""

from __future__ import annotations

from tuning.leaderboard import choose_trial
from tuning.session import StudyFolder
from tuning.study._bundle import Predictor, load_predictor
from tuning.study._conclude import read_leaderboard
from tuning.study._device import check_device
from tuning.study._final_fit import REFIT, load_refit
from tuning.study._setup import StudyHeader


def open_predictor(
    header: StudyHeader, folder: StudyFolder, model: str, *, device: str = "cpu"
) -> tuple[str, Predictor]:
    """Load a trained trial or the final fit, ready to predict.

    Args:
        header: the study.
        folder: its folder.
        model: `best`, a family (its best trial), a trial's id, or `refit`, the final fit.
        device: `cpu` or `cuda`.

    Returns:
        What it is in words, and itself.

    Raises:
        RecordError: there is no such trial, or it has no checkpoint.
        InputError: there is no such device.
        CheckpointError: what was trained is damaged.
    """
    check_device(device)
    if model == REFIT:
        trial, predictor = load_refit(header, folder, device=device)
        return f"the final fit of {trial}", predictor
    with header.open_store(folder) as store:
        record = store.trial(*choose_trial(read_leaderboard(header, store), model))
    return record.id, load_predictor(header, folder, record, device=device)
