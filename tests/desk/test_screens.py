"""What stands on screens of any width: columns whole or named as left out, the live view in its place."""

from __future__ import annotations

import io
import re
from datetime import datetime
from typing import Any

import pyte
import pytest
from rich.console import Console

from tuning.leaderboard import Leaderboard, build_leaderboard
from tuning.metrics import Direction
from tuning.progress import FamilyProgress, LiveView, Snapshot
from tuning.store import Placement, Status, TrialRecord

FAMILIES = ("lightgbm", "random_forest", "linear_gd", "a_family_whose_name_is_very_long_indeed")
WIDTHS = [40, 60, 80, 120, 200]


def _record(model: str, number: int, value: float) -> TrialRecord:
    return TrialRecord(
        model=model, number=number, value=value, status=Status.COMPLETED,
        params={"learning_rate": 0.1 / (number + 1), "num_leaves": 31 + number},
        values={27: value}, checkpoint=None, placement=Placement("node", "cpu", ()),
        train_seconds=75.0, started_at=datetime(2025, 3, 1), ended_at=datetime(2025, 3, 1, 1),
        valid={"rmse": value}, test={"rmse": value + 0.1},
    )  # fmt: skip


@pytest.fixture
def board() -> Leaderboard:
    records = [_record(model, number, 2.0 + number / 7) for model in FAMILIES for number in range(2)]
    return build_leaderboard("sales", "regression", "rmse", Direction.MINIMIZE, records)


def _printed(board: Leaderboard, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(board.table(width=width))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_leaderboard_is_whole_at_any_width(width: int, board: Leaderboard) -> None:
    text = _printed(board, width)
    assert max(map(len, text.splitlines())) <= width
    lines = text.splitlines()
    for row in board.rows:
        # An id wider than its column goes on in the next line.
        (place,) = (k for k, line in enumerate(lines) if line.split()[:1] == [str(row.rank)])
        assert f"{row.valid:.4f}" in lines[place]
        entry = "".join(lines[place : place + 4]).replace(f"{row.valid:.4f}", "").replace(" ", "")
        assert width < 60 or row.trial in entry.replace(f"{row.test:.4f}", "")
    assert text.count("★") == len(FAMILIES) + 1
    shown = text.splitlines()[1].split()
    named = re.search(r"left out, too narrow: ([a-z, ]+)", " ".join(text.split()))
    left_out = [] if named is None else named[1].replace(" ", "").split(",")
    assert sorted([*shown, *left_out]) == sorted(
        ["rank", "model", "trial", "status", "valid", "test", "iter", "time", "params"]
    )
    assert (width < 200) == bool(left_out)


def test_only_hyperparameters_are_cut_and_visibly(board: Leaderboard) -> None:
    cut = [line for line in _printed(board, 150).splitlines() if "…" in line]
    assert len(cut) == len(board.rows)
    assert all("1m15s  learning" in line for line in cut)


def _snapshot(finished: int, **changes: Any) -> Snapshot:
    families = tuple(
        FamilyProgress(name, running=1, completed=finished, pruned=12, failed=3, diverged=1, best=2.1779)
        for name in FAMILIES[:3]
    )
    settings: dict[str, Any] = {
        "study": "sales-of-2024", "metric": "rmse", "families": families, "launched": finished,
        "finished": finished, "target": 120, "elapsed_s": 3900.0, "remaining_s": 36000.0,
        "busy_seconds": 90.0, "slots": 4,
    }  # fmt: skip
    return Snapshot(**(settings | changes))


def _left_on_screen(width: int, lines: int, snapshots: list[Snapshot], *, is_over: bool) -> list[str]:
    """Draw one snapshot after the other; the screen that is left, with what was scrolled away."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, height=lines, color_system="truecolor")
    now_s = iter(range(100))
    view = LiveView(console, clock=lambda: float(next(now_s)))
    view.start(["Study sales-of-2024: regression of y, rmse (minimize), lightgbm, random_forest"])
    for snapshot in snapshots:
        view.update(snapshot)
    if is_over:
        view.stop()
    screen = pyte.HistoryScreen(width, lines, history=1000, ratio=0.5)
    # Written to a terminal, each line feed starts a line.
    pyte.Stream(screen).feed(file.getvalue().replace("\n", "\r\n"))
    above = ["".join(row[k].data for k in range(width)) for row in screen.history.top]
    return [line.rstrip() for line in [*above, *screen.display]]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("is_over", [False, True])
def test_the_live_view_stays_in_place_and_whole(width: int, is_over: bool) -> None:
    rows = _left_on_screen(width, 24, [_snapshot(number) for number in range(8)], is_over=is_over)
    text = "\n".join(rows)
    assert text.count("best") == 1
    assert text.count(" left") == 1
    assert text.count("slots") == 1
    assert text.count("Ctrl-C") == (0 if is_over else 1)
    joined = " ".join(text.split())
    if not is_over:
        assert "tuning resume sales-of-2024 goes on" in joined
    (row,) = [row for row in rows if row.startswith(" lightgbm")]
    assert row.split()[-1] == "2.1779"
    counts = [int(cell) for cell in row.split()[1:-1]]
    assert sum(counts) == (1 + 7 + 12 + 3 + 1 if width > 40 else 0)
    assert "random_forest" in text or "random_f…" in text or width < 60
    assert "random_forest" in text or width == 40


def test_a_metric_with_a_long_name_does_not_push_its_column_off_the_screen() -> None:
    rows = _left_on_screen(60, 24, [_snapshot(3, metric="quantile_loss_of_all_steps")], is_over=True)
    assert [row.split()[-1] for row in rows if row.startswith(" linear_gd")] == ["2.1779"]


def test_many_families_in_a_low_terminal_leave_one_drawing() -> None:
    families = tuple(FamilyProgress(f"family_{number}", completed=1) for number in range(12))
    shots = [_snapshot(number, families=families) for number in range(5)]
    text = "\n".join(_left_on_screen(60, 16, shots, is_over=True))
    assert text.count("best") == 1
    assert "more" in text
