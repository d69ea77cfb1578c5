"""Pictures of forecasts: the error by step ahead, and forecasts against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tuning.figures._style import GREY, ORANGE, PART_COLOURS, PART_NAMES, new_figure, tidy

Parts = Mapping[str, Mapping[str, Any]]

_MOST_SERIES = 6
_MOST_FORECASTS = 8
_COLUMNS = 2


def step_errors(title: str, metric: str, parts: Parts) -> Figure:
    """The error of each step ahead."""
    figure = new_figure(6.4, 4.0, f"{title}: {metric} by step ahead")
    axes = figure.subplots()
    for part, details in parts.items():
        known = {int(step): scores.get(metric) for step, scores in details["steps"].items()}
        points = {step: value for step, value in known.items() if value is not None}
        axes.plot(
            list(points),
            list(points.values()),
            color=PART_COLOURS[part],
            marker="o",
            markersize=4,
            label=PART_NAMES[part],
        )
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("steps ahead", fontsize=9)
    axes.set_ylabel(metric, fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    tidy(axes)
    return figure


def forecasts_and_truth(title: str, predictions: pd.DataFrame) -> Figure:
    """A few series, from the most to the least wrong, with forecasts that do not overlap.

    Args:
        title: what the picture is of.
        predictions: `series`, `origin`, `time`, `target` and `output_0` of the validation rows.
    """
    names = _spread_of_errors(predictions)
    rows = -(-len(names) // _COLUMNS)
    columns = min(_COLUMNS, len(names))
    figure = new_figure(4.6 * columns + 1.2, 2.3 * rows + 1.0, f"{title}: forecasts of validation windows")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        _series(axes, predictions[predictions["series"] == name])
        axes.set_title(str(name).replace("$", r"\$"), fontsize=9, loc="left")
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure


def _spread_of_errors(predictions: pd.DataFrame) -> list[Any]:
    """Series evenly spread over all by their error relative to their size, the worst first."""
    error = (predictions["target"] - predictions["output_0"]).abs()
    sums = pd.DataFrame({"error": error, "size": predictions["target"].abs()})
    totals = sums.groupby(predictions["series"].to_numpy(), sort=False).sum()
    relative = totals["error"] / totals["size"].where(totals["size"] > 0)
    ranked = relative.sort_values(ascending=False, kind="stable").index
    places = np.linspace(0, len(ranked) - 1, min(_MOST_SERIES, len(ranked))).round().astype(int)
    return [ranked[place] for place in places]


def _series(axes: Axes, rows: pd.DataFrame) -> None:
    truth = rows.drop_duplicates("time").sort_values("time")
    axes.plot(truth["time"], truth["target"], color=GREY, linewidth=1.4, label="truth")
    for number, window in enumerate(_apart(rows)):
        axes.plot(
            window["time"],
            window["output_0"],
            color=ORANGE,
            linewidth=1.6,
            marker="o",
            markersize=2.5,
            label="forecast" if number == 0 else None,
        )
    locator = AutoDateLocator(maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    tidy(axes)


def _apart(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The latest windows of a series that do not overlap each other, oldest first."""
    chosen: list[pd.DataFrame] = []
    for origin in sorted(rows["origin"].unique(), reverse=True):
        window = rows[rows["origin"] == origin].sort_values("time")
        if not chosen or window["time"].max() < chosen[-1]["time"].min():
            chosen.append(window)
    return chosen[:_MOST_FORECASTS][::-1]
