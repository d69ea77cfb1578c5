"""LightGBM: leaf-wise gradient boosting on histograms (Ke et al., NeurIPS 2017)."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import lightgbm
import numpy as np
from lightgbm.basic import LightGBMError
from pydantic import Field

from tuning.models._boosting import BoostingParams, GradientBoosting
from tuning.models._group import Distribution, WorkerGroup
from tuning.models._row_bounds import bounded_rows
from tuning.models._table import FloatArray, Loss, Table, Task
from tuning.models._trees import feature_matrix, training_target, training_weight

_MODEL_FILE = "lightgbm.txt"
_CONNECT_MINUTES = 5
_OBJECTIVES = {Loss.SQUARED: "regression", Loss.ABSOLUTE: "regression_l1"}

# LightGBM's own defaults, which are made for tables of thousands of rows.
_ROWS_PER_BIN = 3
_ROWS_PER_CATEGORY_GROUP = 100
_ROWS_PER_CATEGORY = 10
_CATEGORIES_PER_LEAF = 4


class LightGBMParams(BoostingParams):
    """Hyperparameters by their names in LightGBM's scikit-learn interface."""

    n_estimators: int = Field(ge=1)
    max_depth: int
    num_leaves: int = Field(ge=2)
    min_child_samples: int = Field(ge=0)
    reg_alpha: float = Field(ge=0)
    reg_lambda: float = Field(ge=0)
    subsample: float = Field(gt=0, le=1)
    colsample_bytree: float = Field(gt=0, le=1)


class LightGBM(GradientBoosting[LightGBMParams]):
    """LightGBM with native categories; rows and columns are sampled anew each round.

    The smallest leaf, which is searched, also says how many rows a category and a group of categories must
    have to be split off: by LightGBM's own 10 and 100, most categories of most tables would mean nothing.
    It is at most a tenth of the training rows.

    The generators of the row and column samples are not part of LightGBM's model file, so they are
    seeded at the start of every unit, from the unit's number.

    In a group, each process holds its share of the training rows ("data parallel"), and the histograms
    of each split are summed over all. Each feature's bins are found by one process, on its own rows.
    """

    Params = LightGBMParams
    distribution = Distribution.LIGHTGBM
    library_errors: ClassVar[tuple[type[Exception], ...]] = (LightGBMError,)

    _booster: lightgbm.Booster | None = None
    _dataset: lightgbm.Dataset | None = None
    _can_update = False

    @property
    def total_trees(self) -> int:
        return self.params.n_estimators

    def join(self, group: WorkerGroup) -> None:
        super().join(group)
        if not group.is_alone:
            _connect(**group.network)

    def bind(self, train: Table, valid: Table) -> None:
        super().bind(train, valid)
        self._dataset, self._can_update = None, False

    def _grow(self, train: Table, trees: int) -> int:
        rounds = trees - self.units_done * self.trees_per_unit
        booster = self._booster
        if booster is None:
            booster = lightgbm.Booster(self._training_params(len(train)), self._dataset_of(train))
        elif self._can_update:
            self._reseed(booster)
        else:
            booster = self._continue(booster, train)
            rounds -= 1
        self._booster, self._can_update = booster, True
        for _ in range(rounds):
            booster.update()
        return int(booster.current_iteration())

    def _continue(self, booster: lightgbm.Booster, train: Table) -> lightgbm.Booster:
        """One round on top of a booster that came from a file."""
        return lightgbm.train(
            self._training_params(len(train)),
            self._dataset_of(train),
            num_boost_round=1,
            init_model=booster,
            keep_training_booster=True,
        )

    def _reseed(self, booster: lightgbm.Booster) -> None:
        """Give the samplers the present unit's seeds.

        LightGBM seeds the row sampler again only when the fraction changes: nudge it by one ulp.
        """
        if self.params.subsample < 1:
            booster.reset_parameter({"bagging_fraction": math.nextafter(self.params.subsample, 0)})
        booster.reset_parameter({"bagging_fraction": self.params.subsample, **self._sampling_seeds()})

    def _sampling_seeds(self) -> dict[str, int]:
        rows, columns = self._seeds(self.units_done, 2)
        return {"bagging_seed": rows, "feature_fraction_seed": columns}

    def _training_params(self, rows: int) -> dict[str, Any]:
        """The library's own parameters for training on so many rows, over all processes of a group."""
        p = self.params
        return {
            **self._objective(),
            **self._sampling_seeds(),
            **self._parallel_params(),
            **self._smallest_leaf(rows),
            "learning_rate": p.learning_rate,
            "max_depth": p.max_depth,
            "num_leaves": p.num_leaves,
            "lambda_l1": p.reg_alpha,
            "lambda_l2": p.reg_lambda,
            "bagging_fraction": p.subsample,
            "bagging_freq": 1 if p.subsample < 1 else 0,
            "feature_fraction": p.colsample_bytree,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            # Left to itself, LightGBM times both layouts and takes the faster: not reproducible.
            "force_col_wise": True,
            "verbosity": -1,
        }

    def _smallest_leaf(self, rows: int) -> dict[str, Any]:
        leaf = bounded_rows(self.params.min_child_samples, rows)
        return {
            "min_data_in_leaf": leaf,
            "min_data_in_bin": max(1, min(_ROWS_PER_BIN, leaf)),
            "min_data_per_group": max(1, min(_ROWS_PER_CATEGORY_GROUP, leaf)),
            "cat_smooth": min(_ROWS_PER_CATEGORY, leaf / _CATEGORIES_PER_LEAF),
            # The filter goes by a sample of a process's own rows, and leaving nothing is an error.
            "feature_pre_filter": False,
        }

    def _parallel_params(self) -> dict[str, Any]:
        if self.group.is_alone:
            return {}
        # The addresses are left out: LightGBM would connect anew for every booster.
        return {"tree_learner": "data", "num_machines": self.group.size, "pre_partition": True}

    def _objective(self) -> dict[str, Any]:
        if self.schema.task is Task.MULTICLASS:
            return {"objective": "multiclass", "num_class": self.schema.n_classes}
        if self.schema.task is Task.BINARY:
            return {"objective": "binary"}
        return {"objective": _OBJECTIVES[self.schema.loss]}

    def _dataset_of(self, train: Table) -> lightgbm.Dataset:
        if self._dataset is None:
            first, rows = len(self.schema.numeric), self.group.share
            weight = training_weight(train)
            self._dataset = lightgbm.Dataset(
                feature_matrix(train)[rows],
                training_target(train, self)[rows],
                weight=None if weight is None else weight[rows],
                categorical_feature=list(range(first, first + len(self.schema.categorical))),
                params=self._training_params(len(train)),
                free_raw_data=False,  # going on from a file predicts these rows once
            )
        return self._dataset

    def _features(self, table: Table) -> FloatArray:
        return feature_matrix(table)

    def _add_scores(
        self, known: FloatArray | None, features: FloatArray, first: int, last: int
    ) -> FloatArray:
        assert self._booster is not None
        if last == first and known is not None:  # no split was left to make
            return known
        scores = self._booster.predict(
            features,
            raw_score=True,
            start_iteration=first,
            num_iteration=last - first,
            num_threads=self.threads,
        )
        scores = np.asarray(scores).reshape(len(features), self.n_scores)  # (n,) or (n, k) -> (n, k)
        return scores if known is None else known + scores

    def _truncate(self, trees: int) -> None:
        kept = None
        if self._booster is not None and trees:
            kept = lightgbm.Booster(model_str=self._booster.model_to_string(num_iteration=trees))
        self._booster, self._can_update = kept, False

    def _write_booster(self, folder: Path) -> list[str]:
        assert self._booster is not None
        # Not by LightGBM itself, whose error does not tell a full disk.
        (folder / _MODEL_FILE).write_text(self._booster.model_to_string(num_iteration=self._trees_done))
        return [_MODEL_FILE]

    def _read_booster(self, folder: Path) -> None:
        self._booster = lightgbm.Booster(model_str=(folder / _MODEL_FILE).read_text())
        self._can_update = False


@cache
def _connect(machines: str, num_machines: int, local_listen_port: int) -> lightgbm.Booster:
    """Connect this process with the others, once for all its boosters.

    A booster that connects ends the connection of the whole process when it goes; so an empty one does it,
    and is kept.
    """
    quiet = {"verbosity": -1}
    keeper = lightgbm.Booster(quiet, lightgbm.Dataset(np.zeros((2, 1)), np.zeros(2), params=quiet))
    return keeper.set_network(machines, local_listen_port, _CONNECT_MINUTES, num_machines)
