"""The ranking of a study's trials: rows, and how they are written and shown."""

from tuning.leaderboard._board import Leaderboard
from tuning.leaderboard._build import build_leaderboard
from tuning.leaderboard._choose import choose_trial
from tuning.leaderboard._rows import LeaderboardRow
from tuning.leaderboard.number import format_number

__all__ = ["Leaderboard", "LeaderboardRow", "build_leaderboard", "choose_trial", "format_number"]
