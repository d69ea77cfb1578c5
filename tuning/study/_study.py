"""`Study`: the same job from Python, with pandas objects in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd

from tuning.config import validate_config
from tuning.errors import ConfigError, RecordError
from tuning.leaderboard import Leaderboard
from tuning.progress import make_view
from tuning.session import StudyFolder
from tuning.study._audit import Finding, audit
from tuning.study._bundle import load_predictor
from tuning.study._run import read_leaderboard, run_study
from tuning.study._setup import read_header, refuse_existing, set_up, take_up

_PLACES = {
    "target": "data.target",
    "task": "data.task",
    "trials": "search.trials",
    "total_trials": "search.total_trials",
    "time_budget": "search.time_budget_s",
    "seed": "search.seed",
    "sampler": "search.sampler",
    "pruner": "pruning.pruner",
    "storage": "storage.folder",
    "max_concurrent": "resources.max_concurrent",
}


class Study:
    """A tuning study: run it, resume it, look at it, predict with it.

    In a notebook::

        study = Study("abalone", data="abalone.csv", target="rings", metric="rmse", trials=10)
        study.run()
        study.leaderboard()
        study.predict(new_rows)

    Args:
        name: name of the study and of its folder.
        data: path of a table, or a DataFrame (kept as Parquet beside the study folder).
        target: column to predict.
        models: family names, paths of model files, or "all".
        metric: what is searched on; None: the task's default.
        storage: folder of the study folders.
        quiet: show no progress.
        **settings: `task`, `trials`, `total_trials`, `time_budget` ("10m"), `seed`, `sampler`,
            `pruner`, `max_concurrent`; or a whole section of the configuration as a mapping
            (`split={"folds": 5}`).
    """

    def __init__(
        self,
        name: str,
        *,
        data: str | Path | pd.DataFrame,
        target: str,
        models: str | Sequence[str] = "all",
        metric: str | None = None,
        storage: str | Path = "studies",
        quiet: bool = False,
        **settings: Any,
    ) -> None:
        path = _keep_frame(data, Path(storage), name) if isinstance(data, pd.DataFrame) else str(data)
        raw: dict[str, Any] = {"name": name, "models": models, "metric": metric, "data": {"path": path}}
        _place(raw, {"target": target, "storage": str(storage), **settings})
        self._config = validate_config(raw, "Study")
        self._storage = Path(storage)
        self._quiet = quiet
        self.name = name

    @classmethod
    def open(cls, name: str, storage: str | Path = "studies", *, quiet: bool = False) -> Self:
        """A study that exists already.

        Raises:
            InputError: there is no such study.
        """
        header, _ = read_header(Path(storage), name)
        study = cls.__new__(cls)
        study._config, study._storage, study._quiet, study.name = header.config, Path(storage), quiet, name
        return study

    def run(self) -> Self:
        """Set the study up and run it to its end.

        Raises:
            InputError: the input is wrong, or the name is taken (use `Study.open(...).resume()`).
        """
        run_study(set_up(self._config), make_view(quiet=self._quiet))
        return self

    def resume(
        self,
        *,
        trials: int | None = None,
        time_budget: str | float | None = None,
        models: Sequence[str] = (),
    ) -> Self:
        """Go on with an interrupted study, or extend a finished one.

        Args:
            trials: trials per family in all.
            time_budget: further time, in seconds or like "10m".
            models: families to add.
        """
        changes = search_changes(trials, time_budget)
        prepared = take_up(self._storage, self.name, changes, models)
        run_study(prepared, make_view(quiet=self._quiet), new_time_budget=time_budget is not None)
        return self

    def leaderboard(self) -> pd.DataFrame:
        """Every trial, ranked, one row each."""
        return self._leaderboard().to_frame()

    def best(self) -> pd.Series:
        """The first row of the leaderboard.

        Raises:
            RecordError: no trial has a score.
        """
        frame = self.leaderboard()
        if frame.empty or frame.iloc[0]["rank"] != 1:
            raise RecordError(f"No trial of {self.name} has a score yet.")
        return frame.iloc[0]

    def predict(self, data: pd.DataFrame, model: str = "best", *, device: str = "cpu") -> pd.DataFrame:
        """Predictions for new rows.

        Args:
            data: rows with the columns that the study was trained on.
            model: `best`, a family (its best trial) or a trial's id.
            device: `cpu` or `cuda`.
        """
        header, folder = read_header(self._storage, self.name)
        store = header.open_store(folder)
        record = store.trial(*choose_trial(self._leaderboard(), model))
        store.close()
        return load_predictor(header, folder, record, device=device).predict(data)

    def audit(self) -> tuple[Finding, ...]:
        """Disagreements between the record and the study folder; empty when all is well."""
        header, folder = read_header(self._storage, self.name)
        return audit(header, folder)

    def _leaderboard(self) -> Leaderboard:
        header, folder = read_header(self._storage, self.name)
        store = header.open_store(folder)
        leaderboard = read_leaderboard(header, store)
        store.close()
        return leaderboard


def search_changes(
    trials: int | None = None, time_budget: str | float | None = None, total_trials: int | None = None
) -> dict[str, Any]:
    """The `search` settings that a resume changes."""
    changes = {"trials": trials, "time_budget_s": time_budget, "total_trials": total_trials}
    return {key: value for key, value in changes.items() if value is not None}


def choose_trial(leaderboard: Leaderboard, wanted: str) -> tuple[str, int]:
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


def _place(raw: dict[str, Any], settings: Mapping[str, Any]) -> None:
    for key, value in settings.items():
        section, _, name = _PLACES.get(key, key).partition(".")
        if value is None:
            continue
        if name:
            raw.setdefault(section, {})[name] = value
        elif isinstance(value, Mapping):
            raw[section] = {**raw.get(section, {}), **value}
        else:
            raw[section] = value


def _keep_frame(frame: pd.DataFrame, storage: Path, name: str) -> str:
    """Write a DataFrame where a resume finds it again."""
    if frame.empty:
        raise ConfigError("Study.data: the DataFrame has no rows.")
    refuse_existing(StudyFolder(storage, name))
    path = storage / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)
    return str(path)
