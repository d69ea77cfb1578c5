"""What is known of a trial, as tables for the terminal and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from tuning.config.duration import format_duration
from tuning.leaderboard.number import format_number
from tuning.metrics import Direction
from tuning.store import TrialRecord

_PARTS = {"train": "training", "valid": "validation", "test": "test"}
_MOST_COLUMNS = 12
_CLASS_COLUMNS = {"precision": "precision", "recall": "recall", "f1": "F1", "roc_auc": "ROC-AUC"}


def trial_json(
    study: str, metric: str, direction: Direction, record: TrialRecord, labels: Sequence[Any]
) -> dict[str, Any]:
    """Everything that the record knows of a trial; `labels` are of the class codes in its details."""
    placement = record.placement
    return {
        "study": study,
        "trial": record.id,
        "model": record.model,
        "status": record.status.value,
        "metric": metric,
        "direction": direction.value,
        "value": _finite(record.value),
        "best_iteration": record.best_iteration,
        "params": dict(record.params),
        "started_at": _iso(record.started_at),
        "ended_at": _iso(record.ended_at),
        "train_seconds": record.train_seconds,
        "attempts": record.attempts,
        "node": placement.node,
        "device": placement.device,
        "gpus": list(placement.gpus),
        "checkpoint": record.checkpoint,
        "is_kept": record.is_kept,
        "note": record.note,
        "error": record.error,
        "values": {str(iteration): _finite(value) for iteration, value in record.values.items()},
        "metrics": {part: _finite_values(getattr(record, part)) for part in _PARTS},
        "classes": list(labels),
        "details": dict(record.details),
    }


def trial_tables(
    study: str, metric: str, direction: Direction, record: TrialRecord, labels: Sequence[Any]
) -> Iterator[Table]:
    """The same as tables, one below the other."""
    yield _facts(study, metric, direction, record)
    yield _pairs("Hyperparameters", record.params)
    if record.train or record.valid:
        yield _metrics(record)
    for part, details in record.details.items():
        if details.get("classes"):
            yield _classes(_PARTS[part], details, labels)
        if details.get("confusion") and len(labels) <= _MOST_COLUMNS:
            yield _confusion(_PARTS[part], details["confusion"], labels)
        if mistakes := _mistakes(details, len(labels)):
            yield _most_frequent(_PARTS[part], mistakes, labels)
        for key, title in (("steps", "step ahead"), ("series", "series")):
            if details.get(key):
                yield _by_name(f"{title}, {_PARTS[part]} rows", details[key])


def _facts(study: str, metric: str, direction: Direction, record: TrialRecord) -> Table:
    better = "lower" if direction is Direction.MINIMIZE else "higher"
    score = f"{format_number(record.value)}{_reached(record)}, {better} is better"
    placement = record.placement
    facts = {
        "status": record.status.value,
        f"validation {metric}": score,
        "training time": format_duration(record.train_seconds),
        "started": _moment(record.started_at),
        "ended": _moment(record.ended_at),
        "attempts": str(record.attempts) if record.attempts > 1 else "",
        "where": " ".join(filter(None, (placement.node, placement.device, *placement.gpus))),
        "checkpoint": record.checkpoint or ("" if record.is_kept else "not kept (storage.keep_trials)"),
        "note": record.note or "",
        "error": record.error or "",
    }
    return _pairs(f"{study}: {record.id}", {name: text for name, text in facts.items() if text})


def _reached(record: TrialRecord) -> str:
    """When the best state was reached; a trial that stops within an iteration has not finished that one."""
    best, finished = record.best_iteration, record.iterations
    if not best:
        return f" of {finished}"
    if best > finished:
        return f" in iteration {best}, {finished} finished"
    return f" at iteration {best} of {finished}"


def _pairs(title: str, entries: Mapping[str, Any]) -> Table:
    table = _table(title, [""], left=2)
    table.show_header = False
    for name, value in entries.items():
        table.add_row(
            Text(name, style="dim"), Text(f"{value:.6g}" if isinstance(value, float) else str(value))
        )
    return table


def _metrics(record: TrialRecord) -> Table:
    parts = {title: getattr(record, part) for part, title in _PARTS.items() if getattr(record, part)}
    table = _table("Metrics", ["metric", *parts])
    for name in dict.fromkeys(name for part in parts.values() for name in part):
        table.add_row(name, *(format_number(part.get(name)) for part in parts.values()))
    return table


def _classes(part: str, details: Mapping[str, Any], labels: Sequence[Any]) -> Table:
    classes = details["classes"]
    table = _table(f"Classes, {part} rows", ["class", *_CLASS_COLUMNS.values(), "rows"])
    for code, label in enumerate(labels):
        scores = (format_number(classes[name][code]) for name in _CLASS_COLUMNS)
        table.add_row(Text(str(label)), *scores, str(classes["support"][code]))
    table.add_section()
    for mean in ("macro", "weighted"):
        scores = (format_number(details[mean][name]) for name in _CLASS_COLUMNS)
        table.add_row(Text(f"{mean} mean", style="dim"), *scores, str(sum(classes["support"])))
    return table


def _confusion(part: str, counts: Sequence[Sequence[int]], labels: Sequence[Any]) -> Table:
    table = _table(f"Confusion, {part} rows", ["true, down", *map(str, labels)])
    for code, (label, row) in enumerate(zip(labels, counts, strict=True)):
        cells = (Text(str(count), style="bold" if code == column else "") for column, count in enumerate(row))
        table.add_row(Text(str(label)), *cells)
    return table


def _mistakes(details: Mapping[str, Any], n_classes: int) -> list[tuple[int, int, int]]:
    """True code, predicted code and rows of the most frequent mistakes, where the matrix is too wide."""
    if n_classes <= _MOST_COLUMNS:
        return []
    matrix = details.get("confusion", [])
    pairs = [
        (true, predicted, count)
        for true, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    pairs += [(true, predicted, count) for true, predicted, count in details.get("confusions", [])]
    return sorted(pairs, key=lambda pair: -pair[2])[:_MOST_COLUMNS]


def _most_frequent(part: str, mistakes: Sequence[tuple[int, int, int]], labels: Sequence[Any]) -> Table:
    table = _table(f"Most frequent mistakes, {part} rows", ["true", "predicted", "rows"], left=2)
    for true, predicted, count in mistakes:
        table.add_row(Text(str(labels[true])), Text(str(labels[predicted])), str(count))
    return table


def _by_name(title: str, scores: Mapping[str, Mapping[str, float | None]]) -> Table:
    names = list(dict.fromkeys(name for each in scores.values() for name in each))
    table = _table(f"Metrics by {title}", [title.split(",")[0], *names])
    for key, each in scores.items():
        table.add_row(Text(key), *(format_number(each.get(name)) for name in names))
    return table


def _table(title: str, columns: Sequence[str], left: int = 1) -> Table:
    """A table whose first `left` columns are texts and the others numbers; labels are never markup."""
    table = Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        min_width=len(title) + 2,  # a title is broken at the width of its table
    )
    for place, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if place < left else "right")
    return table


def _finite_values(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _finite(value) for name, value in metrics.items()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(sep=" ", timespec="seconds")
