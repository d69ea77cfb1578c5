from __future__ import annotations

import dataclasses
import io
import time
from typing import Any

import pytest
from rich.console import Console

from tuning.progress import FamilyProgress, LiveView, NullView, PlainView, Snapshot, make_view


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def make_snapshot(finished: int = 0, best: float | None = None, **changes: Any) -> Snapshot:
    families = (
        FamilyProgress("lightgbm", running=2, completed=finished, best=best),
        FamilyProgress("xgboost", running=1, pruned=1, failed=1),
    )
    settings: dict[str, Any] = {
        "study": "sales",
        "metric": "rmse",
        "families": families,
        "launched": finished + 3,
        "finished": finished,
        "target": 60,
        "elapsed_s": 30.0,
        "remaining_s": None,
        "busy_seconds": 90.0,
        "slots": 4,
    }
    return Snapshot(**(settings | changes))


def make_console(**settings: Any) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100, height=40, **settings)


def written(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined]


def drawn(snapshot: Snapshot, **settings: Any) -> list[str]:
    """Lines of the first drawing of a snapshot, without control codes."""
    console = make_console(color_system=None, **settings)
    view = LiveView(console, clock=Clock())
    view.start([])
    before = len(written(console))
    view.update(snapshot)
    text = written(console)[before:]
    view.stop()
    return [line.rstrip() for line in text.replace("\r", "").replace("\x1b[2K", "").splitlines()]


def test_pace_counts_only_what_this_run_finished() -> None:
    assert make_snapshot(20).trials_per_minute == 40
    assert make_snapshot(20, finished_before=10).trials_per_minute == 20
    assert make_snapshot(20, elapsed_s=0.0).trials_per_minute == 0


@pytest.mark.parametrize(
    ("busy_seconds", "elapsed_s", "share"),
    [(90.0, 30.0, 0.25), (130.0, 30.0, 0.0), (0.0, 30.0, 1.0), (0.0, 0.0, 0.0)],
)
def test_overhead_is_the_share_of_the_slots_time_without_training(
    busy_seconds: float, elapsed_s: float, share: float
) -> None:
    snapshot = make_snapshot(busy_seconds=busy_seconds, elapsed_s=elapsed_s)
    assert snapshot.overhead_share == pytest.approx(share)


@pytest.mark.parametrize(
    ("target", "remaining_s", "share", "left_s"),
    [
        (60, None, 0.5, 30.0),
        (None, 90.0, 0.25, 90.0),
        (60, 10.0, 0.75, 10.0),
        (40, 300.0, 0.75, 10.0),
        (None, None, None, None),
        (None, -5.0, 1.0, 0.0),
    ],
)
def test_what_ends_the_run_first_measures_it(
    target: int | None, remaining_s: float | None, share: float | None, left_s: float | None
) -> None:
    snapshot = make_snapshot(30, target=target, remaining_s=remaining_s)
    assert snapshot.share_done == (None if share is None else pytest.approx(share))
    assert snapshot.left_s == (None if left_s is None else pytest.approx(left_s))


def test_live_view_draws_bar_families_and_footer() -> None:
    text = "\n".join(drawn(make_snapshot(15, 0.123456)))
    assert "15/60 trials · 30s · about 1m30s left" in text
    assert "best rmse" in text
    assert "0.12346" in text
    assert "30.0 trials/min · overhead 25% · 3 of 4 slots busy" in text
    assert "tuning resume sales goes on" in text
    assert "━" in text


def test_live_view_without_a_limit_has_no_bar() -> None:
    text = "\n".join(drawn(make_snapshot(15, target=None)))
    assert "15 trials · 30s" in text
    assert "━" not in text


@pytest.mark.parametrize(
    ("remaining_s", "message"), [(60.0, "Stopping: nothing new starts"), (-1.0, "Time is up: nothing new")]
)
def test_live_view_says_what_stopping_means(remaining_s: float, message: str) -> None:
    text = "\n".join(drawn(make_snapshot(15, stopping=True, remaining_s=remaining_s)))
    assert message in text
    assert ("Ctrl-C again ends at once" in text) == (remaining_s > 0)


def test_live_view_stays_within_twenty_lines_and_sums_the_families_beyond() -> None:
    families = tuple(FamilyProgress(f"family_{n}", completed=10) for n in range(30))
    lines = drawn(make_snapshot(families=families))
    assert len(lines) <= 20
    assert any(line.split()[:4] == ["20", "more", "0", "200"] for line in lines)


def test_live_view_draws_four_times_a_second_and_is_cheap_between() -> None:
    console, clock = make_console(), Clock()
    view = LiveView(console, clock=clock)
    view.start(["headline"])
    sizes = []
    for _ in range(1000):
        clock.now_s += 0.001
        view.update(make_snapshot(1))
        sizes.append(len(written(console)))
    assert len(set(sizes)) == 4
    snapshot = make_snapshot(2)
    started_s = time.perf_counter()
    for _ in range(10_000):
        view.update(snapshot)
    assert time.perf_counter() - started_s < 0.5
    view.stop()


def test_live_view_ends_with_the_latest_snapshot_and_shows_the_cursor() -> None:
    console = make_console(color_system=None)
    view = LiveView(console, clock=Clock())
    view.start(["Study [sales]"])
    view.update(make_snapshot(1))
    view.update(make_snapshot(59))
    assert "59/60" not in written(console)
    view.note("lost [worker] 3")
    view.stop()
    text = written(console)
    view.stop()
    assert "Study [sales]" in text
    assert "lost [worker] 3" in text
    assert "59/60 trials" in text
    assert "resume" not in text[text.rindex("59/60") :]
    assert text.endswith("\x1b[?25h")
    assert written(console) == text


def test_live_view_leaves_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    console = make_console()
    view = LiveView(console, clock=Clock())
    view.start([])
    view.update(make_snapshot(1))
    print("data")
    view.stop()
    assert capsys.readouterr().out == "data\n"
    assert "data" not in written(console)


def test_plain_view_writes_when_something_finished_at_most_once_an_interval() -> None:
    stream, clock = io.StringIO(), Clock()
    view = PlainView(stream, interval_s=2.0, clock=clock)
    view.start(["Study sales"])
    for step in range(100):
        view.update(make_snapshot(step))
        clock.now_s += 0.125
    lines = stream.getvalue().splitlines()
    assert lines[0] == "Study sales"
    assert len(lines) == 7
    assert lines[1] == (
        "[30s] 16/60 trials, 1 pruned, 1 failed, 3 running, 32.0 trials/min, overhead 25%, 1m22s left"
    )


def test_plain_view_is_silent_while_nothing_changes() -> None:
    stream, clock = io.StringIO(), Clock()
    view = PlainView(stream, interval_s=2.0, clock=clock)
    view.start([])
    for _ in range(100):
        view.update(make_snapshot(7, 0.5))
        clock.now_s += 10
    assert stream.getvalue() == ""


def test_plain_view_tells_of_a_new_best_once() -> None:
    stream, clock = io.StringIO(), Clock()
    view = PlainView(stream, interval_s=2.0, clock=clock)
    view.start([])
    for best in (0.9, 0.5, 0.5, 0.25):
        view.update(make_snapshot(3, best))
        clock.now_s += 3
    news = [line for line in stream.getvalue().splitlines() if "best" in line]
    assert news == ["[30s] new best rmse: lightgbm 0.50000", "[30s] new best rmse: lightgbm 0.25000"]


def test_plain_view_ends_with_one_line_on_the_latest_snapshot() -> None:
    stream = io.StringIO()
    view = PlainView(stream, clock=Clock())
    view.start([])
    view.update(make_snapshot(1))
    view.update(make_snapshot(58))
    view.note("a note")
    view.stop()
    view.stop()
    assert stream.getvalue().splitlines() == [
        "a note",
        "Ended after 30s: 58 trials finished, 1 pruned, 1 failed, 116.0 trials/min, overhead 25%",
    ]


def test_plain_view_tells_that_the_study_is_stopping() -> None:
    stream, clock = io.StringIO(), Clock()
    view = PlainView(stream, interval_s=2.0, clock=clock)
    view.start([])
    view.update(make_snapshot(1))
    clock.now_s += 3
    view.update(dataclasses.replace(make_snapshot(1), stopping=True))
    assert stream.getvalue().endswith("stopping\n")


def test_view_is_chosen_by_where_the_output_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(make_view(Terminal()), LiveView)
    assert isinstance(make_view(io.StringIO()), PlainView)
    assert isinstance(make_view(Terminal(), quiet=True), NullView)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_view(Terminal()), PlainView)


def test_chosen_view_writes_to_stderr_and_nothing_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    view = make_view()
    view.start(["Study sales"])
    view.update(make_snapshot(1))
    view.stop()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Study sales\nEnded after 30s")


def test_quiet_view_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    view = make_view(quiet=True)
    view.start(["Study sales"])
    view.update(make_snapshot(1))
    view.note("note")
    view.stop()
    assert capsys.readouterr() == ("", "")
