from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import random
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table

from tuning.errors import RecordError
from tuning.leaderboard import Leaderboard, build_leaderboard, choose_trial
from tuning.metrics import Direction
from tuning.store import Placement, Status, TrialRecord

START = datetime(2025, 3, 1, 12, 0, 0)
ROW_KEYS = [
    "rank", "model", "trial", "status", "valid", "test", "metrics", "params", "iterations", "seconds",
    "started_at", "ended_at", "node", "device", "gpus", "checkpoint", "error",
]  # fmt: skip


def make_record(
    model: str = "xgboost", number: int = 0, value: float | None = 1.0, **changes: Any
) -> TrialRecord:
    settings: dict[str, Any] = {
        "status": Status.COMPLETED,
        "params": {"max_depth": 3 + number, "eta": 0.1},
        "values": {1: 2.0, 27: 1.0},
        "checkpoint": f"trials/{model}-{number:04d}/best",
        "placement": Placement("node-a", "cuda", ("1",)),
        "train_seconds": 75.0,
        "started_at": START,
        "ended_at": START + timedelta(minutes=number),
        "train": {"rmse": 0.5},
        "valid": {"rmse": value} if value is not None else {},
    }
    return TrialRecord(model=model, number=number, value=value, **(settings | changes))


def build(*records: TrialRecord, direction: Direction = Direction.MINIMIZE) -> Leaderboard:
    return build_leaderboard("sales", "regression", "rmse", direction, records)


def trials(board: Leaderboard) -> list[str]:
    return [row.trial for row in board.rows]


def render(table: Table, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def mixed_board() -> Leaderboard:
    return build(
        make_record("lightgbm", 0, 2.0),
        make_record("xgboost", 0, 1.5, status=Status.PRUNED),
        make_record("lightgbm", 1, 1.0, test={"rmse": 1.25}),
        make_record("xgboost", 1, None, status=Status.FAILED, error="out of memory"),
        make_record("xgboost", 2, 0.1, status=Status.DIVERGED),
        make_record("xgboost", 3, None, status=Status.FAILED),
        make_record("tcn", 0, 0.2, status=Status.RUNNING, ended_at=None, params={"num_channels": (32, 64)}),
    )


@pytest.mark.parametrize(
    ("direction", "order"),
    [
        (Direction.MINIMIZE, ["a-0001", "a-0002", "a-0000"]),
        (Direction.MAXIMIZE, ["a-0000", "a-0002", "a-0001"]),
    ],
)
def test_ranks_by_value_in_the_direction_of_the_metric(direction: Direction, order: list[str]) -> None:
    records = [make_record("a", 0, 3.0), make_record("a", 1, -1.0), make_record("a", 2, 0.5)]
    board = build(*records, direction=direction)
    assert trials(board) == order
    assert [row.rank for row in board.rows] == [1, 2, 3]


def test_ties_go_to_the_earlier_end_then_to_model_and_number() -> None:
    records = [
        make_record("b", 1, ended_at=START),
        make_record("b", 0, ended_at=START),
        make_record("a", 5, ended_at=START),
        make_record("c", 0, ended_at=START - timedelta(seconds=1)),
        make_record("a", 0, ended_at=None, status=Status.INTERRUPTED),
    ]
    expected = ["c-0000", "a-0005", "b-0000", "b-0001", "a-0000"]
    for seed in range(5):
        random.Random(seed).shuffle(records)
        assert trials(build(*records)) == expected


@pytest.mark.parametrize("direction", list(Direction))
def test_what_has_no_score_or_no_right_to_one_is_last_without_rank(direction: Direction) -> None:
    best = -1e9 if direction is Direction.MINIMIZE else 1e9
    unranked = [
        make_record("a", 0, best, status=Status.FAILED),
        make_record("a", 1, best, status=Status.DIVERGED),
        make_record("a", 2, best, status=Status.RUNNING),
        make_record("a", 3, None),
        make_record("a", 4, math.nan),
        make_record("a", 5, math.inf),
        make_record("a", 6, -math.inf),
    ]
    board = build(*unranked, make_record("z", 0, 0.0), direction=direction)
    assert trials(board)[0] == "z-0000"
    assert [row.rank for row in board.rows] == [1] + [None] * len(unranked)
    assert board.best is board.rows[0]
    assert board.unranked == board.rows[1:]


def test_test_metrics_never_rank() -> None:
    rng = random.Random(0)
    records = [make_record("a", number, rng.choice([1.0, 2.0, 3.0])) for number in range(30)]
    without = build(*records)
    for _ in range(5):
        tested = [
            dataclasses.replace(record, test={"rmse": rng.choice([-1e6, 0.0, math.nan, 1e6])})
            for record in records
        ]
        board = build(*tested)
        assert trials(board) == trials(without)
        assert [row.rank for row in board.rows] == [row.rank for row in without.rows]
        assert [row.best_of_family for row in board.rows] == [row.best_of_family for row in without.rows]


def test_each_family_with_a_ranked_trial_has_one_best() -> None:
    board = mixed_board()
    assert [row.trial for row in board.rows if row.best_of_family] == ["lightgbm-0001", "xgboost-0000"]


def test_a_row_carries_what_the_record_has() -> None:
    row = mixed_board().rows[0]
    assert (row.valid, row.test, row.iterations, row.seconds) == (1.0, 1.25, 27, 75.0)
    assert row.metrics == {"train": {"rmse": 0.5}, "valid": {"rmse": 1.0}, "test": {"rmse": 1.25}}
    assert (row.started_at, row.ended_at) == ("2025-03-01T12:00:00", "2025-03-01T12:01:00")
    assert (row.node, row.device, row.gpus) == ("node-a", "cuda", ("1",))


def test_json_has_the_keys_of_the_contract_in_their_order() -> None:
    content = json.loads(mixed_board().to_json())
    assert list(content) == ["study", "task", "metric", "direction", "rows"]
    assert content["direction"] == "minimize"
    assert all(list(row)[: len(ROW_KEYS)] == ROW_KEYS for row in content["rows"])
    assert len(content["rows"]) == 7


def test_json_is_strict_where_numbers_are_not_finite() -> None:
    record = make_record(
        "a", 0, math.nan, status=Status.DIVERGED, params={"clip": math.inf, "sizes": (1, math.nan)},
        train={"rmse": math.inf}, test={"rmse": math.nan}, started_at=None,
    )  # fmt: skip

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    row = json.loads(build(record).to_json(), parse_constant=refuse)["rows"][0]
    assert row["valid"] is row["test"] is row["started_at"] is None
    assert row["params"] == {"clip": None, "sizes": [1, None]}
    assert row["metrics"] == {"train": {"rmse": None}, "valid": {"rmse": None}, "test": {"rmse": None}}


def test_json_is_read_back_equal() -> None:
    board = mixed_board()
    assert Leaderboard.from_json(board.to_json()) == board
    assert Leaderboard.from_json(build().to_json()) == build()


@pytest.mark.parametrize(
    ("text", "place"), [("{", "the text"), ("{}", "study"), ('{"study": "a", "rows": 3}', "task")]
)
def test_text_that_is_no_leaderboard_is_refused_by_place(text: str, place: str) -> None:
    with pytest.raises(RecordError, match=f"cannot be read: {place}"):
        Leaderboard.from_json(text)


def test_frame_flattens_and_keeps_integers() -> None:
    frame = mixed_board().to_frame()
    assert frame["trial"].tolist() == trials(mixed_board())
    assert frame["rank"].tolist()[:3] == [1, 2, 3]
    assert frame["rank"].isna().sum() == 4
    assert frame["params.max_depth"].dtype == pd.Int64Dtype()
    assert frame.loc[0, "metrics.test.rmse"] == 1.25
    assert frame.loc[frame["model"] == "tcn", "params.num_channels"].tolist() == ["[32, 64]"]
    assert frame.loc[0, "gpus"] == "1"


def test_frame_of_no_trials_has_the_columns() -> None:
    frame = build().to_frame()
    assert len(frame) == 0
    assert {"rank", "model", "trial", "valid"} <= set(frame.columns)


def test_frame_keeps_a_choice_between_text_and_numbers() -> None:
    board = build(
        make_record("a", 0, params={"max_features": "sqrt"}),
        make_record("a", 1, params={"max_features": 0.5}),
    )
    assert board.to_frame()["params.max_features"].tolist() == ["sqrt", 0.5]


def test_csv_keeps_full_precision_and_leaves_missing_values_empty() -> None:
    board = build(
        make_record("a", 0, 0.1 + 0.2), make_record("a", 1, None, status=Status.FAILED, error='x, "y"\nz')
    )
    rows = list(csv.DictReader(io.StringIO(board.to_csv(), newline="")))
    assert float(rows[0]["valid"]) == 0.1 + 0.2
    assert (rows[0]["rank"], rows[0]["params.max_depth"]) == ("1", "3")
    assert (rows[1]["rank"], rows[1]["valid"]) == ("", "")
    assert rows[1]["error"] == 'x, "y"\nz'


def test_table_hides_unranked_rows_and_counts_them() -> None:
    text = render(mixed_board().table())
    assert "★ lightgbm" in text
    assert "xgboost-0001" not in text
    assert "2 failed, 1 running, 1 diverged not shown; --all shows them" in text


def test_table_shows_all_rows_when_asked() -> None:
    text = render(mixed_board().table(show_all=True))
    assert all(trial in text for trial in trials(mixed_board()))
    assert "not shown" not in text


def test_top_limits_the_ranked_rows_and_says_so() -> None:
    records = [make_record("lightgbm", number, float(number)) for number in range(4)]
    text = render(build(*records).table(top=2))
    assert "lightgbm-0001" in text
    assert "lightgbm-0002" not in text
    assert "2 of 4 ranked trials shown" in text


def test_top_never_hides_a_family() -> None:
    records = [make_record("lightgbm", number, float(number)) for number in range(5)]
    board = build(*records, make_record("xgboost", 0, 9.0), make_record("xgboost", 1, 8.0), *_failed("tcn"))
    text = render(board.table(top=2))
    assert [trial for trial in trials(board) if trial in text] == [
        "lightgbm-0000", "lightgbm-0001", "xgboost-0001",
    ]  # fmt: skip
    assert "3 of 7 ranked trials shown" in text
    assert "no score yet: tcn" in text
    assert trials(board.select(2)) == ["lightgbm-0000", "lightgbm-0001", "xgboost-0001"]
    assert trials(board.select(2, show_all=True))[-1] == "tcn-0000"
    assert trials(board.select(show_all=True)) == trials(board)


def _failed(model: str) -> list[TrialRecord]:
    return [make_record(model, 0, None, status=Status.FAILED, error="out of memory")]


def test_a_trial_is_chosen_by_rank_family_or_id() -> None:
    board = mixed_board()
    assert choose_trial(board, "best") == ("lightgbm", 1)
    assert choose_trial(board, "xgboost") == ("xgboost", 0)
    assert choose_trial(board, "lightgbm-0000") == ("lightgbm", 0)
    with pytest.raises(RecordError, match="no trial 'tcn' with a score: choose best, a family"):
        choose_trial(board, "tcn")


def test_table_rounds_to_five_digits_and_shows_a_dash_for_no_test() -> None:
    board = build(make_record("a", 0, 12.3456789), make_record("a", 1, 153234.4))
    first, second = (line for line in render(board.table()).splitlines() if "a-000" in line)
    assert first.split()[5:7] == ["12.346", "–"]
    assert "153234" in second
    assert "1m15s" in first


def test_table_shows_the_params_that_differ_and_cuts_only_them() -> None:
    board = build(make_record("a", 0), make_record("a", 1, 2.0), make_record("b", 0, 3.0))
    wide = render(board.table())
    assert "max_depth=4\n" in "".join(line.rstrip() + "\n" for line in wide.splitlines())
    assert "max_depth=3 eta=0.1" in wide
    narrow = render(board.table(), width=70).splitlines()
    assert any("completed" in line and "1.0000" in line and "…" in line for line in narrow)
    assert max(map(len, narrow)) <= 70


def test_table_takes_names_literally() -> None:
    board = build(make_record("a", 0, params={"act": "[red]x[/red]"}))
    assert "act=[red]x[/red]" in render(board.table())


def test_table_of_nothing_ranked_says_so() -> None:
    text = render(build(make_record("a", 0, None)).table())
    assert "No trial has a score yet" in text
    assert "1 completed without a score not shown" in text


def test_markdown_is_a_table_with_its_notes() -> None:
    board = build(make_record("a", 0, params={"act": "x|y"}), make_record("a", 1, None, status=Status.FAILED))
    lines = board.to_markdown().splitlines()
    assert lines[0] == "**sales: rmse, lower is better**"
    assert lines[4] == "| 1 | ★ a | a-0000 | completed | 1.0000 | – | 27 | 1m15s | act=x\\|y |"
    assert "1 failed not shown; --all shows them" in lines[-1]
    assert "a-0001" in board.to_markdown(show_all=True)
    assert "a-0000" in board.to_markdown(top=1)
