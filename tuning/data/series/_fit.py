"""Fitting the transform of series on the training time of one fold, and the tables of its parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tuning.data._dense import DenseEncoder, is_one_hot
from tuning.data._offers import setting
from tuning.data._prepared import Fold
from tuning.data._target import fit_target_transform
from tuning.data.config import TargetConfig
from tuning.data.series._calendar import calendar_fields, circle_names
from tuning.data.series._cut import FoldSpans, Span
from tuning.data.series._features import FeaturePlan
from tuning.data.series._history import CovariateRole, History
from tuning.data.series._kept import ended_before
from tuning.data.series._origins import Origins, origins_within
from tuning.data.series._panel import CovariateScale, PanelRecipe
from tuning.data.series._read_series import SeriesReading
from tuning.data.series._scaling import Scaling, fit_scaling
from tuning.data.series._season import Seasons, level_width
from tuning.data.series._transform import SeriesTransform, kept_history, make_windows
from tuning.data.series._weights import loss_weights
from tuning.errors import DataError
from tuning.metrics import Metric
from tuning.models import Panel, Schema, SeriesSchema, Table, TargetTransform, Task, Windows

FEWEST_WINDOWS = 10
_MOST_VALID_ROWS = 20_000
_MOST_TEST_ROWS = 100_000


@dataclass(frozen=True)
class FitSettings:
    """What fitting needs beside the series."""

    target: TargetConfig
    metric: Metric
    horizon: int
    seasons: Seasons
    max_train_rows: int
    seed: int


def fit_fold(
    reading: SeriesReading, spans: FoldSpans, settings: FitSettings, kept: SeriesTransform | None = None
) -> Fold:
    """Fit on training time, and make the tables of the three parts.

    Args:
        reading: the whole series; what was decided on them was so by training time.
        spans: of the parts.
        settings: of the study.
        kept: the transform that was fitted on this training time before; None: fit it.

    Raises:
        DataError: too few windows to train or score on, or targets that the metric or scale cannot have.
    """
    history = reading.history
    _check_metric(history, spans, settings.metric)
    observed = np.isfinite(history.target)
    train = _origins(observed, spans.train, settings, settings.max_train_rows)
    _check_windows(train, spans, settings.horizon)
    transform, panel, table = (
        _fit(reading, spans, settings, train) if kept is None else _again(reading, settings, train, kept)
    )
    scored = [
        _scored_table(transform, panel, history, span, _origins(observed, span, settings, max_rows), name)
        for name, span, max_rows in (
            ("valid", spans.valid, _MOST_VALID_ROWS),
            ("test", spans.test, _MOST_TEST_ROWS),
        )
    ]
    return Fold(transform.schema, transform, table, *scored)


def _again(
    reading: SeriesReading, settings: FitSettings, train: Origins, kept: SeriesTransform
) -> tuple[SeriesTransform, Panel, Table]:
    """Return a kept transform, its panel and the table of the training windows."""
    panel = kept.recipe.panel(reading.history)
    windows = make_windows(panel, train, kept.scaling, kept.recipe.transform)
    target, weight = standardised_targets(windows, reading.history), loss_weights(windows, settings.metric)
    return kept, panel, replace(kept.table(windows), target=target, weight=weight)


def _fit(
    reading: SeriesReading, spans: FoldSpans, settings: FitSettings, train: Origins
) -> tuple[SeriesTransform, Panel, Table]:
    """Fit the transform of a training time; return it, its panel and the table of the training windows."""
    history, end = reading.history, spans.train.end
    scale = _window_transform(history, spans, settings)
    seen = np.unique(train.series)
    names = tuple(history.names[series] for series in seen)
    recipe = PanelRecipe(
        transform=scale,
        covariates=tuple(CovariateScale.fit(covariate, end, seen) for covariate in history.covariates),
        circles=circle_names(history.times[:end]),
        seen=names,
    )
    panel = recipe.panel(history)
    width = level_width(history.frequency, settings.seasons)
    training = history.target[seen, :end]
    scaling = fit_scaling(names, training, scale, settings.seasons.first, width, settings.horizon)
    windows = make_windows(panel, train, scaling, scale)
    plan = FeaturePlan(
        seasons=settings.seasons,
        known=recipe.names(CovariateRole.KNOWN),
        past=recipe.names(CovariateRole.PAST),
        static=recipe.names(CovariateRole.STATIC),
        calendar=calendar_fields(history.times[:end]),
    )
    transform, table = _fit_transform(reading, recipe, scaling, plan, windows, settings)
    return transform, panel, table


def _scored_table(
    transform: SeriesTransform, panel: Panel, history: History, span: Span, origins: Origins, name: str
) -> Table:
    """The validation or test; empty where none was asked for."""
    if len(span):
        _check_scored(origins, name, span)
    windows = make_windows(panel, origins, transform.scaling, transform.recipe.transform)
    return replace(transform.table(windows), target=standardised_targets(windows, history))


def _fit_transform(
    reading: SeriesReading,
    recipe: PanelRecipe,
    scaling: Scaling,
    plan: FeaturePlan,
    windows: Windows,
    settings: FitSettings,
) -> tuple[SeriesTransform, Table]:
    """The transform, and the table of the training windows."""
    names, features = plan.columns(windows)
    used = _varying(features)
    numeric = np.ascontiguousarray(features[:, used])
    schema = _schema(recipe, settings, tuple(names[place] for place in used))
    dense = DenseEncoder.fit(numeric.astype(np.float64), schema.cardinalities, settings.seed)
    z = standardised_targets(windows, reading.history)
    std = float(z.std())
    kept = kept_history(reading.history, plan, settings.horizon)
    transform = SeriesTransform(
        columns=reading.spec,
        recipe=recipe,
        scaling=scaling,
        plan=plan,
        dense=dense,
        schema=replace(
            schema,
            dense_width=dense.width,
            target=TargetTransform(mean=float(z.mean()), std=std if std > 0 else 1.0),
        ),
        history=kept,
        ended=ended_before(reading.history, kept),
    )
    table = transform.encoded(windows, numeric)
    return transform, replace(table, target=z, weight=loss_weights(windows, settings.metric))


def _schema(recipe: PanelRecipe, settings: FitSettings, numeric: tuple[str, ...]) -> Schema:
    n_series = len(recipe.seen)
    categorical = ("series",) if n_series > 1 else ()
    return Schema(
        task=Task.FORECASTING,
        loss=settings.metric.loss,
        numeric=numeric,
        categorical=categorical,
        cardinalities=(n_series,) * len(categorical),
        one_hot=(is_one_hot(n_series),) * len(categorical),
        series=SeriesSchema(
            horizon=settings.horizon,
            season=settings.seasons.first,
            n_series=n_series,
            past=recipe.names(CovariateRole.PAST),
            known=(*recipe.names(CovariateRole.KNOWN), *recipe.circles),
            static=recipe.names(CovariateRole.STATIC),
        ),
    )


def _window_transform(history: History, spans: FoldSpans, settings: FitSettings) -> TargetTransform:
    """The scale to train on, by training time alone; all targets must lie on it."""
    y = history.target
    config = settings.target
    training = y[:, : spans.train.end]
    with np.errstate(invalid="ignore"):  # what has no logarithm is refused below
        fitted = fit_target_transform(training[np.isfinite(training)], config, settings.metric)
    lowest = float(np.nanmin(y))
    if fitted.clip_min is not None and lowest < fitted.clip_min:
        no_scale, lower = setting("target.transform", "none"), setting("target.clip_min", f"{lowest:g}")
        way_out = f"give {no_scale if config.clip_min is None else lower}"
        raise DataError(
            f"Forecasts would be at least {fitted.clip_min:g}, but a target is {lowest:g}: {way_out}."
        )
    if fitted.log1p and lowest <= -1:
        raise DataError(
            f"target.transform=log1p needs targets above -1, the lowest is {lowest:g}: give "
            f"{setting('target.transform', 'none')}."
        )
    return TargetTransform(log1p=fitted.log1p, clip_min=fitted.clip_min)


def _origins(observed: npt.NDArray[np.bool_], span: Span, settings: FitSettings, max_rows: int) -> Origins:
    return origins_within(observed, span, settings.horizon, settings.seasons, max_rows)


def standardised_targets(windows: Windows, history: History) -> npt.NDArray[np.float64]:
    """(n,) targets of the rows, on the scale of their windows."""
    window = windows.window_of_row
    y = history.target[windows.series[window], windows.origin[window] + windows.step_of_row]
    z = (windows.transform.forward(y) - windows.location[window]) / windows.scale[window]
    return np.asarray(z, dtype=np.float64)


def _varying(features: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Positions of the columns that hold more than one value."""
    known = np.isfinite(features)
    low = np.where(known, features, np.inf).min(axis=0)
    high = np.where(known, features, -np.inf).max(axis=0)
    return np.flatnonzero((low < high) | ((low == high) & ~known.all(axis=0)))


def _check_metric(history: History, spans: FoldSpans, metric: Metric) -> None:
    for span in (spans.valid, spans.test):
        y = history.target[:, span.start : span.end]
        if np.isfinite(y).any():
            metric.check_target(y[np.isfinite(y)])


def _check_windows(train: Origins, spans: FoldSpans, horizon: int) -> None:
    if len(train) < FEWEST_WINDOWS:
        raise DataError(
            f"There are {len(train)} windows to train on in the {len(spans.train)} time steps before the "
            f"validation, at least {FEWEST_WINDOWS} are needed: lower split.test, split.valid or the horizon "
            f"of {horizon}."
        )


def _check_scored(origins: Origins, name: str, span: Span) -> None:
    if not len(origins):
        raise DataError(
            f"split.{name}: no series has a known target there after a known value ({len(span)} time steps): "
            f"set a larger split.{name}."
        )
