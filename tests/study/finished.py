"""Whole studies in a folder, run without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.session.study_runs import Study as Driver
from tests.session.study_runs import twin_families
from tests.trial.rows import small_frame
from tuning.config import validate_config
from tuning.execution.search import FamilySearch
from tuning.leaderboard import Leaderboard
from tuning.session import Session
from tuning.store import Store
from tuning.study import PreparedStudy, set_up
from tuning.study._bundle import save_transforms
from tuning.study._clock import RunClock
from tuning.study._conclude import conclude
from tuning.trial import FoldRows


def prepare(folder: Path, **sections: Any) -> PreparedStudy:
    """A study of two families on a small table."""
    folder.mkdir(exist_ok=True)
    small_frame().to_csv(folder / "table.csv", index=False)
    twin_families(folder, "one", "two")
    raw = {
        "name": "demo",
        "data": {"path": str(folder / "table.csv"), "target": "y"},
        "models": [str(folder / "one.py"), str(folder / "two.py")],
        "metric": "rmse",
        "storage": {"folder": str(folder / "studies")},
        "pruning": {"max_iterations": 9},
        "search": {"trials": 2, "startup_trials": 3},
    }
    return set_up(validate_config(raw | sections, "test"))


def open_store(study: PreparedStudy) -> Store:
    return study.header.open_store(study.folder)


class Run:
    """One run of a study, in steps."""

    def __init__(self, study: PreparedStudy) -> None:
        self.study = study
        self.store = open_store(study)
        header = study.header
        for family in header.families:
            self.store.add_family(family.name)
        self.store.set_study(header.identity)
        self.clock = RunClock(self.store, None)
        self.session = Session(
            header.config,
            header.families,
            self.store,
            study.folder,
            lambda family: FamilySearch(header.config.search, family, header.direction),
        )
        save_transforms(study)

    def train(self, *, stop_after: int = 10**9) -> None:
        """Run the trials; after so many reports ask them to stop."""
        driver = Driver.__new__(Driver)
        driver.families, driver.folder = self.study.header.families, self.study.folder
        driver.metric = self.study.data.metric
        rows = tuple(FoldRows(fold.schema, fold.train, fold.valid) for fold in self.study.data.folds)
        for count, _ in enumerate(driver.reports(self.session, rows=rows), 1):
            if count == stop_after:
                self.session.stop()
        self.study.folder.stop_file.unlink(missing_ok=True)

    def end(self) -> Leaderboard:
        leaderboard = conclude(self.study, self.store)
        self.clock.end()
        return leaderboard


def run(study: PreparedStudy, *, stop_after: int = 10**9) -> Leaderboard:
    """A run from its start to its end."""
    this = Run(study)
    this.train(stop_after=stop_after)
    return this.end()
