"""The main job: set up, run, resume, audit, predict."""

from tuning.study._audit import Finding, audit
from tuning.study._bundle import Predictor, load_predictor
from tuning.study._run import Outcome, all_failed, read_leaderboard, run_study
from tuning.study._setup import PreparedStudy, StudyHeader, read_header, set_up, take_up
from tuning.study._study import Study, choose_trial, search_changes

__all__ = [
    "Finding",
    "Outcome",
    "Predictor",
    "PreparedStudy",
    "Study",
    "StudyHeader",
    "all_failed",
    "audit",
    "choose_trial",
    "load_predictor",
    "read_header",
    "read_leaderboard",
    "run_study",
    "search_changes",
    "set_up",
    "take_up",
]
