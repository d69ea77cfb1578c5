"""What sharing a GPU gains: the price network's trials per minute at one, two and four trials on a card.

Real studies of `dual_path` at its published width on product rows (34 numbers, a 768-wide embedding), one
after the other on the same Ray, without pruning and with the same number of epochs a trial. The rate counts
from the moment at which as many trials as run at once have ended, so that the start of the workers is left
out. The card's use and memory are what `nvidia-smi` says, twice a second, over the same time.

Needs a GPU; ends with a sentence and exit code 2 where there is none, and with 1 where four trials at a time
do not reach 2.5 times the rate of one.

    python benchmarks/gpu.py [--shares 1,0.5,0.25] [--trials 12] [--epochs 20] [--rows 16384]
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from types import TracebackType
from typing import Self

import numpy as np
import pandas as pd
import ray

from tuning import Study

N_NUMERIC, EMBEDDING_WIDTH = 34, 768
GOAL_AT_A_QUARTER = 2.5
_QUERY = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "--id=0"]


@dataclass(frozen=True)
class Sample:
    """What the first GPU did at a moment: `time_s` since the epoch, use in per cent, memory in MiB."""

    time_s: float
    use_percent: float
    memory_mib: float


@dataclass
class GpuWatch:
    """Asks `nvidia-smi` twice a second, in a thread, inside a `with` block."""

    samples: list[Sample] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            told = subprocess.run(_QUERY, capture_output=True, text=True, check=True).stdout
            use, memory = (float(number) for number in told.split(","))
            self.samples.append(Sample(time.time(), use, memory))


@dataclass(frozen=True)
class Outcome:
    """One study at one share."""

    share: float
    trials_per_minute: float
    use_percent: float
    memory_gib: float


def write_rows(path: Path, rows: int) -> None:
    """Prices of products, as a Parquet table with one column per number."""
    rng = np.random.default_rng(0)
    numeric = rng.normal(size=(rows, N_NUMERIC)).astype(np.float32)
    embedding = rng.normal(size=(rows, EMBEDDING_WIDTH)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    signal = 0.5 * numeric[:, 0] + 0.3 * numeric[:, 1] * numeric[:, 2] + 8 * embedding[:, :2].sum(axis=1)
    price = np.expm1(np.maximum(3 + signal + 0.2 * rng.normal(size=rows), 0.01))
    columns = {f"number_{k}": numeric[:, k] for k in range(N_NUMERIC)}
    columns |= {f"embedding_{k}": embedding[:, k] for k in range(EMBEDDING_WIDTH)}
    pd.DataFrame({**columns, "price": price}).to_parquet(path, index=False)


def run_share(share: float, trials: int, epochs: int, data: Path, folder: Path) -> Outcome:
    """One study with that share of the GPU for each trial."""
    at_once = round(1 / share)
    study = Study(
        f"share-{share:g}",
        data=data,
        embedding_prefixes=["embedding_"],
        target="price",
        metric="smape",
        models="dual_path",
        storage=folder,
        quiet=True,
        trials=trials,
        pruner="none",
        spaces={"dual_path": {"width": 1.0, "batch_size": 256, "epochs": epochs, "patience": epochs}},
        resources={"gpus_per_trial": share, "max_concurrent": at_once, "cpus_per_trial": 1},
    )
    with GpuWatch() as watch:
        board = study.run().leaderboard()
    board = board[board["model"] == "dual_path"]
    assert (board["status"] == "completed").all(), board
    ends_s = sorted(pd.to_datetime(board["ended_at"], utc=True).map(pd.Timestamp.timestamp))
    begun_s, ended_s = ends_s[at_once - 1], ends_s[-1]
    steady = [sample for sample in watch.samples if begun_s <= sample.time_s <= ended_s]
    return Outcome(
        share,
        60 * (len(ends_s) - at_once) / (ended_s - begun_s),
        mean(sample.use_percent for sample in steady),
        max(sample.memory_mib for sample in steady) / 1024,
    )


def has_gpu() -> bool:
    """Whether this machine's NVIDIA driver shows a card."""
    try:
        return subprocess.run(_QUERY, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shares", default="1,0.5,0.25")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=16384)
    return parser.parse_args()


def main() -> int:
    """Print the table; the exit code."""
    given = parse_arguments()
    if not has_gpu():
        print(
            "benchmarks/gpu.py needs an NVIDIA GPU: nvidia-smi shows none on this machine.", file=sys.stderr
        )
        return 2
    ray.init(
        address="local", num_cpus=max(4, os.cpu_count() or 4), num_gpus=1,
        include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
    )  # fmt: skip
    outcomes: list[Outcome] = []
    print("| share | trials a minute | ratio | GPU use | GPU memory |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "products.parquet"
        write_rows(data, given.rows)
        for share in (float(text) for text in given.shares.split(",")):
            outcomes.append(run_share(share, given.trials, given.epochs, data, Path(scratch)))
            last, ratio = outcomes[-1], outcomes[-1].trials_per_minute / outcomes[0].trials_per_minute
            print(
                f"| {share:g} | {last.trials_per_minute:.1f} | {ratio:.2f} "
                f"| {last.use_percent:.0f} % | {last.memory_gib:.1f} GiB |",
                flush=True,
            )
    return 0 if reaches_goal(outcomes) else 1


def reaches_goal(outcomes: list[Outcome]) -> bool:
    """Whether a quarter of a card each gives enough over a whole one; true where one was not run."""
    rate = {outcome.share: outcome.trials_per_minute for outcome in outcomes}
    return not {1.0, 0.25} <= rate.keys() or rate[0.25] >= GOAL_AT_A_QUARTER * rate[1.0]


if __name__ == "__main__":
    sys.exit(main())
