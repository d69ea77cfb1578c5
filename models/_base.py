"""The contract that every model keeps. `tests/models/test_conformance.py` holds each model to it."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from tuning.models._group import ALONE, Distribution, WorkerGroup
from tuning.models._table import Schema, Table, Task
from tuning.models.errors import CheckpointError, ModelError

_STATE_FILE = "model.json"

TRAINING = "training"
"""Folder in a model's checkpoint with what only going on with the training needs; it may be deleted."""

# Measured at the peak, for 2e5 rows with 50 columns, of the network that trains on all rows at once.
_ROW_COPIES = 3


class Params(BaseModel):
    """Base of a model's hyperparameters: frozen, typed, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ParamsT = TypeVar("ParamsT", bound=Params)


class Model(ABC, Generic[ParamsT]):
    """One hyperparameter configuration that is trained unit by unit.

    Life of a model::

        model = SomeModel(params, schema, seed=0)
        model.bind(train, valid)
        for _ in range(model.total_units):
            model.advance()
            outputs = model.predict_valid()
            model.observe(loss)            # told the validation loss, for learning-rate schedules
            if better: model.mark_best()
        model.restore_best()
        outputs = model.predict(test)

    `save` writes both the current and the best state; after `load` into a fresh object, training
    goes on as if it had never stopped. `load` without `bind` is enough to predict.

    Args:
        params: the hyperparameters.
        schema: the columns.
        seed: of all random draws.
        device: `cpu` or `cuda`.
        threads: CPU threads to use.
        gpu_share: the part of the GPU's memory that the model may take, 1 or more: all of it.

    Class attributes:
        Params: the hyperparameters' type.
        tasks: the tasks that the model can do.
        uses_gpu: whether a GPU makes the model faster.
        reads_sequences: whether the model reads `Table.sequence` where there is one.
        continues_exactly: True when k units, save, load, k units gives the very bits of 2k units.
            False when that holds only if the unbroken run passes through the same save and load;
            the trial loop then reloads the model after each checkpoint, so that an interrupted
            trial still equals an uninterrupted one.
        distribution: how processes that train one model together reach each other; None: it cannot be
            trained by several.
        learns: False for a baseline: it has no hyperparameters, and training changes nothing.
    """

    Params: ClassVar[type[Params]]
    tasks: ClassVar[frozenset[Task]] = frozenset(Task)
    uses_gpu: ClassVar[bool] = False
    reads_sequences: ClassVar[bool] = False
    continues_exactly: ClassVar[bool] = True
    distribution: ClassVar[Distribution | None] = None
    learns: ClassVar[bool] = True

    def __init__(
        self,
        params: ParamsT,
        schema: Schema,
        *,
        seed: int = 0,
        device: str = "cpu",
        threads: int = 1,
        gpu_share: float = 1.0,
    ) -> None:
        if schema.task not in self.tasks:
            raise ModelError(f"{type(self).__name__} cannot do {schema.task}: it does {sorted(self.tasks)}.")
        self.params = params
        self.schema = schema
        self.seed = seed
        self.device = device
        self.threads = threads
        self.gpu_share = gpu_share
        self.units_done = 0
        self.best_units = 0
        self.group = ALONE
        self._train: Table | None = None
        self._valid: Table | None = None

    @property
    @abstractmethod
    def total_units(self) -> int:
        """The full budget: epochs of a network, blocks of rounds or trees of an ensemble. At least 1."""

    @property
    def patience_units(self) -> int | None:
        """Units without improvement after which training is stopped early; None: never."""
        return None

    @property
    def train_loss(self) -> float | None:
        """Mean loss on the training rows in the last unit, where the model knows it."""
        return None

    def join(self, group: WorkerGroup) -> None:
        """Train together with the other processes of a group, from before `bind` on.

        Every process is given the same rows and makes the same calls; each learns from its own share of
        the rows, and all hold the same model after each unit. Any of them can save it.

        Raises:
            ModelError: the model cannot be trained by several processes.
        """
        if not group.is_alone and self.distribution is None:
            raise ModelError(f"{type(self).__name__} cannot be trained by {group.size} processes.")
        self.group = group

    @classmethod
    def host_bytes(cls, params: ParamsT, schema: Schema, table: Table) -> int:
        """What training on these rows holds in host memory beside them, as far as that can be foretold.

        The rows themselves lie once on a machine, for all models that are trained there.
        """
        return _ROW_COPIES * table.nbytes

    def bind(self, train: Table, valid: Table) -> None:
        """Give the rows to train on and those that steer (schedules, early stopping, best state)."""
        self._train, self._valid = train, valid

    def advance(self) -> None:
        """Train one unit.

        Raises:
            DivergedError: NaN, inf or an exploding loss; `restore_best` still works.
            ModelError: called before `bind`.
        """
        if self._train is None:
            raise ModelError("advance() needs bind(train, valid) first.")
        self._advance(self._train)
        self.units_done += 1

    @abstractmethod
    def _advance(self, train: Table) -> None:
        """Train unit number `self.units_done` (0-based)."""

    def observe(self, loss: float) -> None:
        """Hear the validation loss of the unit just done (lower is better)."""

    def mark_best(self) -> None:
        """Keep the present state as the best so far."""
        self.best_units = self.units_done

    @abstractmethod
    def restore_best(self) -> None:
        """Make the marked best state the present one. A no-op when nothing was marked."""

    @abstractmethod
    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        """Outputs of the present state: (n,) on the original scale, or (n, n_classes) probabilities."""

    def predict_valid(self) -> npt.NDArray[np.float64]:
        """`predict` for the bound validation rows; families with a cheap incremental way override it."""
        if self._valid is None:
            raise ModelError("predict_valid() needs bind(train, valid) first.")
        return self.predict(self._valid)

    def save(self, folder: Path, *, to_go_on: bool = True) -> None:
        """Write the present and the best state into `folder` (created; no pickle in it).

        Args:
            folder: of the checkpoint.
            to_go_on: with what going on with the training needs; without, it is enough to predict.
        """
        folder.mkdir(parents=True, exist_ok=True)
        state = {"model": type(self).__name__, "units_done": self.units_done, "best_units": self.best_units}
        self._save(folder)
        if to_go_on:
            self._save_training(folder / TRAINING)
        else:
            shutil.rmtree(folder / TRAINING, ignore_errors=True)  # Of an earlier save.
        state[TRAINING] = (folder / TRAINING).is_dir()
        (folder / _STATE_FILE).write_text(json.dumps(state))

    def load(self, folder: Path, *, to_go_on: bool = False) -> None:
        """Read what `save` wrote; where its part for training is gone, call `restore_best` then.

        Args:
            folder: of the checkpoint.
            to_go_on: refuse a checkpoint whose part for training was deleted.

        Raises:
            CheckpointError: the folder is incomplete, damaged or another model's.
        """
        try:
            state = json.loads((folder / _STATE_FILE).read_text())
            if state["model"] != type(self).__name__:
                raise CheckpointError(f"{folder} holds a {state['model']}, not a {type(self).__name__}.")
            self.units_done, self.best_units = int(state["units_done"]), int(state["best_units"])
            self._load(folder)
            if (folder / TRAINING).is_dir():
                self._load_training(folder / TRAINING)
            elif to_go_on and state.get(TRAINING):
                raise CheckpointError(f"{folder} has only what predicts, so training cannot go on from it.")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{folder} is not a readable checkpoint: {error}.") from error

    @abstractmethod
    def _save(self, folder: Path) -> None:
        """Write the model's own files: at least what predicts, in the best state."""

    def _save_training(self, folder: Path) -> None:
        """Write what only going on needs into `folder`, which is there if the model makes it.

        A model that is small writes everything in `_save`.
        """

    @abstractmethod
    def _load(self, folder: Path) -> None:
        """Read the model's own files; `units_done` and `best_units` are set already."""

    def _load_training(self, folder: Path) -> None:
        """Read what `_save_training` wrote, after `_load`."""
