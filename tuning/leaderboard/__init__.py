"""The ranking of a study's trials: rows, and how they are written and shown."""

from tuning.leaderboard._board import Leaderboard, LeaderboardRow
from tuning.leaderboard._build import build_leaderboard
from tuning.leaderboard.number import format_number

__all__ = ["Leaderboard", "LeaderboardRow", "build_leaderboard", "format_number"]
