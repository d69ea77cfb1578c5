"""XGBoost: regularised gradient boosting on histograms (Chen and Guestrin, KDD 2016)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xgboost
from pydantic import Field
from xgboost.core import XGBoostError

from tuning.models._boosting import BoostingParams, GradientBoosting
from tuning.models._group import Distribution
from tuning.models._row_bounds import bounded_weight
from tuning.models._table import FloatArray, Loss, Table, Task
from tuning.models._trees import feature_matrix, training_target, training_weight

_MODEL_FILE = "xgboost.ubj"
_OBJECTIVES = {Loss.SQUARED: "reg:squarederror", Loss.ABSOLUTE: "reg:absoluteerror"}


class XGBoostParams(BoostingParams):
    """Hyperparameters by their names in XGBoost's scikit-learn interface."""

    n_estimators: int = Field(ge=1)
    max_depth: int = Field(ge=1)
    min_child_weight: float = Field(ge=0)
    gamma: float = Field(ge=0)
    reg_alpha: float = Field(ge=0)
    reg_lambda: float = Field(ge=0)
    subsample: float = Field(gt=0, le=1)
    colsample_bytree: float = Field(gt=0, le=1)


class XGBoost(GradientBoosting[XGBoostParams]):
    """XGBoost's `hist` trees with native categories, on CPU or GPU.

    The row sample's generator is seeded by the round (`seed_per_iteration`); the column sample's
    lives in the tree updater, which is therefore made anew for every unit. So each unit follows from
    the model and the unit's number alone, and going on from a file is exact.

    The smallest leaf is at most a tenth of the training rows, as XGBoost weighs them.

    In a group, each process holds its share of the training rows, and the histograms of each split are
    summed over all; the quantiles that the bins are cut at are those of all rows, nearly.
    """

    Params = XGBoostParams
    uses_gpu = True
    distribution = Distribution.XGBOOST
    library_errors: ClassVar[tuple[type[Exception], ...]] = (XGBoostError,)

    _booster: xgboost.Booster | None = None
    _train_matrix: xgboost.QuantileDMatrix | None = None

    @property
    def total_trees(self) -> int:
        return self.params.n_estimators

    def bind(self, train: Table, valid: Table) -> None:
        super().bind(train, valid)
        self._train_matrix = None

    def _grow(self, train: Table, trees: int) -> int:
        matrix = self._matrix_of(train)
        if self._booster is None:
            self._booster = xgboost.Booster(self._training_params(), [matrix])
        self._renew_updater(self._booster)
        for round_number in range(self._trees_done, trees):
            self._booster.update(matrix, round_number)
        return int(self._booster.num_boosted_rounds())

    @staticmethod
    def _renew_updater(booster: xgboost.Booster) -> None:
        """Make a new tree updater: XGBoost does so when the tree method changes, on configuring."""
        for tree_method in ("approx", "hist"):
            booster.set_param("tree_method", tree_method)
            booster.save_config()  # configures at once what would else wait for the next round

    def _training_params(self) -> dict[str, Any]:
        p = self.params
        return {
            **self._objective(),
            "eta": p.learning_rate,
            "max_depth": p.max_depth,
            "min_child_weight": self._smallest_leaf(),
            "gamma": p.gamma,
            "alpha": p.reg_alpha,
            "lambda": p.reg_lambda,
            "subsample": p.subsample,
            "colsample_bytree": p.colsample_bytree,
            "tree_method": "hist",
            "device": self.device,
            "seed": self.seed,
            "seed_per_iteration": True,
            "nthread": self.threads,
            "verbosity": 0,
        }

    def _smallest_leaf(self) -> float:
        """The hessian that a leaf must have, bounded by that of all training rows before the first tree."""
        if self._train is None:  # only to predict
            return self.params.min_child_weight
        total = len(self._train) * self._hessian_of_row(self._train)
        return bounded_weight(self.params.min_child_weight, total)

    def _hessian_of_row(self, train: Table) -> float:
        """Mean second derivative of a row's loss at the constant prediction: 1 for numbers."""
        if not self.schema.task.is_classification:
            return 1.0
        if self.schema.task is Task.BINARY:
            share = float(np.average(train.known_target == 1, weights=train.weight))
            return share * (1 - share)
        share = 1 / self.schema.n_classes  # before the first tree all classes are alike
        return 2 * share * (1 - share)

    def _objective(self) -> dict[str, Any]:
        if self.schema.task is Task.MULTICLASS:
            return {"objective": "multi:softprob", "num_class": self.schema.n_classes}
        if self.schema.task is Task.BINARY:
            return {"objective": "binary:logistic"}
        return {"objective": _OBJECTIVES[self.schema.loss]}

    def _matrix_of(self, train: Table) -> xgboost.QuantileDMatrix:
        if self._train_matrix is None:
            rows, weight = self.group.share, training_weight(train)
            self._train_matrix = xgboost.QuantileDMatrix(
                feature_matrix(train)[rows],
                training_target(train, self)[rows],
                weight=None if weight is None else weight[rows],
                **self._matrix_options(),
            )
        return self._train_matrix

    def _matrix_options(self) -> dict[str, Any]:
        kinds = ["q"] * len(self.schema.numeric) + ["c"] * len(self.schema.categorical)
        return {
            "feature_types": kinds + ["q"] * self.schema.embedding_width,
            "enable_categorical": True,
            "nthread": self.threads,
        }

    def _features(self, table: Table) -> xgboost.DMatrix:
        return xgboost.DMatrix(feature_matrix(table), **self._matrix_options())

    def _add_scores(
        self, known: FloatArray | None, features: xgboost.DMatrix, first: int, last: int
    ) -> FloatArray:
        assert self._booster is not None
        if known is not None:
            features.set_base_margin(known)  # stands in for the trees before `first`
        scores = self._booster.predict(features, output_margin=True, iteration_range=(first, last))
        return np.asarray(scores).reshape(-1, self.n_scores)  # (n,) or (n, k) -> (n, k)

    def _truncate(self, trees: int) -> None:
        kept = None
        if self._booster is not None and trees:
            kept = self._booster[:trees]
            kept.set_param(self._training_params())
        self._booster = kept

    def _write_booster(self, folder: Path) -> list[str]:
        assert self._booster is not None
        # Not by XGBoost itself, whose error does not tell a full disk.
        (folder / _MODEL_FILE).write_bytes(self._booster.save_raw("ubj"))
        return [_MODEL_FILE]

    def _read_booster(self, folder: Path) -> None:
        booster = xgboost.Booster(self._training_params())
        booster.load_model(bytearray((folder / _MODEL_FILE).read_bytes()))
        booster.set_param(self._training_params())
        self._booster = booster
