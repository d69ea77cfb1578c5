"""Random forest: bagged trees on random column subsets (Breiman, Machine Learning 2001)."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tuning.models._base import Params
from tuning.models._row_bounds import bounded_rows
from tuning.models._table import FloatArray, Table
from tuning.models._trees import TreeEnsemble, feature_matrix, training_target

_CLASSES_FILE = "classes.json"
_BLOCK_FILES = "trees-{:03d}.skops"
# The node arrays of a fitted tree; skops lets nothing else of that kind in.
_TRUSTED = ["sklearn.tree._tree.Tree"]

DecisionTree: TypeAlias = DecisionTreeClassifier | DecisionTreeRegressor


class RandomForestParams(Params):
    """Hyperparameters by scikit-learn's names."""

    n_estimators: int = Field(ge=1)
    max_depth: int = Field(ge=1)
    min_samples_split: int = Field(ge=2)
    min_samples_leaf: int = Field(ge=1)
    max_features: Literal["sqrt", "log2"] | float
    bootstrap: bool


class RandomForest(TreeEnsemble[RandomForestParams]):
    """scikit-learn's random forest; category codes enter as ordinals, missing ones as missing.

    Regression always splits on the squared error: scikit-learn's absolute error takes time quadratic
    in the rows. Each tree's seed follows from the forest's seed and the tree's number, so growing in
    blocks, with or without a checkpoint in between, gives the same trees as growing at once.

    A checkpoint holds one file per block. A block never changes, so a later checkpoint links to the
    earlier one's files where the file system allows it.
    """

    Params = RandomForestParams
    library_errors: ClassVar[tuple[type[Exception], ...]] = (ValueError, zipfile.BadZipFile)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._forest = self._new_forest()
        self._block_files: dict[int, Path] = {}
        self._train_features: FloatArray | None = None

    @property
    def total_trees(self) -> int:
        return self.params.n_estimators

    @property
    def n_scores(self) -> int:
        return self.schema.n_classes if self.schema.task.is_classification else 1

    def bind(self, train: Table, valid: Table) -> None:
        super().bind(train, valid)
        self._train_features = None

    def _new_forest(self) -> RandomForestClassifier | RandomForestRegressor:
        is_classification = self.schema.task.is_classification
        forest_class = RandomForestClassifier if is_classification else RandomForestRegressor
        return forest_class(
            **self.params.model_dump(), warm_start=True, random_state=self.seed, n_jobs=self.threads
        )

    def _grow(self, train: Table, trees: int) -> int:
        if self._train_features is None:
            self._train_features = feature_matrix(train)
        self._forest.set_params(n_estimators=trees, **self._smallest_leaf(len(train)))
        self._forest.fit(self._train_features, training_target(train, self), sample_weight=train.weight)
        return len(self._forest.estimators_)

    def _smallest_leaf(self, rows: int) -> dict[str, int]:
        """The rows that a leaf, and a node to split, must have: few rows leave no split otherwise."""
        leaf = bounded_rows(self.params.min_samples_leaf, rows)
        split = bounded_rows(self.params.min_samples_split, 2 * rows, least=2)
        return {"min_samples_leaf": leaf, "min_samples_split": split}

    def _truncate(self, trees: int) -> None:
        kept = self._forest.estimators_[:trees] if trees else []
        classes = getattr(self._forest, "classes_", None)
        self._forest = self._new_forest()
        self._set_trees(kept, classes)
        self._block_files = {
            first: path for first, path in self._block_files.items() if first + self.trees_per_unit <= trees
        }

    def _set_trees(self, trees: list[DecisionTree], classes: npt.NDArray[np.integer] | None) -> None:
        """Put fitted trees into the forest, which a warm start then adds to."""
        if not trees:
            return
        self._forest.estimators_ = trees
        if classes is not None:
            self._forest.classes_ = classes

    def _features(self, table: Table) -> FloatArray:
        return feature_matrix(table)

    def _add_scores(
        self, known: FloatArray | None, features: FloatArray, first: int, last: int
    ) -> FloatArray:
        total = np.zeros((len(features), self.n_scores)) if known is None else known.copy()
        columns = self._forest.classes_ if self.schema.task.is_classification else [0]
        for scores in self._tree_scores(self._forest.estimators_[first:last], features):
            total[:, columns] += scores
        return total

    def _tree_scores(
        self, trees: Iterable[DecisionTree], features: FloatArray
    ) -> Iterator[npt.NDArray[np.float64]]:
        """(n, k) per tree, always in the trees' order: sums do not depend on the thread count."""

        def predict(tree: DecisionTree) -> npt.NDArray[np.float64]:
            if self.schema.task.is_classification:
                return np.asarray(tree.predict_proba(features, check_input=False))
            return np.asarray(tree.predict(features, check_input=False))[:, None]  # (n,) -> (n, 1)

        if self.threads == 1:
            yield from map(predict, trees)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            yield from pool.map(predict, trees)

    def _outputs(self, scores: FloatArray, trees: int) -> npt.NDArray[np.float64]:
        mean = scores / trees
        if self.schema.task.is_classification:
            return np.asarray(mean)
        with np.errstate(over="ignore"):  # an overflow ends as inf, which counts as divergence
            return np.asarray(self.schema.target.inverse(mean[:, 0]))  # (n, 1) -> (n,)

    def _write_trees(self, folder: Path) -> None:
        import skops.io  # takes a second and more, which whoever writes no forest need not wait for

        if self.schema.task.is_classification:
            (folder / _CLASSES_FILE).write_text(json.dumps(self._forest.classes_.tolist()))
        for number, first in enumerate(range(0, self._trees_done, self.trees_per_unit)):
            path = folder / _BLOCK_FILES.format(number)
            block = self._forest.estimators_[first : first + self.trees_per_unit]
            if not _link(self._block_files.get(first), path):
                skops.io.dump(block, path, compression=zipfile.ZIP_STORED)
            self._block_files[first] = path

    def _read_trees(self, folder: Path) -> None:
        import skops.io  # as in _write_trees
        from skops.io.exceptions import UntrustedTypesFoundException

        firsts = range(0, self._trees_done, self.trees_per_unit)
        files = {first: folder / _BLOCK_FILES.format(number) for number, first in enumerate(firsts)}
        try:
            trees = [tree for path in files.values() for tree in skops.io.load(path, trusted=_TRUSTED)]
        except UntrustedTypesFoundException as error:
            raise ValueError(f"it holds what is no tree: {error}") from error
        if len(trees) != self._trees_done:
            raise ValueError(f"it holds {len(trees)} trees, {self._trees_done} were expected")
        self._forest = self._new_forest()
        self._set_trees(trees, self._read_classes(folder))
        self._block_files = files

    def _read_classes(self, folder: Path) -> npt.NDArray[np.integer] | None:
        if not self.schema.task.is_classification:
            return None
        return np.array(json.loads((folder / _CLASSES_FILE).read_text()), dtype=np.int64)


def _link(source: Path | None, target: Path) -> bool:
    """Hard-link `target` to `source`; False where there is no source or no link can be made."""
    if source is None:
        return False
    try:
        os.link(source, target)
    except OSError:
        return False
    return True
