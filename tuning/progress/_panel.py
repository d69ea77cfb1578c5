"""The picture of a snapshot that the live view draws."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuning.config.duration import format_duration
from tuning.leaderboard import format_number
from tuning.progress._snapshot import FamilyProgress, Snapshot

_COUNTS = {
    "running": "blue",
    "completed": "green",
    "pruned": "yellow",
    "failed": "red",
    "diverged": "magenta",
}
_BAR_WIDTH = 32
_LEAST_BAR_WIDTH = 8
_BEST_MIN_WIDTH = 11
# The names of families are cut, visibly, below this width.
_LEAST_NAME_WIDTH = 12
_GAP = 2

# A narrow terminal has no room for every count: heading, what is summed under it, and its colour.
_Counts = tuple[tuple[str, tuple[str, ...], str], ...]
_WIDE: _Counts = tuple((name, (name,), style) for name, style in _COUNTS.items())
_NARROW: _Counts = (
    ("run", ("running",), "blue"),
    ("done", ("completed", "pruned"), "green"),
    ("lost", ("failed", "diverged"), "red"),
)


def render(
    snapshot: Snapshot, *, max_families: int, is_final: bool = False, width: int = 80
) -> RenderableType:
    """Bar, families and footer.

    Args:
        snapshot: what to draw.
        max_families: rows of the table; further families share one more.
        is_final: the run is over, so that nothing is said of how to stop it.
        width: columns of the terminal.
    """
    lines = [Text(""), _bar(snapshot, width), _families(snapshot, max_families, width), _pace(snapshot)]
    return Group(*lines) if is_final else Group(*lines, _stopping(snapshot))


def _bar(snapshot: Snapshot, width: int) -> RenderableType:
    share = snapshot.share_done
    label = Text(" · ".join(_bar_labels(snapshot)))
    room = width - label.cell_len - _GAP
    if share is None or room < _LEAST_BAR_WIDTH:
        return label
    line = Table.grid(padding=(0, _GAP))
    bar = ProgressBar(
        total=1.0,
        completed=share,
        width=min(_BAR_WIDTH, room),
        complete_style="cyan",
        finished_style="green",
    )
    line.add_row(bar, label)
    return line


def _bar_labels(snapshot: Snapshot) -> list[str]:
    of_target = "" if snapshot.target is None else f"/{snapshot.target}"
    labels = [f"{snapshot.finished}{of_target} trials", format_duration(snapshot.elapsed_s)]
    if snapshot.left_s:
        is_estimate = snapshot.left_s != snapshot.remaining_s
        labels.append(f"{'about ' if is_estimate else ''}{format_duration(snapshot.left_s)} left")
    return labels


def _families(snapshot: Snapshot, max_families: int, width: int) -> Table:
    best = f"best {snapshot.metric}"
    counts = next((each for each in (_WIDE, _NARROW) if _width_of(each, "best") <= width), ())
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="dim")
    # The names' width is known from the first drawing and counts have theirs: columns never jump.
    table.add_column("family", no_wrap=True)
    for heading, _, _ in counts:
        table.add_column(heading, justify="right", min_width=len(heading), no_wrap=True)
    if _width_of(counts, best) > width:
        best = "best"
    table.add_column(best, justify="right", min_width=_BEST_MIN_WIDTH, no_wrap=True)
    for family in _fold(snapshot.families, max_families):
        cells = [_count(sum(getattr(family, name) for name in names), style) for _, names, style in counts]
        table.add_row(Text(family.name), *cells, Text(format_number(family.best)))
    return table


def _width_of(counts: _Counts, best: str) -> int:
    """Least width of a table with these counts: a gap and a rule lie between two columns."""
    widths = [_LEAST_NAME_WIDTH, *(len(heading) for heading, _, _ in counts), max(_BEST_MIN_WIDTH, len(best))]
    return sum(widths) + (_GAP + 1) * (len(widths) - 1) + _GAP


def _fold(families: Sequence[FamilyProgress], limit: int) -> Sequence[FamilyProgress]:
    """The first families, and one row with the sums of those that do not fit."""
    if len(families) <= limit:
        return families
    rest = families[limit:]
    sums = {name: sum(getattr(family, name) for family in rest) for name in _COUNTS}
    return [*families[:limit], FamilyProgress(name=f"{len(rest)} more", **sums)]


def _count(count: int, style: str) -> Text:
    return Text(str(count), style=style if count else "dim")


def _pace(snapshot: Snapshot) -> Text:
    text = (
        f"{snapshot.trials_per_minute:.1f} trials/min · overhead {snapshot.overhead_share:.0%} · "
        f"{snapshot.running} of {snapshot.slots} slots busy"
    )
    return Text(text, style="dim")


def _stopping(snapshot: Snapshot) -> Text:
    """What stopping means, before and after it was asked for."""
    if not snapshot.stopping:
        resume = snapshot.resume or f"tuning resume {snapshot.study}"
        text = f"Ctrl-C stops and keeps everything; {resume} goes on"
        return Text(text, style="dim")
    is_time_up = snapshot.remaining_s is not None and snapshot.remaining_s <= 0
    why = "Time is up" if is_time_up else "Stopping"
    then = "" if is_time_up else "; Ctrl-C again ends at once"
    text = f"{why}: nothing new starts, running trials save a checkpoint and end{then}"
    return Text(text, style="yellow")
