"""What stays on the disk of trials that ended: what predicts, of the trials that are to be kept."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tuning.errors import RecordError
from tuning.metrics import Direction
from tuning.session._folder import StudyFolder
from tuning.store import Status, Store, TrialRecord, trial_id
from tuning.trial import BEST, CHECKPOINTS, keep_what_predicts


class Keeping:
    """Deletes of one family's ended trials what nothing needs any more; never their record.

    Of a trial that ended stays the checkpoint that the record names, without the state of its training. With
    a limit, trials that are out of the running keep none: those that failed or diverged, and those that
    so many ended trials of their family have beaten. A trial that ties with the last of these is kept.

    Args:
        model: family name.
        folder: of the study.
        store: the record.
        keep_trials: trials of the family that keep their models; None: all.
    """

    def __init__(self, model: str, folder: StudyFolder, store: Store, keep_trials: int | None) -> None:
        self._model = model
        self._folder = folder
        self._store = store
        self._keep_trials = keep_trials
        self._losses: dict[int, float] = {}

    def take_over(self, records: Iterable[TrialRecord]) -> None:
        """Delete what a driver left that was killed, or ran under another limit."""
        for record in records:
            if record.status.is_finished:
                self._tidy(record.number, record.checkpoint)
                if record.checkpoint is not None:
                    self._note(record.number, record.status, record.value)
        self._drop_beaten()

    def end(self, number: int, status: Status, value: float | None) -> None:
        """Take the end of a trial, after the record."""
        checkpoint = self._store.checkpoint(self._model, number)
        self._tidy(number, checkpoint)
        self._tidy_elsewhere(number, checkpoint)
        if checkpoint is not None:
            self._note(number, status, value)
        self._drop_beaten()

    def _note(self, number: int, status: Status, value: float | None) -> None:
        """Take a trial's loss (lower is better); inf where it is never ranked."""
        self._losses[number] = math.inf
        if value is not None and status.is_ranked:
            self._losses[number] = value if self._store.direction is Direction.MINIMIZE else -value

    def _drop_beaten(self) -> None:
        if self._keep_trials is None:
            return
        losses = sorted(self._losses.values())
        last = losses[min(self._keep_trials, len(losses)) - 1] if losses else math.inf
        beaten = [number for number, loss in self._losses.items() if loss > last or math.isinf(loss)]
        for number in beaten:
            del self._losses[number]
            # First in the record: it never names a model that is gone.
            self._store.drop_model(self._model, number)
            for name in (CHECKPOINTS, BEST):
                self._folder.mirror.delete(self._trial(number) / name)

    def _tidy(self, number: int, checkpoint: str | None) -> None:
        """Delete on this disk what the trial does not need any more."""
        keep_what_predicts(self._trial(number), self._name(number, checkpoint))

    def _tidy_elsewhere(self, number: int, checkpoint: str | None) -> None:
        """Delete in an object store the checkpoints that are not the record's."""
        folder, name = self._trial(number), self._name(number, checkpoint)
        if name is None or not name.startswith(CHECKPOINTS):
            self._folder.mirror.delete(folder / CHECKPOINTS)
        else:
            self._folder.mirror.keep_only(folder / CHECKPOINTS, [folder / name])

    def _name(self, number: int, checkpoint: str | None) -> str | None:
        """Return a checkpoint's path within its trial's folder.

        Raises:
            RecordError: it lies elsewhere, where nothing is to be deleted.
        """
        if checkpoint is None:
            return None
        path, folder = PurePosixPath(checkpoint), f"trials/{self._id(number)}"
        if not path.is_relative_to(folder) or ".." in path.parts:
            raise RecordError(f"The record of {self._id(number)} names {checkpoint!r}, outside its folder.")
        return path.relative_to(folder).as_posix()

    def _trial(self, number: int) -> Path:
        return self._folder.trial(self._id(number))

    def _id(self, number: int) -> str:
        return trial_id(self._model, number)
