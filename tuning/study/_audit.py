"""`tuning audit`: the record and the folder, compared trial by trial."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from models import Schema
from models.errors import CheckpointError, ModelError
from tuning.errors import InputError
from tuning.leaderboard import Leaderboard, build_leaderboard
from tuning.metrics import Direction
from tuning.session import StudyFolder
from tuning.store import Status, TrialRecord, is_driven, trial_id
from tuning.study._bundle import load_transforms
from tuning.study._restore import find_family, restore_models
from tuning.study._setup import StudyHeader, take_up


@dataclass(frozen=True)
class Finding:
    """One disagreement: where, and what is wrong."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


def audit(header: StudyHeader, folder: StudyFolder) -> tuple[Finding, ...]:
    """Every disagreement between the record and the folder; empty when all is well.

    Checked: no trial is missing or recorded twice; none is left running while nobody runs the study;
    finished trials have what their state promises; every checkpoint that the record names lies in the
    study folder and loads; the leaderboard's order follows from the record.
    """
    store = header.open_store(folder)
    try:
        records = store.trials()
        states = {name: [t.state.name for t in store.frozen_trials(name)] for name in store.families()}
    finally:
        store.close()
    driven = is_driven(folder.root)
    return tuple(
        itertools.chain(
            _check_numbers(records),
            _check_folders(records, folder),
            *(_check_trial(record, header.direction) for record in records),
            _check_states(records, states),
            _check_checkpoints(records, header, folder),
            () if driven else _check_leaderboard(records, header, folder),
        )
    )


def _check_numbers(records: Sequence[TrialRecord]) -> Iterator[Finding]:
    for model in {record.model for record in records}:
        numbers = [record.number for record in records if record.model == model]
        for number, count in Counter(numbers).items():
            if count > 1:
                yield Finding(trial_id(model, number), f"recorded {count} times")
        for number in sorted(set(range(len(numbers))) - set(numbers)):
            yield Finding(trial_id(model, number), "missing from the record")


def _check_folders(records: Iterable[TrialRecord], folder: StudyFolder) -> Iterator[Finding]:
    known = {record.id for record in records}
    for path in sorted((folder.root / "trials").glob("*")):
        if path.is_dir() and path.name not in known:
            yield Finding(path.name, "has a folder but no record")


def _check_trial(record: TrialRecord, direction: Direction) -> Iterator[Finding]:
    finite = [value for value in record.values.values() if math.isfinite(value)]
    if record.status is Status.COMPLETED and record.value is None:
        yield Finding(record.id, "completed without a score")
    if record.status is Status.PRUNED and not record.values:
        yield Finding(record.id, "pruned without a score to judge by")
    if record.status in (Status.FAILED, Status.DIVERGED) and not record.error:
        yield Finding(record.id, f"{record.status} without a reason")
    if record.status in (Status.COMPLETED, Status.PRUNED) and record.checkpoint is None:
        yield Finding(record.id, f"{record.status} without a checkpoint")
    if finite and record.value is not None:
        best = min(finite) if direction is Direction.MINIMIZE else max(finite)
        worse = record.value > best if direction is Direction.MINIMIZE else record.value < best
        if worse:
            yield Finding(record.id, f"its score {record.value:g} is worse than its report {best:g}")


def _check_states(records: Iterable[TrialRecord], states: dict[str, list[str]]) -> Iterator[Finding]:
    """The study's own status against Optuna's state."""
    wanted = {
        Status.COMPLETED: "COMPLETE",
        Status.PRUNED: "PRUNED",
        Status.FAILED: "FAIL",
        Status.DIVERGED: "FAIL",
        Status.RUNNING: "RUNNING",
        Status.INTERRUPTED: "RUNNING",
    }
    for record in records:
        state = states[record.model][record.number]
        if state != wanted[record.status]:
            yield Finding(record.id, f"{record.status}, but {state} in the Optuna storage")


def _check_checkpoints(
    records: Iterable[TrialRecord], header: StudyHeader, folder: StudyFolder
) -> Iterator[Finding]:
    named = [(record, record.checkpoint) for record in records if record.checkpoint is not None]
    schemas = _schemas(header, folder) if named else []
    for record, checkpoint in named:
        try:
            path = folder.resolve(checkpoint)
            restore_models(record, path, find_family(header.families, record.model), schemas)
        except (CheckpointError, ModelError, InputError) as error:
            yield Finding(record.id, f"its checkpoint does not load: {error}")


def _schemas(header: StudyHeader, folder: StudyFolder) -> list[Schema]:
    """Columns of each fold; from the data when the run was killed before it wrote the transforms."""
    if folder.transforms.exists():
        return [transform.schema for transform in load_transforms(folder)]
    return [fold.schema for fold in take_up(folder.root.parent, header.config.name, {}).data.folds]


def _check_leaderboard(
    records: Sequence[TrialRecord], header: StudyHeader, folder: StudyFolder
) -> Iterator[Finding]:
    expected = build_leaderboard(
        header.config.name, header.task.value, header.metric, header.direction, records
    )
    yield from _check_ranks(expected)
    if not folder.leaderboard_json.exists():
        return
    written = Leaderboard.from_json(folder.leaderboard_json.read_text())
    if not _is_current(folder.leaderboard_json, records):
        return
    wrong = [
        row.trial
        for row, other in zip(expected.rows, written.rows, strict=False)
        if (row.trial, row.rank) != (other.trial, other.rank)
    ]
    if wrong or len(written.rows) != len(expected.rows):
        yield Finding(
            "leaderboard.json", f"does not follow from the record, first at {(wrong or ['its end'])[0]}"
        )


def _check_ranks(leaderboard: Leaderboard) -> Iterator[Finding]:
    for row in leaderboard.rows:
        if row.rank is not None and row.status in (Status.FAILED, Status.DIVERGED):
            yield Finding(row.trial, f"{row.status}, but ranked {row.rank}")


def _is_current(path: Path, records: Iterable[TrialRecord]) -> bool:
    """Whether the leaderboard was written after the last trial ended (a killed run writes none)."""
    ended = [record.ended_at for record in records if record.ended_at is not None]
    if not ended:
        return True
    last = pd.Timestamp(max(ended))
    last = last.tz_localize("UTC") if last.tzinfo is None else last
    return bool(pd.Timestamp(path.stat().st_mtime, unit="s", tz="UTC") >= last)
