"""CatBoost: boosting with ordered statistics of categories (Prokhorenkova et al., NeurIPS 2018)."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal

import catboost
import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from tuning.models._boosting import BoostingParams, GradientBoosting
from tuning.models._checksums import verify_checksums, write_checksums
from tuning.models._table import FloatArray, Loss, Table, Task
from tuning.models._trees import training_target, training_weight

_MODEL_FILE = "catboost.cbm"
_SNAPSHOT_FILE = "catboost.snapshot"
_NEVER_S = 10**9
_BORDER_COUNT = 254
_IMPOSSIBLE = -1e30
_GPU_RAM_PART = 0.95  # CatBoost's own default, of a whole GPU
_FEW_ITERATIONS = 200  # below, CatBoost chooses cheaper defaults
_FEW_ROWS = 40  # below, a sample of half of them can come out empty, which CatBoost refuses
_NOTHING_TO_SAMPLE = "Too few sampling units"
_OBJECTIVES = {Loss.SQUARED: "RMSE", Loss.ABSOLUTE: "MAE"}


class CatBoostParams(BoostingParams):
    """Hyperparameters by CatBoost's names.

    `bagging_temperature` belongs to the Bayesian bootstrap alone, `subsample` to the other two. `rsm`,
    the share of columns per split, is left out on a GPU, where CatBoost does not have it.
    """

    iterations: int = Field(ge=1)
    depth: int = Field(ge=1, le=16)
    l2_leaf_reg: float = Field(ge=0)
    random_strength: float = Field(ge=0)
    bootstrap_type: Literal["Bayesian", "MVS", "Bernoulli"]
    bagging_temperature: float | None = Field(default=None, ge=0)
    subsample: float | None = Field(default=None, gt=0, le=1)
    rsm: float = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _sampling_fits_bootstrap(self) -> CatBoostParams:
        idle = "subsample" if self.bootstrap_type == "Bayesian" else "bagging_temperature"
        if getattr(self, idle) is not None:
            raise ValueError(f"{idle} means nothing under the {self.bootstrap_type} bootstrap: leave it out")
        return self


class CatBoost(GradientBoosting[CatBoostParams]):
    """CatBoost on CPU or GPU; a missing category is a category of its own.

    Every unit goes on from the snapshot that the unit before left, which carries the random state,
    so going on from a checkpoint is nothing special. A unit has a fixed cost of two to three rounds,
    hence fewer, larger units than the other boosters have. Below 40 training rows every tree sees them all.
    """

    Params = CatBoostParams
    uses_gpu = True
    max_units = 18
    library_errors: ClassVar[tuple[type[Exception], ...]] = (catboost.CatBoostError,)

    _booster: catboost.CatBoost | None = None
    _pool: catboost.Pool | None = None
    _scratch: TemporaryDirectory[str] | None = None

    @property
    def total_trees(self) -> int:
        return self.params.iterations

    @property
    def _snapshot(self) -> Path:
        """The snapshot to go on from, in a folder that is this object's own."""
        if self._scratch is None:
            self._scratch = TemporaryDirectory(prefix="catboost-")
        return Path(self._scratch.name) / _SNAPSHOT_FILE

    def bind(self, train: Table, valid: Table) -> None:
        super().bind(train, valid)
        self._pool = None

    def _grow(self, train: Table, trees: int) -> int:
        booster = catboost.CatBoost({**self._training_params(train), "iterations": trees})
        try:
            booster.fit(
                self._pool_of(train),
                save_snapshot=True,
                snapshot_file=str(self._snapshot),
                snapshot_interval=_NEVER_S,  # written when a fit ends
            )
        except catboost.CatBoostError as error:
            if self._booster is None or _NOTHING_TO_SAMPLE not in str(error):
                raise
            return self._trees_done  # every training row is right: no gradient is left to sample by
        self._booster = booster
        return int(booster.tree_count_)

    def _training_params(self, train: Table) -> dict[str, Any]:
        p = self.params
        return {
            **self._objective(),
            **self._sampling(train),
            **self._gpu_memory(),
            "learning_rate": p.learning_rate,
            "depth": p.depth,
            "l2_leaf_reg": p.l2_leaf_reg,
            "random_strength": p.random_strength,
            "boosting_type": "Plain",
            "allow_const_label": True,  # of few rows, the training part can hold one value
            # CatBoost's own choice, which it would else take from the rounds so far, not from all.
            "max_ctr_complexity": 1 if p.iterations < _FEW_ITERATIONS else 4,
            "random_seed": self.seed,
            "thread_count": self.threads,
            "task_type": self._task_type,
            "metric_period": p.iterations,
            "train_dir": str(self._snapshot.parent),
            "logging_level": "Silent",
        }

    @property
    def _task_type(self) -> str:
        return "GPU" if self.device.startswith("cuda") else "CPU"

    def _gpu_memory(self) -> dict[str, Any]:
        """CatBoost takes at its start a part of what is then free of the GPU, and keeps to it."""
        if self._task_type == "CPU":
            return {}
        return {"gpu_ram_part": _GPU_RAM_PART * min(1.0, self.gpu_share)}

    def _objective(self) -> dict[str, Any]:
        if self.schema.task is Task.MULTICLASS:
            return {"loss_function": "MultiClass", "classes_count": self.schema.n_classes}
        if self.schema.task is Task.BINARY:
            # CatBoost's own choice again, pinned to all rounds like max_ctr_complexity.
            newton_steps = 1 if self.params.iterations < _FEW_ITERATIONS else 10
            return {"loss_function": "Logloss", "leaf_estimation_iterations": newton_steps}
        return {"loss_function": _OBJECTIVES[self.schema.loss]}

    def _sampling(self, train: Table) -> dict[str, Any]:
        """How rows and columns are sampled; no rows where there are few, or all have one target."""
        p = self.params
        target = train.known_target
        sampling: dict[str, Any] = {
            "bootstrap_type": p.bootstrap_type,
            "bagging_temperature": p.bagging_temperature,
            "subsample": p.subsample,
        }
        if len(train) < _FEW_ROWS or bool((target == target[0]).all()):
            sampling = {"bootstrap_type": "No"}
        sampling["rsm"] = p.rsm if self._task_type == "CPU" else None
        return {name: value for name, value in sampling.items() if value is not None}

    def _pool_of(self, train: Table) -> catboost.Pool:
        if self._pool is None:
            pool = self._new_pool(train, label=training_target(train, self), weight=training_weight(train))
            pool.quantize(border_count=_BORDER_COUNT, task_type=self._task_type)
            self._pool = pool
        return self._pool

    def _features(self, table: Table) -> catboost.Pool:
        return self._new_pool(table)

    def _new_pool(self, table: Table, **columns: Any) -> catboost.Pool:
        numbers = np.hstack([table.numeric, table.embedding], dtype=np.float32)
        codes = pd.DataFrame(table.categorical)
        frame = pd.concat([pd.DataFrame(numbers), codes], axis=1, ignore_index=True)
        cat_features = list(range(numbers.shape[1], frame.shape[1]))
        return catboost.Pool(frame, cat_features=cat_features, thread_count=self.threads, **columns)

    def _add_scores(
        self, known: FloatArray | None, features: catboost.Pool, first: int, last: int
    ) -> FloatArray:
        assert self._booster is not None
        if last == first and known is not None:  # nothing was left to learn
            return known
        raw = self._booster.predict(
            features,
            prediction_type="RawFormulaVal",
            ntree_start=first,
            ntree_end=last,
            thread_count=self.threads,
        )
        scores: FloatArray = np.asarray(raw).reshape(-1, self.n_scores)  # (n,) or (n, k) -> (n, k)
        if self.schema.task is Task.MULTICLASS:  # -inf for a class that no training row has
            scores = np.maximum(scores, _IMPOSSIBLE)
        return scores if known is None else known + scores

    def _truncate(self, trees: int) -> None:
        self._snapshot.unlink(missing_ok=True)  # holds later trees: going on would start from tree 0
        if trees and self._booster is not None:
            self._booster.shrink(ntree_end=trees)
        else:
            self._booster = None

    def _write_booster(self, folder: Path) -> list[str]:
        assert self._booster is not None
        self._booster.save_model(str(folder / _MODEL_FILE), format="cbm")
        return [_MODEL_FILE]

    def _write_training(self, folder: Path) -> None:
        if self._snapshot.is_file():
            shutil.copyfile(self._snapshot, folder / _SNAPSHOT_FILE)
            write_checksums(folder, [_SNAPSHOT_FILE])

    def _read_booster(self, folder: Path) -> None:
        self._booster = catboost.CatBoost().load_model(str(folder / _MODEL_FILE), format="cbm")
        self._snapshot.unlink(missing_ok=True)
        # Beside the trees in checkpoints of earlier versions.
        self._take_snapshot(folder / _SNAPSHOT_FILE)

    def _read_training(self, folder: Path) -> None:
        if (folder / _SNAPSHOT_FILE).is_file():
            verify_checksums(folder)
            self._take_snapshot(folder / _SNAPSHOT_FILE)

    def _take_snapshot(self, file: Path) -> None:
        if file.is_file():
            shutil.copyfile(file, self._snapshot)
