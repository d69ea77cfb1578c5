"""A leaderboard as a DataFrame."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pandas as pd

from tuning.leaderboard._rows import LeaderboardRow, Ranking

_COLUMNS = (
    "rank", "model", "trial", "status", "valid", "test", "best_of_family", "number", "iterations", "seconds",
    "started_at", "ended_at", "node", "device", "gpus", "checkpoint", "error", "is_kept",
)  # fmt: skip


def to_frame(board: Ranking) -> pd.DataFrame:
    """One row a trial: the fields, then `metrics.<part>.<name>`, then `params.<name>`."""
    rows = [_flat(row) for row in board.rows]
    metrics = _names(rows, "metrics.")
    params = _names(rows, "params.")
    return pd.DataFrame(
        {name: _column([row.get(name) for row in rows]) for name in (*_COLUMNS, *metrics, *params)}
    )


def _flat(row: LeaderboardRow) -> dict[str, Any]:
    fields = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    metrics = {
        f"metrics.{part}.{name}": value
        for part, values in row.metrics.items()
        for name, value in values.items()
    }
    params = {f"params.{name}": _scalar(value) for name, value in row.params.items()}
    return {**fields, "status": row.status.value, "gpus": ",".join(row.gpus), **metrics, **params}


def _names(rows: list[dict[str, Any]], prefix: str) -> list[str]:
    """Columns with the prefix, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row if name.startswith(prefix)))


def _column(values: list[Any]) -> Any:
    """A nullable column of the values' own type; one of text and numbers mixed keeps its objects."""
    return pd.array(values) if values else pd.array(values, dtype=object)


def _scalar(value: Any) -> Any:
    """A cell's value: lists and mappings as JSON text."""
    return json.dumps(value) if isinstance(value, (list, dict)) else value
