"""What a trial costs beyond its training: this project, `tune.Tuner` with its defaults, and Optuna alone.

The same 200 trials three times: nine reports each, a checkpoint each, everything recorded, no training.

    python benchmarks/overhead.py [--trials 200]
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from tuning import Study

REPORTS = 9
PROBE = Path(__file__).parent / "idle.py"


def curve(level: float, step: int) -> float:
    """The score of a trial that learns nothing from anything."""
    return level + 1.0 / step


def time_ours(trials: int, folder: Path) -> float:
    """Seconds of a study of `trials` trials through this project, set-up and leaderboard included."""
    rows = np.random.default_rng(0).normal(size=(200, 3))
    frame = pd.DataFrame(rows, columns=["a", "b", "y"])
    study = Study(
        "overhead",
        data=frame,
        target="y",
        metric="rmse",
        models=[str(PROBE)],
        storage=folder,
        quiet=True,
        trials=trials,
        pruning={"max_iterations": REPORTS, "pruner": "none"},
        resources={"max_concurrent": 2},
    )
    started_s = time.perf_counter()
    study.run()
    seconds = time.perf_counter() - started_s
    assert len(study.leaderboard()) == trials
    assert not study.audit()
    return seconds


def time_tuner(trials: int, folder: Path) -> float:
    """Seconds of the same through `tune.Tuner` with its defaults: OptunaSearch, a function trainable."""

    def trainable(config: dict[str, float]) -> None:
        for step in range(1, REPORTS + 1):
            checkpoint = None
            if step == REPORTS:
                with tempfile.TemporaryDirectory() as scratch:
                    (Path(scratch) / "state.json").write_text(json.dumps(config))
                    checkpoint = tune.Checkpoint.from_directory(scratch)
                    tune.report({"loss": curve(config["level"], step)}, checkpoint=checkpoint)
            else:
                tune.report({"loss": curve(config["level"], step)})

    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            search_alg=OptunaSearch(
                {"level": optuna.distributions.FloatDistribution(0, 5)}, metric="loss", mode="min"
            ),
            num_samples=trials,
            max_concurrent_trials=2,
        ),
        run_config=tune.RunConfig(storage_path=str(folder), name="tuner", verbose=0),
    )
    started_s = time.perf_counter()
    results = tuner.fit()
    seconds = time.perf_counter() - started_s
    assert len(results) == trials
    return seconds


def _optuna_worker(url: str, trials: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name="overhead", storage=url)

    def objective(trial: optuna.Trial) -> float:
        level = trial.suggest_float("level", 0, 5)
        for step in range(1, REPORTS + 1):
            trial.report(curve(level, step), step)
        return curve(level, REPORTS)

    study.optimize(objective, n_trials=trials)


def time_optuna(trials: int, folder: Path) -> float:
    """Seconds of the same through Optuna alone, two processes on one SQLite file."""
    url = f"sqlite:///{folder}/optuna.db"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(study_name="overhead", storage=url, direction="minimize")
    context = multiprocessing.get_context("spawn")
    started_s = time.perf_counter()
    workers = [context.Process(target=_optuna_worker, args=(url, trials // 2)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - started_s


def main() -> None:
    """Run the three in turn and print seconds, seconds a trial and the ratio to the Tuner."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=200)
    trials = parser.parse_args().trials
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = "2"
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        # Ours sets environment variables for Tune, so the Tuner with its defaults goes first.
        seconds["tune.Tuner, defaults"] = time_tuner(trials, folder)
        seconds["Optuna alone, 2 processes, SQLite"] = time_optuna(trials, folder)
        seconds["this project"] = time_ours(trials, folder)
        ray.shutdown()
    base = seconds["tune.Tuner, defaults"]
    print(f"{'':36}{'seconds':>9}{'s/trial':>10}{'ratio':>9}")
    for name, value in seconds.items():
        print(f"{name:36}{value:9.1f}{value / trials:10.4f}{value / base:9.4f}")


if __name__ == "__main__":
    main()
