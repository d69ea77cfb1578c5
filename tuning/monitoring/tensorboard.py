"""TensorBoard: one folder of event files per trial, `<study folder>/tensorboard/<trial id>`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tuning.monitoring._base import (
    TENSORBOARD_FOLDER,
    FollowedStudy,
    final_scalars,
    iteration_scalars,
    test_scalars,
)
from tuning.store import TrialRecord
from tuning.trial import Report, TrialSpec

# An event file with this ending is there when the trial's end, or its test, was written.
_END, _TEST = ".end", ".test"
_EVENT_FILES = "events.out.tfevents.*"


class TensorBoardMonitor:
    """Writes event files, with tensorboard's own writer: neither TensorFlow nor torch is loaded.

    Scalars: `iteration/<metric>`, `iteration/best_<metric>` and `iteration/train_seconds` by iteration;
    `train/...`, `valid/...` and `test/...` at the end. The hyperparameters go to the HParams tab.
    """

    def __init__(self, study: FollowedStudy) -> None:
        self._metric = study.metric
        self._folder = study.folder / TENSORBOARD_FOLDER
        self._curves: dict[str, _Curve] = {}

    def catch_up(self, records: Sequence[TrialRecord]) -> None:
        for record in records:
            if record.status.is_finished:
                self.end(record)
            else:
                self._write_curve(record)

    def start(self, spec: TrialSpec) -> None:
        if spec.id not in self._curves:
            self._curves[spec.id] = _Curve(self._folder / spec.id, f"iteration/{self._metric}", spec.params)

    def report(self, spec: TrialSpec, report: Report) -> None:
        if report.value is not None:
            self.start(spec)
            self._curves[spec.id].add(report.iteration, iteration_scalars(self._metric, report))

    def end(self, record: TrialRecord) -> None:
        folder = self._folder / record.id
        if not _has(folder, _END):
            self._write_curve(record)
            _write(folder, _END, record, final_scalars(record))
        if record.test and not _has(folder, _TEST):
            _write(folder, _TEST, record, test_scalars(record))

    def close(self) -> None:
        for curve in self._curves.values():
            curve.close()
        self._curves.clear()

    def _write_curve(self, record: TrialRecord) -> None:
        """Complete a trial's curve by what the record has, and close its file."""
        tag = f"iteration/{self._metric}"
        curve = self._curves.pop(record.id, None) or _Curve(self._folder / record.id, tag, record.params)
        for iteration, value in record.values.items():
            curve.add(iteration, {tag: value})
        curve.close()


class _Curve:
    """The scalars of a trial by iteration; each iteration is written once, whatever runs came before."""

    def __init__(self, folder: Path, tag: str, params: Mapping[str, Any]) -> None:
        self._known = _iterations(folder, tag)
        self._writer = EventFileWriter(str(folder))
        if not self._known:
            self._add(0, hparams.hparams_pb(_plain(params), trial_id=folder.name))

    def add(self, iteration: int, scalars: Mapping[str, float]) -> None:
        if iteration not in self._known:
            self._known.add(iteration)
            self._add(iteration, _summary(scalars))
            self._writer.flush()

    def _add(self, step: int, summary: Summary) -> None:
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        self._writer.close()


def _iterations(folder: Path, tag: str) -> set[int]:
    """The iterations that a trial's event files have."""
    return {
        event.step
        for path in folder.glob(_EVENT_FILES)
        for event in EventFileLoader(str(path)).Load()
        if any(value.tag == tag for value in event.summary.value)
    }


def _has(folder: Path, ending: str) -> bool:
    return next(folder.glob(f"{_EVENT_FILES}{ending}"), None) is not None


def _write(folder: Path, ending: str, record: TrialRecord, scalars: Mapping[str, float]) -> None:
    moment = time.time() if record.ended_at is None else record.ended_at.timestamp()
    writer = EventFileWriter(str(folder), filename_suffix=ending)
    writer.add_event(Event(wall_time=moment, step=record.iterations, summary=_summary(scalars)))
    writer.close()


def _summary(scalars: Mapping[str, float]) -> Summary:
    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()])


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters as the HParams tab takes them: numbers, booleans and texts."""
    return {
        name: value if isinstance(value, (bool, int, float, str)) else str(value)
        for name, value in params.items()
    }
