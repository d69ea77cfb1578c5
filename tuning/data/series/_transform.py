"""From series to the tables of forecasts that models see, by what was fitted on training time."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data._dense import DenseEncoder
from tuning.data._frame import Wanted
from tuning.data._state import load_encoders, save_encoders, schema_from_json
from tuning.data.series._continue import Continuation, continuation, listed
from tuning.data.series._features import FeaturePlan
from tuning.data.series._history import CovariateRole, History
from tuning.data.series._kept import load_history, save_history, tail
from tuning.data.series._origins import Origins, latest_origins
from tuning.data.series._panel import CovariateScale, PanelRecipe
from tuning.data.series._placing import placed
from tuning.data.series._read_series import SeriesColumns, read_like
from tuning.data.series._rows import SERIES_JOINT
from tuning.data.series._scaling import Scaling
from tuning.data.series._season import Seasons
from tuning.data.series._time_parts import TimePart
from tuning.errors import DataError
from tuning.models import Panel, Schema, Table, TargetTransform, Windows
from tuning.models.errors import CheckpointError

STATE_FILE = "series.json"
_LEAST_STEPS_KEPT = 1000  # of the history, for networks that look far back
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeriesTransform:
    """What was fitted on the training time of one fold, and the end of the series to go on from.

    Attributes:
        columns: how a file is read.
        recipe: fills and scales what was read.
        scaling: location and scale of windows.
        plan: the features there can be; `schema.numeric` names those that are used.
        dense: the encoding of features for networks.
        schema: describes the tables that `apply` makes.
        history: the end of all series that the study used.
        ended: series of which that end has no target, and when they ended.
    """

    columns: SeriesColumns
    recipe: PanelRecipe
    scaling: Scaling
    plan: FeaturePlan
    dense: DenseEncoder
    schema: Schema
    history: History
    ended: Mapping[str, str] = field(default_factory=dict)

    @property
    def horizon(self) -> int:
        """H, steps that are forecast at once."""
        return self.scaling.horizon

    @property
    def wanted(self) -> Wanted:
        """The columns of times, series and covariates; an index can stand for a single column of times."""
        spec = self.columns
        times = [column.name for column in spec.time if column.part is TimePart.STAMP]
        return Wanted(
            features=tuple(name for name in spec.names if name != spec.target),
            times=tuple(times) if len(spec.time) == 1 else (),
            target=spec.target,
        )

    def apply(self, frame: pd.DataFrame | None) -> Table:
        """Make one forecast per series of the table, from its last known target, of all H steps.

        Rows of series that the study knows are put after what it knows of them, and win where both have a
        value; other series have their own rows alone. Covariates known in advance are taken from rows after
        the origin; where there are none, the last value is taken. A series without a known target is left
        out, with a warning.

        Args:
            frame: rows as the file has them; None: all series go on from the end of the training data.

        Raises:
            DataError: a column is missing, rows are no series, no series has a known target, or all rows to
                forecast lie beyond the horizon.
        """
        found = self._continued(frame)
        found.warn(self.ended)
        history, origin = found.possible
        self._warn_of_unknown(history, origin)
        origins = latest_origins(origin, self.horizon)
        panel = self.recipe.panel(history)
        return self.table(make_windows(panel, origins, self.scaling, self.recipe.transform))

    def table(self, windows: Windows) -> Table:
        """The rows of windows, without their targets."""
        names, features = self.plan.columns(windows)
        chosen = [names.index(name) for name in self.schema.numeric]
        return self.encoded(windows, np.ascontiguousarray(features[:, chosen]))

    def encoded(self, windows: Windows, numeric: npt.NDArray[np.float32]) -> Table:
        """The rows of windows whose (n, p) features are computed already."""
        codes = series_codes(windows, self.schema)
        return Table(
            numeric=numeric,
            categorical=codes,
            embedding=np.empty((len(numeric), 0), dtype=np.float32),
            dense=self.dense.apply(numeric.astype(np.float64), codes, self.schema.cardinalities),
            windows=windows,
        )

    def labels(self, predictions: npt.NDArray[Any], table: Table | None = None) -> pd.DataFrame:
        """Forecasts as columns for a person.

        Args:
            predictions: (n,) on the original scale.
            table: as `apply` made it.

        Returns:
            n rows: the columns that name the series and the time as in the file, `step` and `prediction`.

        Raises:
            DataError: no table of forecasts is given.
        """
        if table is None or table.windows is None:
            raise DataError("Forecasts can only be labelled with the table that they were made for.")
        windows = table.windows
        window, step = windows.window_of_row, windows.step_of_row
        names = windows.panel.names[windows.series[window]]
        times = windows.panel.times[windows.origin[window] + step]
        return pd.DataFrame(
            {**self._series_labels(names), self.time_name: times, "step": step, "prediction": predictions}
        )

    @property
    def time_name(self) -> str:
        """Name of the column of times in forecasts."""
        return self.columns.time[0].name if len(self.columns.time) == 1 else "time"

    def placed(self, labelled: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
        """Give forecasts the index of the rows that they answer, and rows without a forecast an empty one.

        Args:
            labelled: as `labels` made them from what `apply` made of the frame.
            frame: the rows handed over, at any index.

        Returns:
            In the order of the frame where each forecast has a row there, else by series and step. Forecasts
            without a row have numbers after the last one of a plain index, or the times and series that the
            index holds.
        """
        found = self._continued(frame, tell=False)
        series, step = found.unanswered
        names = np.array(found.history.names, dtype=object)[series]
        unanswered = {**self._series_labels(names), self.time_name: found.history.times[step]}
        return placed(labelled, pd.DataFrame(unanswered), frame, found, self.columns, self.time_name)

    def save(self, folder: Path) -> None:
        """Write into `folder` (created) as JSON, arrays and a skops archive: no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "columns": self.columns.to_json(),
            "recipe": {
                "transform": asdict(self.recipe.transform),
                "covariates": [scale.to_json() for scale in self.recipe.covariates],
                "circles": self.recipe.circles,
                "seen": self.recipe.seen,
            },
            "scaling": self.scaling.to_json(),
            "plan": asdict(self.plan),
            "schema": asdict(self.schema),
            "ended": dict(self.ended),
        }
        (folder / STATE_FILE).write_text(json.dumps(state), encoding="utf-8")
        save_encoders({"numeric": self.dense.numeric, "one_hot": self.dense.one_hot}, folder)
        save_history(self.history, folder)

    @classmethod
    def load(cls, folder: Path) -> SeriesTransform:
        """Read what `save` wrote.

        Raises:
            CheckpointError: the folder is incomplete or damaged, or holds types that are not expected.
        """
        try:
            state = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
            encoders = load_encoders(folder)
            return cls(
                columns=SeriesColumns.from_json(state["columns"]),
                recipe=_recipe_from_json(state["recipe"]),
                scaling=Scaling.from_json(state["scaling"]),
                plan=_plan_from_json(state["plan"]),
                dense=DenseEncoder(encoders["numeric"], encoders["one_hot"]),
                schema=schema_from_json(state["schema"]),
                history=load_history(folder),
                ended=state.get("ended", {}),
            )
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{folder} does not hold a readable series transform: {error}.") from error

    def _continued(self, frame: pd.DataFrame | None, *, tell: bool = True) -> Continuation:
        """The series to forecast, from the rows of a table or from the end of the training data."""
        if frame is not None and frame.empty:
            raise DataError("There are no rows to predict: give the latest rows of the series.")
        newer = None if frame is None else read_like(frame, self.columns, tell=tell)
        return continuation(self.history, newer, self.horizon)

    def _warn_of_unknown(self, history: History, origin: npt.NDArray[np.int64]) -> None:
        """Say which covariates are not given for all of the time to forecast, and of which series."""
        steps = origin[:, np.newaxis] + np.arange(1, self.horizon + 1)  # (S,) -> (S, H)
        missing: dict[str, npt.NDArray[np.bool_]] = {}
        for covariate in history.covariates:
            if covariate.role is CovariateRole.KNOWN:
                values = np.take_along_axis(covariate.values, steps, axis=1)
                missing[covariate.name] = np.asarray(np.isnan(values).any(axis=1))
        self._warn_of_unknown_statics(history)
        lacking = [name for name, of_series in missing.items() if of_series.any()]
        if lacking:
            series = np.flatnonzero(np.any([missing[name] for name in lacking], axis=0))
            names = [repr(history.names[place]) for place in series]
            _LOGGER.warning(
                "%s: not given for all %d steps to forecast%s, the last value is used there; give rows with "
                "them and without a target.",
                ", ".join(lacking),
                self.horizon,
                f" of {listed(names)}" if len(series) < len(history.names) else "",
            )

    def _warn_of_unknown_statics(self, history: History) -> None:
        """Say which series that were not in training come without what does not change over time."""
        new = np.array([name not in self.recipe.seen for name in history.names])
        for covariate in history.covariates:
            if covariate.role is CovariateRole.STATIC and (lacking := new & np.isnan(covariate.values)).any():
                names = [repr(history.names[place]) for place in np.flatnonzero(lacking)]
                _LOGGER.warning(
                    "%s: not given for %s, which training did not have: its mean is used.",
                    covariate.name,
                    listed(names),
                )

    def _series_labels(self, names: npt.NDArray[np.object_]) -> dict[str, npt.NDArray[Any]]:
        """The columns that name the series, whole numbers as such."""
        columns = self.columns.series
        if not columns:
            return {}
        parts = [name.split(SERIES_JOINT) if len(columns) > 1 else [name] for name in names]
        return {
            column: _as_whole_numbers([part[place] for part in parts]) for place, column in enumerate(columns)
        }


def make_windows(panel: Panel, origins: Origins, scaling: Scaling, transform: TargetTransform) -> Windows:
    """Windows with their location, scale and naive error."""
    at = (origins.series, origins.origin)
    return Windows(
        panel=panel,
        series=origins.series,
        origin=origins.origin,
        mask=origins.mask,
        location=scaling.locations(panel, *at),
        scale=scaling.scale_of(panel, *at),
        naive_error=scaling.naive_error_of(panel, *at, transform),
        transform=transform,
    )


def series_codes(windows: Windows, schema: Schema) -> npt.NDArray[np.int32]:
    """(n, 1) code of each row's series, or (n, 0) of a single one."""
    codes = windows.panel.codes[windows.series[windows.window_of_row]][:, np.newaxis]
    return np.ascontiguousarray(codes[:, : len(schema.categorical)], dtype=np.int32)


def kept_history(history: History, plan: FeaturePlan, horizon: int) -> History:
    """What a transform keeps of the data."""
    return tail(history, max(plan.reach + 2 * horizon, _LEAST_STEPS_KEPT))


def _as_whole_numbers(labels: list[str]) -> npt.NDArray[Any]:
    """The labels as integers where they read and are written the same."""
    if all(label.isascii() and label.isdigit() and str(int(label)) == label for label in labels):
        return np.array(labels, dtype=np.int64)
    return np.array(labels, dtype=object)


def _recipe_from_json(value: dict[str, Any]) -> PanelRecipe:
    return PanelRecipe(
        transform=TargetTransform(**value["transform"]),
        covariates=tuple(map(CovariateScale.from_json, value["covariates"])),
        circles=tuple(value["circles"]),
        seen=tuple(value["seen"]),
    )


def _plan_from_json(value: dict[str, Any]) -> FeaturePlan:
    names = {name: tuple(value[name]) for name in ("known", "past", "static", "calendar")}
    return FeaturePlan(Seasons(**value["seasons"]), **names)
