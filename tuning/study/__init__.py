"""The main job: set up, run, resume, audit, predict.

What trains brings Ray with it, seconds that a look at a leaderboard need not wait for; it is imported when
it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tuning.leaderboard import choose_trial
from tuning.study._audit import Finding, audit
from tuning.study._bundle import Predictor, load_predictor
from tuning.study._conclude import read_leaderboard
from tuning.study._device import Device, check_device
from tuning.study._file import StudyFile
from tuning.study._final_fit import REFIT, Refit, load_refit
from tuning.study._pages import Page, PageState, find_pages
from tuning.study._predict import open_predictor
from tuning.study._setup import PreparedStudy, StudyHeader, read_header, set_up, write_header
from tuning.study._take_up import take_up

if TYPE_CHECKING:
    from tuning.study._refit import refit
    from tuning.study._run import Outcome, run_study
    from tuning.study._study import Study

__all__ = [
    "REFIT",
    "Device",
    "Finding",
    "Outcome",
    "Page",
    "PageState",
    "Predictor",
    "PreparedStudy",
    "Refit",
    "Study",
    "StudyFile",
    "StudyHeader",
    "audit",
    "check_device",
    "choose_trial",
    "find_pages",
    "load_predictor",
    "load_refit",
    "open_predictor",
    "read_header",
    "read_leaderboard",
    "refit",
    "run_study",
    "set_up",
    "take_up",
    "write_header",
]

_WITH_RAY = {"Outcome": "_run", "Study": "_study", "refit": "_refit", "run_study": "_run"}


def __getattr__(name: str) -> object:
    if name not in _WITH_RAY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WITH_RAY[name]}"), name)
