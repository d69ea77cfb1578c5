"""Picking a trial from a leaderboard."""

from __future__ import annotations

from tuning.errors import RecordError
from tuning.leaderboard._rows import Ranking


def choose_trial(leaderboard: Ranking, wanted: str) -> tuple[str, int]:
    """Family and number of the trial that `wanted` names: `best`, a family, or a trial's id.

    Raises:
        RecordError: there is no such trial, or it has no score.
    """
    for row in leaderboard.rows:
        is_best = wanted == "best" and row.rank == 1
        if is_best or row.trial == wanted or (row.model == wanted and row.best_of_family):
            return row.model, row.number
    families = ", ".join(sorted({row.model for row in leaderboard.rows}))
    raise RecordError(
        f"{leaderboard.study} has no trial {wanted!r} with a score: "
        f"choose best, a family ({families}) or an id from its leaderboard."
    )
