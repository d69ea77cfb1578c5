"""How long commands take that train next to nothing: what a user waits for before anything happens.

Each is a process of its own; with `--against` the same run in turns with the code of another revision.

    python benchmarks/start.py [--times 3] [--against REVISION]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "examples" / "data" / "abalone.csv"
FIRST = ("run", "--data", str(TABLE), "--target", "rings", "--models", "lightgbm", "--trials", "1", "--quiet",
         "--set", "spaces.lightgbm.n_estimators=9", "--name", "start")  # fmt: skip
COMMANDS = {
    "`tuning --help`": ("--help",),
    "`tuning run`, one trial": FIRST,
    "`tuning resume`, one trial more": ("resume", "start", "--trials", "2", "--quiet"),
    "`tuning list`": ("list",),
    "`tuning leaderboard`": ("leaderboard", "start"),
}


def seconds(code: Path, words: tuple[str, ...], storage: Path) -> float:
    """Wall time of a command with the code of a folder."""
    place = [] if words == ("--help",) else ["--storage", str(storage)]
    started_s = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tuning", *words, *place],
        cwd=code,
        env={**os.environ, "PYTHONPATH": str(code)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started_s


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A folder with the code of a revision."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "code"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(folder), revision], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def measure(codes: list[Path], times: int) -> dict[str, list[float]]:
    """By command, the median seconds with the code of each folder, in turns."""
    taken: dict[str, list[list[float]]] = {name: [[] for _ in codes] for name in COMMANDS}
    for _ in range(times):
        for place, code in enumerate(codes):
            with tempfile.TemporaryDirectory() as storage:
                for name, words in COMMANDS.items():
                    taken[name][place].append(seconds(code, words, Path(storage)))
    return {name: [median(each) for each in by_code] for name, by_code in taken.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--against", metavar="REVISION")
    given = parser.parse_args()
    with ExitStack() as stack:
        codes = [ROOT]
        if given.against:
            codes.append(stack.enter_context(checked_out(given.against)))
        found = measure(codes, given.times)
    print("| | seconds |" + (f" at {given.against} | ratio |" if given.against else ""))
    print("|---|---:|" + ("---:|---:|" if given.against else ""))
    for name, (here, *there) in found.items():
        print(f"| {name} | {here:.1f} |" + "".join(f" {other:.1f} | {here / other:.2f} |" for other in there))


if __name__ == "__main__":
    main()
