"""Where trials with a share of a GPU run: real studies on two GPUs that Ray is told of, from quarter to half.

Nothing is computed on a GPU. For every case: how many trials ran at once on each GPU, by how many the two
ever differed as one began while both had room, and the longest that a trial waited beside a free place.

    python benchmarks/placement.py [--cpus 8] [--shares 0.25,0.5] [--at-once 2,3,4,6,8] [--mixed no,yes]
"""

from __future__ import annotations

import argparse
import itertools
import logging
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import ray

from tuning import Study

FAMILIES = Path(__file__).parents[1] / "tests" / "families"
UNIT_S = 0.25
GPUS = ("0", "1")


@dataclass(frozen=True)
class Span:
    """One trial: when it was drawn, began and ended, and its GPU; None for one on CPUs."""

    drawn_s: float
    began_s: float
    ended_s: float
    gpu: str | None


def read_spans(board: pd.DataFrame, trials: Path) -> list[Span]:
    """The trials of a finished study; the log of each has a line per iteration."""
    return [
        Span(
            datetime.fromisoformat(row.started_at).timestamp(),
            *_first_and_last(trials / row.trial / "log"),
            next(iter(row.gpus), None),
        )
        for row in board.itertuples()
    ]


def _first_and_last(log: Path) -> tuple[float, float]:
    lines = [line for line in log.read_text().splitlines() if " iteration " in line]
    times = [datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp() for line in lines]
    return times[0] - UNIT_S, times[-1]


def running(spans: list[Span], at_s: float) -> Counter[str]:
    """How many trials run on each GPU."""
    return Counter(span.gpu for span in spans if span.gpu is not None and span.began_s <= at_s < span.ended_s)


def largest_difference(spans: list[Span], per_gpu: int) -> int:
    """Between the two GPUs as a trial is placed, which is before its worker is up, where both had room."""
    placed = [replace(span, began_s=span.drawn_s) for span in spans if span.gpu is not None]
    worst = 0
    for span in placed:
        loads = running(placed, span.began_s)
        others = loads - Counter({span.gpu: 1})
        if all(others[gpu] < per_gpu for gpu in GPUS):
            worst = max(worst, abs(loads["0"] - loads["1"]))
    return worst


def longest_wait_s(spans: list[Span], per_gpu: int) -> float:
    """Of a trial that was drawn while a GPU had room, until it ran: the start of a worker, mostly."""
    on_gpu = [span for span in spans if span.gpu is not None]
    had_room = [span for span in on_gpu if running(spans, span.drawn_s).total() < per_gpu * len(GPUS)]
    return max((span.began_s - span.drawn_s for span in had_room), default=0.0)


def run_case(share: float, at_once: int, cpus: int, mixed: bool, folder: Path) -> str:
    """One study, as a line of the table."""
    rows = np.random.default_rng(0).normal(size=(60, 3))
    data = folder / "rows.csv"
    pd.DataFrame(rows, columns=["a", "b", "y"]).to_csv(data, index=False)
    name = f"case-{share}-{at_once}-{cpus}-{mixed}"
    names = ["gpu_probe", "probe"] if mixed else ["gpu_probe"]
    started_s = time.monotonic()
    study = Study(
        name,
        data=data,
        target="y",
        storage=folder,
        quiet=True,
        pruner="none",
        trials=2 * at_once,
        models=[str(FAMILIES / f"{family}.py") for family in names],
        spaces={family: {"unit_seconds": UNIT_S} for family in names},
        resources={"gpus_per_trial": share, "max_concurrent": cpus if mixed else at_once},
    )
    board = study.run().leaderboard()
    assert (board["status"] == "completed").all(), board
    spans = read_spans(board, folder / name / "trials")
    per_gpu = round(1 / share)
    most = {gpu: max(running(spans, span.began_s)[gpu] for span in spans) for gpu in GPUS}
    return (
        f"| {share} | {at_once} | {cpus} | {'yes' if mixed else 'no'} | {most['0']} and {most['1']} "
        f"| {largest_difference(spans, per_gpu)} | {longest_wait_s(spans, per_gpu):.1f} s "
        f"| {time.monotonic() - started_s:.0f} s |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cpus", type=int, default=8)
    parser.add_argument("--shares", default="0.25,0.5")
    parser.add_argument("--at-once", default="2,3,4,6,8")
    parser.add_argument("--mixed", default="no,yes")
    given = parser.parse_args()
    ray.init(
        address="local",
        num_cpus=given.cpus,
        num_gpus=len(GPUS),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    print(
        "| share | at once | CPUs | CPU families too | most on GPU 0 and 1 | difference | wait | took |",
        flush=True,
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    cases = itertools.product(given.shares.split(","), given.at_once.split(","), given.mixed.split(","))
    with tempfile.TemporaryDirectory() as scratch:
        for share, at_once, mixed in cases:
            line = run_case(float(share), int(at_once), given.cpus, mixed == "yes", Path(scratch))
            print(line, flush=True)


if __name__ == "__main__":
    main()
