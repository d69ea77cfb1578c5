"""`Study`: the same job from Python, with pandas objects in and out."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pandas as pd

from tuning.config import set_entry, validate_config
from tuning.data import Rows, SplitMethod, column_name, keepable, table_to_keep
from tuning.errors import ConfigError, DataError, RecordError
from tuning.leaderboard import Leaderboard
from tuning.progress import make_view
from tuning.storage import DEFAULT_STORAGE, Place, without_secrets
from tuning.study._audit import Finding, audit
from tuning.study._conclude import read_leaderboard
from tuning.study._predict import open_predictor
from tuning.study._run import Outcome, one_at_a_time, run_study
from tuning.study._setup import PreparedStudy, read_header, set_up
from tuning.study._take_up import take_up

logger = logging.getLogger(__name__)

_PLACES = {
    "target": "data.target",
    "task": "data.task",
    "time": "data.time",
    "series": "data.series",
    "horizon": "data.horizon",
    "season": "data.season",
    "embedding_prefixes": "data.embedding_prefixes",
    "trials": "search.trials",
    "total_trials": "search.total_trials",
    "time_budget": "search.time_budget_s",
    "seed": "search.seed",
    "sampler": "search.sampler",
    "pruner": "pruning.pruner",
    "storage": "storage.folder",
    "keep_trials": "storage.keep_trials",
    "max_concurrent": "resources.max_concurrent",
    "tensorboard": "monitoring.tensorboard",
    "mlflow": "monitoring.mlflow",
}

_GIVEN_BY = {"data.path": "Study.resume(data=...)"}


class Study:
    """A tuning study: run it, resume it, look at it, predict with it.

    In a notebook::

        study = Study("abalone", data="abalone.csv", target="rings", metric="rmse", trials=10)
        study.run()
        study.leaderboard()
        study.predict(new_rows)

    Args:
        name: name of the study and of its folder.
        data: path of a table; or a DataFrame, a dict of columns or a list of dicts, which is kept as Parquet
            in the study's own folder; an index with a name becomes a column.
        target: column to predict; a label of a DataFrame as it is or as text.
        models: family names, paths of model files, or "all".
        metric: what is searched on; None: the task's default.
        storage: folder of the study folders, or the URI of their place in an object store.
        quiet: show no progress.
        **settings: `task`, `trials`, `total_trials`, `time_budget` ("10m"), `seed`, `sampler`,
            `pruner`, `max_concurrent`, `keep_trials` (5: models of each family's best five alone),
            `embedding_prefixes`; of forecasting `time`, `series`, `horizon`, `season`; `address` of a Ray
            cluster (a Ray that this process is connected to is used, and left running); or a whole section of
            the configuration as a mapping (`split={"folds": 5}`).
    """

    def __init__(
        self,
        name: str,
        *,
        data: Rows,
        target: Hashable,
        models: str | Sequence[str] = "all",
        metric: str | None = None,
        storage: Place = DEFAULT_STORAGE,
        quiet: bool = False,
        **settings: Any,
    ) -> None:
        _check_place(name, storage)
        self._frame = table_to_keep(data)
        path = str(data) if self._frame is None else "DataFrame"
        raw: dict[str, Any] = {"name": name, "models": models, "metric": metric, "data": {"path": path}}
        _place(raw, {"target": target, "storage": str(storage), **settings})
        self._config = validate_config(raw, "Study")
        self._storage = storage
        self._quiet = quiet
        self.name = name

    @classmethod
    def open(cls, name: str, storage: Place = DEFAULT_STORAGE, *, quiet: bool = False) -> Self:
        """A study that exists already.

        Raises:
            InputError: there is no such study.
        """
        _check_place(name, storage)
        header, _ = read_header(storage, name)
        study = cls.__new__(cls)
        study._config, study._storage, study._quiet, study.name = header.config, storage, quiet, name
        study._frame = None
        return study

    def run(self) -> Self:
        """Set the study up and run it to its end.

        Raises:
            InputError: the input is wrong, or the name is taken (use `Study.open(...).resume()`).
        """
        with one_at_a_time(self.name):
            self._tell(run_study(self._set_up(), make_view(quiet=self._quiet)))
        return self

    def resume(
        self,
        *,
        trials: int | None = None,
        total_trials: int | None = None,
        time_budget: str | float | None = None,
        models: Sequence[str] = (),
        data: str | Path | None = None,
    ) -> Self:
        """Go on with an interrupted study, or extend a finished one.

        Args:
            trials: trials per family in all.
            total_trials: trials over all families in all.
            time_budget: further time, in seconds or like "10m".
            models: families to add.
            data: where the study's table is now, if it was moved.

        Raises:
            InputError: there is no such study, another process runs it, or its data are gone or changed.
        """
        if isinstance(data, pd.DataFrame):
            raise DataError("Study.resume(data=...): this is the path of the file with the study's table.")
        changes: dict[str, Any] = {}
        _place(changes, {"trials": trials, "total_trials": total_trials, "time_budget": time_budget})
        with one_at_a_time(self.name):
            prepared = take_up(self._storage, self.name, changes, models, data=data, given_by=_GIVEN_BY)
            outcome = run_study(
                prepared,
                make_view(quiet=self._quiet),
                new_time_budget=time_budget is not None,
                new_trials=trials is not None or total_trials is not None,
            )
            self._tell(outcome)
        return self

    def _set_up(self) -> PreparedStudy:
        return set_up(self._config, frame=self._table())

    def _table(self) -> pd.DataFrame | None:
        """Return the DataFrame with its index among the columns, and say what became of that."""
        if self._frame is None:
            return None
        split = self._config.split
        column = split.column if split.method is SplitMethod.TIME else None
        kept, notes = keepable(self._frame, (*self._config.data.time, *([column] if column else ())))
        for note in notes:
            logger.warning("Study.data: %s", note)
        return kept

    def _tell(self, outcome: Outcome) -> None:
        """What the command line prints beside the leaderboard."""
        if outcome.notice is not None:
            logger.warning("%s: %s", self.name, outcome.notice)
        if outcome.interrupted:
            logger.warning(
                "Interrupted; nothing is lost. Go on with Study.open(%r, %r).resume().",
                self.name,
                without_secrets(self._storage),
            )

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

    def predict(
        self,
        data: Rows | None = None,
        model: str = "best",
        *,
        device: str = "cpu",
        allow_unknown: bool = False,
    ) -> pd.DataFrame:
        """Predict new rows, or the forecast that follows them.

        Args:
            data: rows with the columns that the study was trained on: a DataFrame, a Series (one row, or the
                one column), a dict (one row, or columns), a list of dicts, or the path of a file. Columns may
                stand in its index. Of series, their latest part, and what is known of the time to come; None:
                forecast from the end of the study's own data.
            model: `best`, a family (its best trial), a trial's id, or `refit` (the final fit).
            device: `cpu` or `cuda`.
            allow_unknown: predict also where nearly all of a column that the model was trained on holds
                values that it does not know or that cannot be read.

        Returns:
            A row for each of `data`, at its index, so that `data["p"] = study.predict(data)["prediction"]`
            is right: `prediction`, and for classes the probability of each. Of series a row for each step
            that is forecast, at the index of its row in `data` where there is one, and an empty prediction
            for rows that no forecast reaches.

        Raises:
            InputError: there is no such trial or device, a column is missing or not understood, or
                `data` is something else.
        """
        header, folder = read_header(self._storage, self.name)
        _, predictor = open_predictor(header, folder, model, device=device)
        return predictor.predict(data, allow_unknown=allow_unknown)

    def audit(self) -> tuple[Finding, ...]:
        """Disagreements between the record and the study folder; empty when all is well."""
        header, folder = read_header(self._storage, self.name)
        return audit(header, folder)

    def _leaderboard(self) -> Leaderboard:
        header, folder = read_header(self._storage, self.name)
        with header.open_store(folder) as store:
            return read_leaderboard(header, store)


def _check_place(name: object, storage: object) -> None:
    """Refuse what names no study: as text, `None` would be a folder of that name."""
    if not isinstance(name, str):
        raise ConfigError(f"Study.name: this is the name of a study, as text, not {name!r:.60}.")
    if not isinstance(storage, str | Path):
        raise ConfigError(
            f"Study.storage: this is the path or the URI of the folder of the studies, not {storage!r:.60}: "
            f"give one, or leave it out for {DEFAULT_STORAGE!r}."
        )


def _place(raw: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Put settings where the configuration has them; a section is merged into what is there."""
    for name, given in settings.items():
        key, value = _PLACES.get(name, name), _as_text(name, given)
        if isinstance(value, Mapping):
            for entry, inner in value.items():
                set_entry(raw, (key, entry), inner)
        elif value is not None:
            set_entry(raw, key, value)


def _as_text(setting: str, value: Any) -> Any:
    """The labels of columns that a setting names as the names that a file has; another setting as it is."""
    if value is None or setting not in ("target", "time", "series"):
        return value
    if setting != "target" and isinstance(value, list | tuple):
        return [column_name(label) for label in value]
    return column_name(value)
