"""What training in units costs: units with scores and checkpoints, against one unbroken fit.

Both sides train the same booster for the same number of rounds with validation after each unit or
round, alternating. The unbroken side is the library's own training loop with its early stopping on
(and too patient to fire). The other side is the model: `advance` and `predict_valid` per unit, and a
save after 1/27, 1/9, 1/3 and all of the budget ("in units"), each of them also loaded again, as
after an interruption, in the last column.

Times are the least CPU seconds of the repeats, on one thread: a busy machine counts little.

    python benchmarks/continuation.py [--rounds 500] [--repeats 2] [--models lightgbm,xgboost]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import numpy.typing as npt
import xgboost
import yaml
from sklearn.ensemble import RandomForestRegressor

from tuning import search_spaces
from tuning.models import Loss, Model, ModelClass, Params, Schema, Table, Task, load_family
from tuning.models._trees import feature_matrix

N_TRAIN, N_VALID = 16_000, 4_000
N_NUMERIC, LEVELS = 16, (5, 20, 60, 200)
SCHEMA = Schema(
    task=Task.REGRESSION,
    loss=Loss.SQUARED,
    numeric=tuple(f"number_{i}" for i in range(N_NUMERIC)),
    categorical=tuple(f"category_{i}" for i in range(len(LEVELS))),
    cardinalities=LEVELS,
)

Fit = Callable[[Any, Table, Table], object]


def make_tables() -> tuple[Table, Table]:
    """Rows to train on and to judge by: 16 numbers, 4 categories, a non-linear target."""
    rng = np.random.default_rng(0)
    n = N_TRAIN + N_VALID
    numeric = rng.normal(size=(n, N_NUMERIC)).astype(np.float32)
    categorical = np.column_stack([rng.integers(-1, levels, n) for levels in LEVELS]).astype(np.int32)
    effect = rng.normal(size=max(LEVELS) + 1)
    target = numeric[:, 0] + numeric[:, 1] * numeric[:, 2] + effect[categorical[:, 3]] + rng.normal(size=n)
    nothing = np.empty((n, 0), dtype=np.float32)
    table = Table(numeric, categorical, nothing, nothing[:, :0], target.astype(np.float64))
    return table.take(slice(0, N_TRAIN)), table.take(slice(N_TRAIN, n))


# -- the unbroken fits -------------------------------------------------------------------------------


def fit_lightgbm(model: Any, train: Table, valid: Table) -> object:
    """`lightgbm.train` with early stopping."""
    params = model._training_params()
    names = list(range(N_NUMERIC, N_NUMERIC + len(LEVELS)))
    rows = lightgbm.Dataset(feature_matrix(train), train.target, categorical_feature=names, params=params)
    held_out = lightgbm.Dataset(feature_matrix(valid), valid.target, reference=rows, params=params)
    stop = lightgbm.early_stopping(model.total_trees, verbose=False)
    return lightgbm.train(params, rows, model.total_trees, valid_sets=[held_out], callbacks=[stop])


def fit_xgboost(model: Any, train: Table, valid: Table) -> object:
    """`xgboost.train` with early stopping."""
    options = model._matrix_options()
    rows = xgboost.QuantileDMatrix(feature_matrix(train), train.target, **options)
    held_out = xgboost.QuantileDMatrix(feature_matrix(valid), valid.target, ref=rows, **options)
    return xgboost.train(
        model._training_params(),
        rows,
        model.total_trees,
        evals=[(held_out, "valid")],
        early_stopping_rounds=model.total_trees,
        verbose_eval=False,
    )


def fit_catboost(model: Any, train: Table, valid: Table) -> object:
    """`CatBoost.fit` with an evaluation set and its overfitting detector."""
    params = {**model._training_params(), "iterations": model.total_trees, "metric_period": 1}
    booster = catboost.CatBoost(params)
    rows = model._new_pool(train, label=train.target)
    held_out = model._new_pool(valid, label=valid.target)
    return booster.fit(rows, eval_set=held_out, early_stopping_rounds=model.total_trees)


def fit_random_forest(model: Any, train: Table, valid: Table) -> object:
    """One `fit` of all trees, and one prediction: a forest has no rounds to be judged after."""
    forest = RandomForestRegressor(**model.params.model_dump(), random_state=0, n_jobs=1)
    forest.fit(feature_matrix(train), train.target)
    return mean_squared_error(valid, forest.predict(feature_matrix(valid)))


UNBROKEN: dict[str, Fit] = {
    "lightgbm": fit_lightgbm,
    "xgboost": fit_xgboost,
    "catboost": fit_catboost,
    "random_forest": fit_random_forest,
}


# -- the model ---------------------------------------------------------------------------------------


def default_params(name: str, model_class: ModelClass, rounds: int) -> Params:
    """The first trial's hyperparameters, with the given budget."""
    path = Path(search_spaces.__file__).parent / f"{name}.yaml"
    space = yaml.safe_load(path.read_text())
    active = {key: spec["default"] for key, spec in space["parameters"].items() if "when" not in spec}
    if name == "catboost":
        active["subsample"] = space["parameters"]["subsample"]["default"]
    budget = {"catboost": {"iterations": rounds}}.get(name, {"n_estimators": rounds})
    return model_class.Params(**{**space["fixed"], **active, **budget})


def train_in_units(model: Model[Any], train: Table, valid: Table, *, interrupted: bool) -> None:
    """The trial loop: a score per unit, and four checkpoints, read back where interrupted."""
    model.bind(train, valid)
    checkpoints = {max(1, round(model.total_units * share)) for share in (1 / 27, 1 / 9, 1 / 3, 1)}
    with tempfile.TemporaryDirectory() as folder:
        for unit in range(1, model.total_units + 1):
            model.advance()
            mean_squared_error(valid, model.predict_valid())
            if unit in checkpoints:
                model.save(Path(folder) / str(unit))
                if interrupted:
                    model.load(Path(folder) / str(unit))


def mean_squared_error(table: Table, outputs: npt.NDArray[np.float64]) -> float:
    """What the boosters compute by themselves after each round."""
    assert table.target is not None
    return float(np.mean((outputs - table.target) ** 2))


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(name: str, rounds: int, repeats: int) -> list[float]:
    """Least seconds of the unbroken fit, of training in units, and of that with loads, in turn."""
    train, valid = make_tables()
    model_class = load_family(name)
    params = default_params(name, model_class, rounds)

    def new_model() -> Model[Any]:
        return model_class(params, SCHEMA, seed=0, threads=1)

    ways: list[Callable[[], object]] = [
        lambda: UNBROKEN[name](new_model(), train, valid),
        lambda: train_in_units(new_model(), train, valid, interrupted=False),
        lambda: train_in_units(new_model(), train, valid, interrupted=True),
    ]
    times = [[cpu_seconds(way) for way in ways] for _ in range(repeats)]
    return [min(column) for column in zip(*times, strict=True)]


def main() -> None:
    """Print one row per family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--trees", type=int, default=20, help="of the random forest")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--models", default=",".join(UNBROKEN))
    args = parser.parse_args()
    print(f"{N_TRAIN} + {N_VALID} rows, {N_NUMERIC} numbers, {len(LEVELS)} categories, 1 thread")
    columns = f"{'unbroken':>9} {'in units':>9} {'ratio':>6} {'and loads':>10} {'ratio':>6}"
    print(f"{'model':14} {'rounds':>6} {columns}")
    for name in args.models.split(","):
        rounds = args.trees if name == "random_forest" else args.rounds
        whole, units, loads = compare(name, rounds, args.repeats)
        ratios = f"{whole:9.2f} {units:9.2f} {units / whole:6.2f} {loads:10.2f} {loads / whole:6.2f}"
        print(f"{name:14} {rounds:6d} {ratios}", flush=True)


if __name__ == "__main__":
    main()
