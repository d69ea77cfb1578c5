"""Pictures of a classification: the confusion matrix, and precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuning.figures._style import BLUE, GREEN, ORANGE, PART_NAMES, new_figure, tidy

Parts = Mapping[str, Mapping[str, Any]]

_MOST_NUMBERED = 20
_MOST_BARS = 30
_LONGEST_LABEL = 24
_BARS = {"precision": BLUE, "recall": ORANGE, "f1": GREEN}


def confusion_matrices(title: str, parts: Parts, labels: Sequence[Any]) -> Figure:
    """One matrix a part: the colour is the share of the true class, the number counts rows."""
    size = max(3.6, 0.45 * len(labels) + 1.8)
    width = max(size * len(parts) + 0.6, 6.0)
    figure = new_figure(min(width, 24), min(size + 0.4, 14), f"{title}: confusion matrix")
    image = None
    for axes, (part, details) in zip(_row_of_axes(figure, len(parts)), parts.items(), strict=True):
        image = _matrix(axes, np.array(details["confusion"]), labels)
        axes.set_title(PART_NAMES[part], fontsize=10, loc="left")
    if image is not None:
        bar = figure.colorbar(image, ax=figure.axes, shrink=0.8)
        bar.set_label("share of the true class", fontsize=8)
        bar.ax.tick_params(labelsize=8)
    return figure


def _row_of_axes(figure: Figure, count: int) -> list[Axes]:
    return list(figure.subplots(1, count, squeeze=False)[0])


def _matrix(axes: Axes, counts: np.ndarray[Any, Any], labels: Sequence[Any]) -> Any:
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    texts = [_short(label) for label in labels]
    axes.set_xticks(range(len(texts)), texts, rotation=45 if len(texts) > 3 else 0, fontsize=8)
    if len(texts) > 3:
        for tick in axes.get_xticklabels():
            tick.set_horizontalalignment("right")
            tick.set_rotation_mode("anchor")
    axes.set_yticks(range(len(texts)), texts, fontsize=8)
    axes.set_xlabel("predicted", fontsize=9)
    axes.set_ylabel("true", fontsize=9)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if len(texts) <= _MOST_NUMBERED:
        _number(axes, counts, shares)
    return image


def _number(axes: Axes, counts: np.ndarray[Any, Any], shares: np.ndarray[Any, Any]) -> None:
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.55 else "#333333"
        axes.text(column, row, f"{count}", ha="center", va="center", fontsize=8, color=colour)


def class_bars(title: str, parts: Parts, labels: Sequence[Any]) -> Figure:
    """Precision, recall and F1 of each class; of many classes the worst by F1."""
    shown = min(len(labels), _MOST_BARS)
    worst = f", the worst {shown} of {len(labels)} by F1" if shown < len(labels) else ""
    height = max(2.8, 0.42 * shown + 1.5)
    figure = new_figure(max(4.8 * len(parts), 6.4), height, f"{title}: classes{worst}")
    for axes, (part, details) in zip(_row_of_axes(figure, len(parts)), parts.items(), strict=True):
        _bars(axes, details["classes"], labels, shown)
        axes.set_title(PART_NAMES[part], fontsize=10, loc="left")
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def _bars(axes: Axes, classes: Mapping[str, Sequence[Any]], labels: Sequence[Any], shown: int) -> None:
    order = np.argsort(classes["f1"], kind="stable")[:shown] if shown < len(labels) else np.arange(shown)
    place = np.arange(shown)
    for offset, (name, colour) in zip((-0.26, 0.0, 0.26), _BARS.items(), strict=True):
        values = np.array(classes[name], dtype=float)[order]
        axes.barh(place + offset, values, height=0.24, color=colour, label="F1" if name == "f1" else name)
    names = [f"{_short(labels[code])}  (n={classes['support'][code]})" for code in order]
    axes.set_yticks(place, names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    tidy(axes, grid="x")
    axes.tick_params(axis="y", length=0)


def _short(label: Any) -> str:
    """A label that fits; a dollar sign would begin a formula."""
    text = str(label).replace("$", r"\$")
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
