"""The end of a run: the winners scored on untouched rows, the leaderboard and the bundle written."""

from __future__ import annotations

import logging
import math

from tuning.errors import TuningError
from tuning.leaderboard import Leaderboard, LeaderboardRow, build_leaderboard
from tuning.session import StudyFolder, write_atomically
from tuning.storage import is_disk_full
from tuning.store import Store
from tuning.study._bundle import export_bundle, is_of_all_folds
from tuning.study._restore import score_on_test
from tuning.study._setup import PreparedStudy, StudyHeader

logger = logging.getLogger(__name__)


def conclude(study: PreparedStudy, store: Store) -> Leaderboard:
    """Rank, score the best of each family on the test rows, once, and export the first.

    The ranking is written first, and needs no trained model: a damaged checkpoint costs the test
    score or the bundle, with a warning, and not the leaderboard.
    """
    leaderboard = _rank(study, store)
    by_last_fold = study.header.first_fold(len(study.data.folds)) > 0
    is_outdated = by_last_fold and is_of_all_folds(study.folder)
    unscored = [row for row in leaderboard.rows if row.best_of_family and (row.test is None or is_outdated)]
    if unscored and len(study.data.folds[0].test):
        for row in unscored:
            _score(study, store, row)
        leaderboard = _rank(study, store)
    if leaderboard.best is not None:
        _export(study, store, leaderboard.best)
    return leaderboard


def _rank(study: PreparedStudy, store: Store) -> Leaderboard:
    leaderboard = read_leaderboard(study.header, store, driven=False)
    write_leaderboard(leaderboard, study.folder)
    return leaderboard


def _score(study: PreparedStudy, store: Store, row: LeaderboardRow) -> None:
    record = store.trial(row.model, row.number)
    try:
        score = score_on_test(study, record)
    except TuningError as error:
        logger.warning("%s has no test score: %s", row.trial, error)
        return
    finite = {name: value for name, value in score.metrics.items() if math.isfinite(value)}
    if record.checkpoint is not None:
        store.set_test(row.model, row.number, finite, record.checkpoint, score.details)


def _export(study: PreparedStudy, store: Store, row: LeaderboardRow) -> None:
    try:
        export_bundle(study, store.trial(row.model, row.number))
    except (TuningError, OSError) as error:
        if is_disk_full(error):
            raise
        logger.warning(
            "%s, the best trial, could not be exported to %s: %s", row.trial, study.folder.best, error
        )


def read_leaderboard(header: StudyHeader, store: Store, *, driven: bool | None = None) -> Leaderboard:
    """The ranked trials, from the record."""
    records = store.trials(driven=driven)
    return build_leaderboard(header.config.name, header.task.value, header.metric, header.direction, records)


def write_leaderboard(leaderboard: Leaderboard, folder: StudyFolder) -> None:
    """Write leaderboard.json and leaderboard.csv."""
    write_atomically(folder.leaderboard_json, leaderboard.to_json())
    write_atomically(folder.leaderboard_csv, leaderboard.to_csv())
    for path in (folder.leaderboard_json, folder.leaderboard_csv):
        folder.mirror.push(path)
