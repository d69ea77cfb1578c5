"""How all pictures look."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#3b6fb6", "#e07b39", "#4a9d6f", "#8a8f98"
PART_COLOURS = {"valid": BLUE, "test": ORANGE}
PART_NAMES = {"valid": "validation", "test": "test"}
_DPI = 150


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty picture.

    Args:
        width: in inches, as is `height`.
        height: see `width`.
        title: shown on top, to the left.
    """
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def tidy(axes: Axes, *, grid: str = "y") -> None:
    """Leave out the frame's upper and right side, and put a light grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors="#444444")
    axes.set_axisbelow(True)
    if grid:
        axes.grid(
            axis="both" if grid == "both" else "x" if grid == "x" else "y", color="#e3e5e8", linewidth=0.8
        )


def save(figure: Figure, path: Path) -> Path:
    """Write a picture."""
    figure.savefig(path, facecolor="white")
    return path
