"""From a study's records to its ranking."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tuning.leaderboard._board import Leaderboard
from tuning.leaderboard._rows import LeaderboardRow
from tuning.metrics import Direction, Metric, get_metric
from tuning.models import Task
from tuning.store import Metrics, TrialRecord


def build_leaderboard(
    study: str, task: str, metric: str, direction: Direction, records: Iterable[TrialRecord]
) -> Leaderboard:
    """Rank trials by their validation score.

    Ranked is what has a finite score and neither failed, diverged nor still runs. Equal scores are
    ranked by the metric's tie breaker, then by the time they ended, then by family and number. Test
    metrics are shown and never rank.

    Args:
        study: name of the study.
        task: kind of target.
        metric: name of the metric that the scores are of.
        direction: whether low or high scores are better.
        records: the trials, in any order.
    """
    ranked, unranked = _partition(records)
    breaker = get_metric(metric, Task(task)).tie_breaker
    ranked.sort(key=lambda record: _ranking_key(record, direction, breaker))
    unranked.sort(key=lambda record: (record.model, record.number))
    rows = [_row(record, metric, rank) for rank, record in enumerate(ranked, start=1)]
    rows = [*_with_best_of_family(rows), *(_row(record, metric, None) for record in unranked)]
    return Leaderboard(study, task, metric, direction, tuple(rows))


def _partition(records: Iterable[TrialRecord]) -> tuple[list[TrialRecord], list[TrialRecord]]:
    ranked: list[TrialRecord] = []
    unranked: list[TrialRecord] = []
    for record in records:
        is_ranked = record.status.is_ranked and _finite(record.value) is not None
        (ranked if is_ranked else unranked).append(record)
    return ranked, unranked


def _ranking_key(
    record: TrialRecord, direction: Direction, breaker: Metric | None
) -> tuple[float, float, float, str, int]:
    value = math.inf if record.value is None else record.value
    loss = value if direction is Direction.MINIMIZE else -value
    ended_s = math.inf if record.ended_at is None else record.ended_at.timestamp()
    return (loss, _tie_loss(record, breaker), ended_s, record.model, record.number)


def _tie_loss(record: TrialRecord, breaker: Metric | None) -> float:
    if breaker is None or breaker.name not in record.valid:
        return math.inf
    return breaker.to_loss(record.valid[breaker.name])


def _with_best_of_family(rows: Sequence[LeaderboardRow]) -> list[LeaderboardRow]:
    """Mark the first row of each family, given rows by rank."""
    first = {row.model: row.trial for row in reversed(rows)}
    return [dataclasses.replace(row, best_of_family=first[row.model] == row.trial) for row in rows]


def _row(record: TrialRecord, metric: str, rank: int | None) -> LeaderboardRow:
    parts = {"train": record.train, "valid": record.valid, "test": record.test}
    return LeaderboardRow(
        rank=rank,
        model=record.model,
        trial=record.id,
        status=record.status,
        valid=_finite(record.value),
        test=_finite(record.test.get(metric)),
        metrics={part: _finite_metrics(metrics) for part, metrics in parts.items()},
        params={name: _plain(value) for name, value in record.params.items()},
        iterations=record.iterations,
        seconds=record.train_seconds,
        started_at=_iso(record.started_at),
        ended_at=_iso(record.ended_at),
        node=record.placement.node,
        device=record.placement.device,
        gpus=record.placement.gpus,
        checkpoint=record.checkpoint,
        error=record.error,
        number=record.number,
        is_kept=record.is_kept,
    )


def _finite_metrics(metrics: Metrics) -> dict[str, float | None]:
    return {name: _finite(value) for name, value in metrics.items()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """The value as strict JSON has it: lists for tuples, None for what is not finite."""
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
