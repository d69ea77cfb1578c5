"""The learning curve."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tuning.figures._style import BLUE, ORANGE, new_figure, tidy
from tuning.leaderboard.number import format_number
from tuning.metrics import Direction


def learning_curve(title: str, metric: str, direction: Direction, values: Mapping[int, float]) -> Figure:
    """The validation score by iteration, with its best point.

    Args:
        title: what the picture is of.
        metric: name of the score.
        direction: whether low or high scores are better.
        values: score by iteration, at least one.
    """
    figure = new_figure(6.4, 4.0, f"{title}: learning curve")
    axes = figure.subplots()
    axes.plot(list(values), list(values.values()), color=BLUE, marker="o", markersize=3.5, linewidth=1.6)
    pick = min if direction is Direction.MINIMIZE else max
    best = pick(values, key=values.__getitem__)
    label = f"best: {format_number(values[best])} at {best}"
    axes.plot([best], [values[best]], "o", color=ORANGE, markersize=8, label=label)
    axes.set_xlabel("iteration", fontsize=9)
    axes.set_ylabel(f"validation {metric}", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(fontsize=8, frameon=False)
    tidy(axes)
    return figure
