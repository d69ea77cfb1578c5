"""The encoding for networks: numbers imputed and standardised, few-level categories one-hot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tuning.data._float32 import share_merged
from tuning.data._values import FloatArray

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

ONE_HOT_LEVELS = 16
_LIMIT = 10.0  # standard deviations

# Standard deviations; a column with training values beyond is heavy-tailed. Classes often differ in where
# a value ranks among others, so every column counts as such there, as is usual for networks on tables
# (Gorishniy et al., 2021); a number to predict rather follows the value itself, so that a column is bent
# only where its scale tells nothing.
HEAVY_TAIL = 10.0
HEAVY_TAIL_FOR_CLASSES = 0.0
_MOST_QUANTILES = 1000
_CROWDED = 0.1  # of the distinct values, from which on as many that merge are bent apart


@dataclass(frozen=True)
class DenseEncoder:
    """Fitted on training rows; None stands for an encoder without columns.

    Numeric columns: missing values become the median, with an indicator column for each that had some in
    training; heavy-tailed columns (for classes: all) are mapped to a normal distribution by their
    quantiles; all are standardised and limited to 10 standard deviations. Categories of up to 16 levels
    are one-hot, all 0 where missing or unseen.
    """

    numeric: Pipeline | None
    one_hot: OneHotEncoder | None

    @classmethod
    def fit(
        cls,
        numbers: FloatArray,
        cardinalities: tuple[int, ...],
        seed: int,
        heavy_tail: float = HEAVY_TAIL,
    ) -> DenseEncoder:
        """Fit on (n, p) numbers with nan, and on the number of levels of each of c categories.

        A column with a value beyond `heavy_tail` standard deviations is heavy-tailed.
        """
        from sklearn.preprocessing import OneHotEncoder

        few = [np.arange(levels) for levels in cardinalities if is_one_hot(levels)]
        encoder = None
        if few:
            encoder = OneHotEncoder(
                categories=few, handle_unknown="ignore", sparse_output=False, dtype=np.float32
            )
            encoder.fit(np.zeros((1, len(few)), dtype=np.int32))  # the levels are given: nothing is learnt
        return cls(_fit_numeric(numbers, seed, heavy_tail) if numbers.shape[1] else None, encoder)

    def apply(
        self, numbers: FloatArray, codes: npt.NDArray[np.int32], cardinalities: tuple[int, ...]
    ) -> npt.NDArray[np.float32]:
        """(n, p) numbers and (n, c) codes -> (n, d) float32."""
        if len(numbers) == 0:  # scikit-learn refuses tables without rows
            return np.empty((0, self.width), dtype=np.float32)
        blocks = [np.empty((len(numbers), 0), dtype=np.float32)]
        if self.numeric is not None:
            blocks.append(np.clip(self.numeric.transform(numbers), -_LIMIT, _LIMIT).astype(np.float32))
        if self.one_hot is not None:
            few = np.array([is_one_hot(levels) for levels in cardinalities])
            blocks.append(self.one_hot.transform(codes[:, few]))
        return np.ascontiguousarray(np.concatenate(blocks, axis=1))

    @property
    def width(self) -> int:
        """Number of columns of the encoding."""
        numeric = 0 if self.numeric is None else len(self.numeric.get_feature_names_out())
        return numeric + (0 if self.one_hot is None else sum(map(len, self.one_hot.categories_)))


def is_one_hot(levels: int) -> bool:
    """Whether a category with so many levels is encoded one-hot."""
    return levels <= ONE_HOT_LEVELS


def _fit_numeric(numbers: FloatArray, seed: int, heavy_tail: float) -> Pipeline:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    filled = imputer.fit_transform(numbers)
    p = numbers.shape[1]
    tail = np.abs(filled[:, :p] - filled[:, :p].mean(axis=0)).max(axis=0)
    std = filled[:, :p].std(axis=0)
    heavy = np.flatnonzero((tail > heavy_tail * std) | _is_crowded(filled[:, :p], std))
    light = np.setdiff1d(np.arange(p), heavy)
    scaler = ColumnTransformer(
        [
            ("light", StandardScaler(), light.tolist()),
            ("heavy", _to_normal(len(numbers), seed), heavy.tolist()),
            ("missing", "passthrough", list(range(p, filled.shape[1]))),
        ]
    ).fit(filled)
    return Pipeline([("impute", imputer), ("scale", scaler)])


def _is_crowded(numbers: FloatArray, std: FloatArray) -> npt.NDArray[np.bool_]:
    """(p,) whether standardised values would merge in float32: most lie close together, far from a few."""
    scaled = (numbers - numbers.mean(axis=0)) / np.where(std > 0, std, 1.0)
    return np.array([share_merged(column) > _CROWDED for column in scaled.T], dtype=bool)


def _to_normal(n: int, seed: int) -> Any:
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import QuantileTransformer, StandardScaler

    quantiles = QuantileTransformer(
        n_quantiles=min(_MOST_QUANTILES, n), output_distribution="normal", subsample=None, random_state=seed
    )
    return Pipeline([("quantile", quantiles), ("standardise", StandardScaler())])
