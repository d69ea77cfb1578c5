"""A leaderboard as people read it, in the terminal and in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich import box
from rich.cells import cell_len
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
# What a narrow terminal leaves out, the first first.
_LEFT_OUT_FIRST = ("params", "model", "iter", "time", "status")
_TRIAL = _HEADER.index("trial")
_GAP = 2
_LEAST_OF_PARAMS = 10
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


def to_table(board: Ranking, top: int | None, show_all: bool, width: int | None = None) -> Table:
    """Return the table for the terminal.

    Args:
        board: what is shown.
        top: number of ranked rows, None: all.
        show_all: unranked rows too.
        width: columns of the terminal; whole columns are left out, and named, until the rest fits. None:
            hyperparameters and model names are cut.
    """
    selection = _select(board, top, show_all)
    names = _telling_params(board.rows)
    cells = [_cells(row, names[row.model]) for row in selection.rows]
    left_out = _left_out(cells, width)
    shown = [place for place, name in enumerate(_HEADER) if name not in left_out]

    table = _empty_table(_title(board), _caption(selection.caption, left_out))
    for place in shown:
        name = _HEADER[place]
        side: Literal["left", "right"] = "right" if name in _RIGHT_ALIGNED else "left"
        # An id that is wider than all there is goes on in the next line.
        is_long = bool(left_out) and name == "trial"
        table.add_column(name, justify=side, no_wrap=name not in _GIVING_WAY and not is_long)
    for row, texts in zip(selection.rows, cells, strict=True):
        styled = _styled(row, _with_star(row, texts, left_out))
        if left_out:
            styled[_TRIAL].no_wrap, styled[_TRIAL].overflow = False, "fold"
        table.add_row(*(styled[place] for place in shown))
    return table


def _with_star(row: LeaderboardRow, cells: Sequence[str], left_out: Sequence[str]) -> Sequence[str]:
    """The cells; the star of a model that is left out stands before its trial."""
    if "model" not in left_out:
        return cells
    star = _STAR if row.best_of_family else " "
    return [f"{star} {cell}" if place == _TRIAL else cell for place, cell in enumerate(cells)]


def _caption(text: str, left_out: Sequence[str]) -> str:
    if not left_out:
        return text
    return f"{text}\nleft out, too narrow: {', '.join(left_out)}; --format csv has them"


def _empty_table(title: str, caption: str) -> Table:
    return Table(
        title=Text(title),
        caption=Text(caption),
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        caption_style="dim",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )


def _left_out(rows: Sequence[Sequence[str]], width: int | None) -> Sequence[str]:
    """Names of the columns that have no room in `width`."""
    if width is None:
        return ()
    widths = {
        name: max(map(cell_len, [name, *(row[place] for row in rows)])) + _GAP
        for place, name in enumerate(_HEADER)
    }
    widths["params"] = min(widths["params"], _LEAST_OF_PARAMS + _GAP)
    for number in range(len(_LEFT_OUT_FIRST)):
        left_out = _LEFT_OUT_FIRST[:number]
        star = cell_len(_STAR) + 1 if "model" in left_out else 0
        if sum(widths.values()) - sum(widths[name] for name in left_out) + star - _GAP <= width:
            return left_out
    return _LEFT_OUT_FIRST


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
