"""`tuning audit`: the record and the folder, compared trial by trial."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tuning.data import PreparedData, fingerprint, prepare, read_frame
from tuning.errors import InputError, RecordError, TuningError
from tuning.leaderboard import Leaderboard, build_leaderboard
from tuning.metrics import Direction
from tuning.models import Schema
from tuning.session import StudyFolder
from tuning.space import Space
from tuning.store import Status, TrialRecord, trial_id
from tuning.study._bundle import BUNDLE_FILE, load_transforms
from tuning.study._restore import find_family, restore_models
from tuning.study._setup import StudyHeader

_SPLIT_COLUMNS = {"row", "part", "fold"}


@dataclass(frozen=True)
class Finding:
    """One disagreement: where, and what is wrong."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


def audit(header: StudyHeader, folder: StudyFolder) -> tuple[Finding, ...]:
    """Every disagreement between the record and the folder; empty when all is well.

    Checked: the record is this study's, of its families and what they search, and its data are those that it
    began with; no trial is missing or recorded twice; finished trials have what their state promises;
    every checkpoint that the record names lies in the study folder and loads; the splits are readable
    and fit the data, as long as those are there unchanged. When the last run came to its end, also: no
    trial is left running whose end was recorded; leaderboard and bundle follow from the record.
    """
    with header.open_store(folder) as store:
        records = store.trials()
        states = {name: [t.state.name for t in store.frozen_trials(name)] for name in store.families()}
        told = store.study()
        torn = store.half_written()
        runs = store.runs()
    at_rest = bool(runs) and runs[-1].ended and not folder.is_driven()
    with folder.copy() as copy:
        return tuple(
            itertools.chain(
                _check_study(records, told, tuple(states), header),
                _check_data(header, folder, copy),
                _check_numbers(records),
                _check_folders(records, copy),
                *(_check_trial(record, header.direction) for record in records),
                _check_states(records, states),
                _check_checkpoints(records, header, copy),
                _check_splits(header, copy),
                _check_end(records, torn, header, copy) if at_rest else (),
            )
        )


def _check_study(
    records: Iterable[TrialRecord], told: Mapping[str, str], families: Sequence[str], header: StudyHeader
) -> Iterator[Finding]:
    """Compare the record with the study file: whose it is, its families, and what they search."""
    place, spaces = "study.yaml", {family.name: family.space for family in header.families}
    for key, value in header.identity.items():
        if told.get(key, value) != value:
            yield Finding(place, f"has the {key} {value}, but the record is of a study with {told[key]}")
    for name in families:
        if name not in spaces:
            yield Finding(place, f"has no family {name}, of which the record has trials")
    for record in records:
        if record.model in spaces and (strange := _strange(record, spaces[record.model])):
            yield Finding(record.id, f"has {strange}, which the study file does not search")


def _strange(record: TrialRecord, space: Space) -> str:
    """Name the hyperparameters of a trial that its family's space does not have."""
    return ", ".join(sorted(record.params.keys() - space.parameters.keys() - space.fixed.keys()))


def _check_data(header: StudyHeader, folder: StudyFolder, copy: StudyFolder) -> Iterator[Finding]:
    """Compare the study's table with its fingerprint, where it is here; one in the folder has to be."""
    file = place = Path(header.config.data.path)
    if file.is_relative_to(folder.root):
        place = file.relative_to(folder.root)
        file = copy.root / place
        if not file.exists():
            yield Finding(str(place), "is missing, in which the study keeps its data")
    if file.is_file() and fingerprint(file) != header.data_sha256:
        yield Finding(str(place), "changed since the study began")


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
    if record.status in (Status.COMPLETED, Status.PRUNED) and record.checkpoint is None and record.is_kept:
        yield Finding(record.id, f"{record.status} without a checkpoint")
    if record.status.is_finished and finite and record.value is not None:
        best = min(finite) if direction is Direction.MINIMIZE else max(finite)
        worse = record.value > best if direction is Direction.MINIMIZE else record.value < best
        if worse:
            yield Finding(record.id, f"its score {record.value:g} is worse than its report {best:g}")
    if record.status is Status.INTERRUPTED and record.checkpoint is not None and record.value is None:
        yield Finding(record.id, "its checkpoint is recorded without a score")


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
    try:
        schemas = _schemas(header, folder) if named else []
    except (InputError, OSError, ValueError) as error:
        yield Finding(folder.transforms.name, f"cannot be made again, so no checkpoint was loaded: {error}")
        return
    for record, checkpoint in named:
        try:
            path = folder.resolve(checkpoint)
            restore_models(record, path, find_family(header.families, record.model), schemas)
        except TuningError as error:
            yield Finding(record.id, f"its checkpoint does not load: {error}")


def _schemas(header: StudyHeader, folder: StudyFolder) -> list[Schema]:
    """Columns of each fold; from the data when the run was killed before it wrote the transforms."""
    if folder.transforms.exists():
        return [transform.schema for transform in load_transforms(folder)]
    return [fold.schema for fold in _prepare(header, folder).folds]


def _prepare(header: StudyHeader, folder: StudyFolder) -> PreparedData:
    config, splits = header.config, pd.read_parquet(folder.splits_file)
    frame = read_frame(config.data.path, config.data.delimiter)
    return prepare(
        frame, config.data, config.target, config.split, config.metric, config.search.seed, splits=splits
    )


def _check_splits(header: StudyHeader, folder: StudyFolder) -> Iterator[Finding]:
    place = folder.splits_file.name
    try:
        splits = pd.read_parquet(folder.splits_file)
    except (OSError, ValueError) as error:
        yield Finding(place, f"cannot be read: {' '.join(str(error).split())}")
        return
    if missing := sorted(_SPLIT_COLUMNS - set(splits.columns)):
        yield Finding(place, f"has no column {', '.join(missing)}")
        return
    if splits["row"].duplicated().any():
        yield Finding(place, "has rows twice")
    data = Path(header.config.data.path)
    if data.exists() and fingerprint(str(data)) == header.data_sha256:
        yield from _check_coverage(header, folder)


def _check_coverage(header: StudyHeader, folder: StudyFolder) -> Iterator[Finding]:
    """Whether the study's data can be prepared with the recorded splits."""
    try:
        _prepare(header, folder)
    except InputError as error:
        yield Finding(folder.splits_file.name, str(error))


def _check_end(
    records: Sequence[TrialRecord], torn: Sequence[str], header: StudyHeader, folder: StudyFolder
) -> Iterator[Finding]:
    """What holds after a run that came to its end; a killed one leaves it to the next to put right."""
    for trial in torn:
        yield Finding(trial, "its end was recorded, but it is left running")
    expected = build_leaderboard(
        header.config.name, header.task.value, header.metric, header.direction, records
    )
    yield from _check_leaderboard(expected, folder)
    yield from _check_bundle(expected, folder)


def _check_leaderboard(expected: Leaderboard, folder: StudyFolder) -> Iterator[Finding]:
    place = folder.leaderboard_json.name
    try:
        written = Leaderboard.from_json(folder.leaderboard_json.read_text())
    except (OSError, RecordError) as error:
        yield Finding(place, f"cannot be read: {error}")
        return
    pairs = itertools.zip_longest(_ranks(expected), _ranks(written))
    wrong = next(((ours or theirs) for ours, theirs in pairs if ours != theirs), None)
    if wrong is not None:
        yield Finding(place, f"does not follow from the record, first at {wrong[0]}")


def _ranks(leaderboard: Leaderboard) -> list[tuple[str, int | None, float | None]]:
    return [(row.trial, row.rank, row.valid) for row in leaderboard.rows]


def _check_bundle(expected: Leaderboard, folder: StudyFolder) -> Iterator[Finding]:
    place = folder.best.name
    if not folder.best.exists():
        if expected.best is not None:
            yield Finding(place, f"is missing; {expected.best.trial} is ranked first")
        return
    try:
        trial = json.loads((folder.best / BUNDLE_FILE).read_text())["trial"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Finding(place, f"has no readable {BUNDLE_FILE}: {error}")
        return
    if trial not in {row.trial for row in expected.rows}:
        yield Finding(place, f"holds {trial}, which the record does not have")
    elif expected.best is not None and trial != expected.best.trial:
        yield Finding(place, f"holds {trial}, but {expected.best.trial} is ranked first")
