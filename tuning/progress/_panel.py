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
_BEST_MIN_WIDTH = 11


def render(snapshot: Snapshot, *, max_families: int, is_final: bool = False) -> RenderableType:
    """Bar, families and footer.

    Args:
        snapshot: what to draw.
        max_families: rows of the table; further families share one more.
        is_final: the run is over, so that nothing is said of how to stop it.
    """
    lines = [Text(""), _bar(snapshot), _families(snapshot, max_families), _pace(snapshot)]
    return Group(*lines) if is_final else Group(*lines, _stopping(snapshot))


def _bar(snapshot: Snapshot) -> RenderableType:
    share = snapshot.share_done
    line = Table.grid(padding=(0, 2))
    label = Text(" · ".join(_bar_labels(snapshot)), no_wrap=True, overflow="ellipsis")
    if share is None:
        line.add_row(label)
    else:
        line.add_row(
            ProgressBar(
                total=1.0, completed=share, width=_BAR_WIDTH, complete_style="cyan", finished_style="green"
            ),
            label,
        )
    return line


def _bar_labels(snapshot: Snapshot) -> list[str]:
    of_target = "" if snapshot.target is None else f"/{snapshot.target}"
    labels = [f"{snapshot.finished}{of_target} trials", format_duration(snapshot.elapsed_s)]
    if snapshot.left_s:
        is_estimate = snapshot.left_s != snapshot.remaining_s
        labels.append(f"{'about ' if is_estimate else ''}{format_duration(snapshot.left_s)} left")
    return labels


def _families(snapshot: Snapshot, max_families: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="dim")
    # The names' width is known from the first drawing and counts have theirs: columns never jump.
    table.add_column("family", no_wrap=True)
    for name in _COUNTS:
        table.add_column(name, justify="right", min_width=len(name), no_wrap=True)
    table.add_column(f"best {snapshot.metric}", justify="right", min_width=_BEST_MIN_WIDTH, no_wrap=True)
    for family in _fold(snapshot.families, max_families):
        counts = [_count(getattr(family, name), style) for name, style in _COUNTS.items()]
        table.add_row(Text(family.name), *counts, Text(format_number(family.best)))
    return table


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
    return Text(text, style="dim", no_wrap=True, overflow="ellipsis")


def _stopping(snapshot: Snapshot) -> Text:
    """What stopping means, before and after it was asked for."""
    if not snapshot.stopping:
        text = f"Ctrl-C stops and keeps everything; {snapshot.resume} goes on"
        return Text(text, style="dim", no_wrap=True, overflow="ellipsis")
    is_time_up = snapshot.remaining_s is not None and snapshot.remaining_s <= 0
    why = "Time is up" if is_time_up else "Stopping"
    then = "" if is_time_up else "; Ctrl-C again ends at once"
    text = f"{why}: nothing new starts, running trials save a checkpoint and end{then}"
    return Text(text, style="yellow", no_wrap=True, overflow="ellipsis")
