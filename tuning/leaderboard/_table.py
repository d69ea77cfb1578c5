"""A leaderboard as people read it, in the terminal and in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from tuning.config.duration import format_duration
from tuning.leaderboard._rows import LeaderboardRow, Ranking
from tuning.leaderboard.number import format_number
from tuning.metrics import Direction
from tuning.store import Status

_STAR = "★"
_HEADER = ("rank", "model", "trial", "status", "valid", "test", "iter", "time", "params")
_GIVING_WAY = frozenset({"model", "params"})  # the trial's id repeats the model
_RIGHT_ALIGNED = frozenset({"rank", "valid", "test", "iter", "time"})
_STATUS_STYLES = {
    Status.COMPLETED: "green",
    Status.PRUNED: "yellow",
    Status.INTERRUPTED: "cyan",
    Status.RUNNING: "blue",
    Status.FAILED: "red",
    Status.DIVERGED: "magenta",
}


@dataclass(frozen=True)
class _Selection:
    """The rows that are shown, and a line on what is not."""

    rows: Sequence[LeaderboardRow]
    caption: str


def to_table(board: Ranking, top: int | None, show_all: bool) -> Table:
    """The table for the terminal: hyperparameters and model names give way when it is too wide."""
    selection = _select(board, top, show_all)
    table = Table(
        title=Text(_title(board)),
        caption=Text(selection.caption),
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="dim",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in _HEADER:
        table.add_column(
            name, justify="right" if name in _RIGHT_ALIGNED else "left", no_wrap=name not in _GIVING_WAY
        )
    names = _telling_params(board.rows)
    for row in selection.rows:
        table.add_row(*_styled(row, _cells(row, names[row.model])))
    return table


def to_markdown(board: Ranking, top: int | None, show_all: bool) -> str:
    """The table for a GitHub page."""
    selection = _select(board, top, show_all)
    names = _telling_params(board.rows)
    rows = [_cells(row, names[row.model]) for row in selection.rows]
    rule = ["---:" if name in _RIGHT_ALIGNED else "---" for name in _HEADER]
    lines = [f"**{_title(board)}**", "", _markdown_line(_HEADER), _markdown_line(rule)]
    return "\n".join([*lines, *map(_markdown_line, rows), "", selection.caption]).rstrip() + "\n"


def _title(board: Ranking) -> str:
    better = "lower" if board.direction is Direction.MINIMIZE else "higher"
    return f"{board.study}: {board.metric}, {better} is better"


def select_rows(board: Ranking, top: int | None, show_all: bool) -> tuple[LeaderboardRow, ...]:
    """The first `top` ranked rows and the best one of each family; with `show_all` the unranked ones too."""
    ranked = board.ranked
    if top is not None:
        ranked = tuple(row for place, row in enumerate(ranked) if place < top or row.best_of_family)
    return (*ranked, *board.unranked) if show_all else ranked


def _select(board: Ranking, top: int | None, show_all: bool) -> _Selection:
    rows = select_rows(board, top, show_all)
    shown = sum(row.rank is not None for row in rows)
    notes = [f"{_STAR} best of its family"] if shown else ["No trial has a score yet"]
    scoreless = {row.model for row in board.rows} - {row.model for row in board.ranked}
    if shown and scoreless:
        notes.append(f"no score yet: {', '.join(sorted(scoreless))}")
    if shown < len(board.ranked):
        notes.append(f"{shown} of {len(board.ranked)} ranked trials shown")
    if lost := sum(not row.is_kept for row in rows):
        notes.append(f"{lost} of these have no model to predict with: storage.keep_trials had them deleted")
    if board.unranked and not show_all:
        notes.append(f"{_count_unranked(board.unranked)} not shown; --all shows them")
    return _Selection(rows, "\n".join(notes))


def _count_unranked(rows: Sequence[LeaderboardRow]) -> str:
    """Why rows are unranked, with their number: `3 failed, 1 diverged`."""
    reasons = Counter(
        f"{row.status} without a score" if row.status.is_ranked else str(row.status) for row in rows
    )
    return ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())


def _cells(row: LeaderboardRow, names: Sequence[str]) -> tuple[str, ...]:
    return (
        "–" if row.rank is None else str(row.rank),
        f"{_STAR if row.best_of_family else ' '} {row.model}",
        row.trial,
        row.status.value,
        format_number(row.valid),
        format_number(row.test),
        str(row.iterations),
        format_duration(row.seconds),
        _format_params(row.params, names),
    )


def _styled(row: LeaderboardRow, cells: Sequence[str]) -> list[Text]:
    """Cells as text that is never read as markup, on one line each."""
    style = "bold" if row.best_of_family else "dim" if row.rank is None else ""
    texts = [Text(cell, style=style, no_wrap=True, overflow="ellipsis") for cell in cells]
    texts[_HEADER.index("status")].stylize(_STATUS_STYLES[row.status])
    texts[_HEADER.index("params")].style = "dim"
    return texts


def _telling_params(rows: Sequence[LeaderboardRow]) -> dict[str, list[str]]:
    """Per family the hyperparameters that differ between its trials, or all when none does."""
    params_by_model: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        params_by_model.setdefault(row.model, []).append(row.params)
    return {model: _varying(params) for model, params in params_by_model.items()}


def _varying(params: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for each in params for name in each))
    varying = [name for name in names if len({repr(each.get(name)) for each in params}) > 1]
    return varying or names


def _format_params(params: Mapping[str, Any], names: Sequence[str]) -> str:
    return " ".join(f"{name}={_format_value(params[name])}" for name in names if name in params)


def _format_value(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value).replace(", ", ",")


def _markdown_line(cells: Sequence[str]) -> str:
    escaped = (cell.strip().replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"
