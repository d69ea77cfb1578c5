"""Commands in a real terminal, narrow and wide, with colours and without: what they leave on the screen."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.desk.terminal import CTRL_C, Terminal
from tests.integration.command import ABALONE, PROBE, assert_audited, leaderboard

ESCAPE = b"\x1b"
NAME = "seen"


@dataclass(frozen=True)
class Seen:
    """What a command left: its exit code, the screen, and all that was written to the terminal."""

    code: int
    text: str
    raw: bytes

    @property
    def joined(self) -> str:
        """The text without the line breaks of a narrow terminal."""
        return self.text.replace("\n", "")


def words(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "tuning", *map(str, arguments)]


def study(name: str, storage: Path, *more: str | Path) -> list[str]:
    """A study of three trials that cost nothing."""
    return words(
        "run", "--data", ABALONE, "--target", "rings", "--models", PROBE, "--trials", "3", "--name", name,
        "--storage", storage, "--set", "pruning.pruner=none", *more,
    )  # fmt: skip


def seen(
    command: list[str],
    folder: Path,
    *,
    columns: int,
    term: str = "xterm-256color",
    stdout: Path | None = None,
) -> Seen:
    with Terminal(command, folder, columns=columns, term=term, stdout=stdout) as terminal:
        return Seen(terminal.wait(), terminal.text, terminal.raw)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def ran(storage: Path, ray_address: str) -> Seen:
    """A study, run in a narrow terminal with colours."""
    return seen(study(NAME, storage, "--address", ray_address), storage, columns=60)


def assert_leaderboard(text: str, trials: int) -> None:
    """It is there once, with all of its trials and none of its lines cut."""
    assert text.count("rmse, lower is better") == 1
    table = text[text.index("rmse, lower is better") :]
    for number in range(trials):
        (row,) = re.findall(rf"^ +\d .*probe-{number:04d}.*$", table, re.MULTILINE)
        assert re.search(r"\d\.\d{4} ", row)
    assert "★ best of its family" in table


def test_a_run_in_a_narrow_terminal_with_colours(ran: Seen) -> None:
    assert ran.code == 0, ran.text
    assert ESCAPE in ran.raw
    # The live view stays in its place: one is left of all that were drawn.
    assert ran.raw.count(b"slots busy") > 1
    assert ran.text.count("slots busy") == 1
    assert ran.text.count("family") == 2
    assert_leaderboard(ran.text, trials=3)
    assert f"tuning predict {NAME} FILE" in ran.joined
    assert "Traceback" not in ran.text


@pytest.mark.usefixtures("ran")
def test_a_resume_in_a_wide_terminal_without_a_cursor(storage: Path) -> None:
    again = seen(
        words("resume", NAME, "--trials", "4", "--storage", storage), storage, columns=200, term="dumb"
    )
    assert again.code == 0, again.text
    assert ESCAPE not in again.raw
    assert "4 trials finished" in again.text
    assert_leaderboard(again.text, trials=4)
    # All of the 200 columns are used.
    assert "params" in again.text


@pytest.mark.usefixtures("ran")
def test_what_stdout_is_sent_to_holds_the_leaderboard_alone(storage: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    resumed = words("resume", NAME, "--trials", "5", "--storage", storage)
    watched = seen(resumed, storage, columns=200, stdout=file)
    assert watched.code == 0, watched.text
    content = file.read_bytes()
    assert ESCAPE not in content
    assert b"\r" not in content
    assert_leaderboard(content.decode(), trials=5)
    assert "slots busy" in watched.text
    assert "lower is better" not in watched.text


@pytest.mark.usefixtures("ran")
def test_a_final_fit_in_a_narrow_terminal(storage: Path) -> None:
    fitted = seen(words("refit", NAME, "--storage", storage), storage, columns=60)
    assert fitted.code == 0, fitted.text
    assert f"tuning predict {NAME} FILE -o predictions.csv --model refit --storage {storage}" in fitted.joined
    assert "Traceback" not in fitted.text


def reports(storage: Path, name: str, count: int) -> Callable[[], bool]:
    """Whether the study has reported so much."""
    journal = storage / name / "journal.log"
    return lambda: journal.exists() and journal.read_text().count('"intermediate_value"') >= count


@pytest.mark.timeout(400)
def test_ctrl_c_keeps_everything_and_the_printed_line_goes_on(tmp_path: Path) -> None:
    """With a Ray of its own, whose processes Ctrl-C reaches too."""
    slow = study("halted", tmp_path, "--set", "spaces.probe.unit_seconds=0.3")
    with Terminal(slow, tmp_path, columns=200) as terminal:
        terminal.wait_until(reports(tmp_path, "halted", 4))
        terminal.press(CTRL_C)
        assert terminal.wait() == 130, terminal.text
    text = terminal.text
    assert "Traceback" not in text
    assert text.count("slots busy") == 1
    assert "interrupted" in text
    assert_audited("halted", tmp_path)

    (line,) = re.findall(r"Go on with: tuning (resume .+)$", text, re.MULTILINE)
    resumed = seen(words(*line.split()), tmp_path, columns=60, term="dumb")
    assert resumed.code == 0, resumed.text
    assert_leaderboard(resumed.text, trials=3)
    assert [row["status"] for row in leaderboard("halted", tmp_path)] == ["completed"] * 3


def test_ctrl_c_twice_ends_at_once_and_loses_nothing(tmp_path: Path, ray_address: str) -> None:
    slow = study("hurried", tmp_path, "--address", ray_address, "--set", "spaces.probe.unit_seconds=3")
    with Terminal(slow, tmp_path, columns=60) as terminal:
        terminal.wait_until(reports(tmp_path, "hurried", 2))
        terminal.press(CTRL_C)
        terminal.wait_for("nothing new starts")
        terminal.press(CTRL_C)
        assert terminal.wait(30) == 130, terminal.text
    assert "Traceback" not in terminal.text
    assert f"tuning resume hurried --storage {tmp_path}" in terminal.text.replace("\n", "")
    # The cursor was hidden while the live view was drawn.
    assert terminal.raw.rfind(b"\x1b[?25h") > terminal.raw.rfind(b"\x1b[?25l")
    assert_audited("hurried", tmp_path)


@pytest.mark.parametrize("library", ["numpy", "pandas", "_raylet"])
def test_ctrl_c_while_libraries_are_loaded_is_one_sentence(library: str, tmp_path: Path) -> None:
    with Terminal(study("early", tmp_path), tmp_path) as terminal:
        loaded = Path(f"/proc/{terminal.process.pid}/maps")
        terminal.wait_until(lambda: library in loaded.read_text())
        terminal.press(CTRL_C)
        assert terminal.wait(30) == 130, terminal.text
    lines = [line for line in terminal.text.replace("^C", "").splitlines() if line]
    assert len(lines) == 1, terminal.text
    assert lines[0].startswith("Interrupted")
    assert not list(tmp_path.glob("*/study.yaml"))


@pytest.mark.parametrize("file", ["abalone", "retail"])
def test_the_lines_of_make_demo_run_in_a_terminal(file: str, tmp_path: Path, ray_address: str) -> None:
    """As the Makefile has them, with less time and trials."""
    (line,) = re.findall(
        rf"^\t\$\(BIN\)/tuning (run examples/{file}\.yaml)", (ROOT / "Makefile").read_text(), re.M
    )
    short = ["--time-budget", "90s", "--models", "linear_gd" if file == "abalone" else "seasonal_naive"]
    place = ["--trials", "1", "--name", file, "--storage", tmp_path, "--address", ray_address]
    demo = seen(words(*line.split(), *short, *place), ROOT, columns=100)
    assert demo.code == 0, demo.text
    assert "★" in demo.text
    assert demo.text.count("slots busy") == 1
    assert "Traceback" not in demo.text
