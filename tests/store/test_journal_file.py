"""The record's journal: one line an event, and a kill in the middle of one costs only that."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution

from tuning.metrics import Direction
from tuning.store import Result, Status, Store, drop_torn_line

PARAMS = {"level": 1.5, "layers": [2, 3], "gate": None}


def create(store: Store) -> int:
    return store.create("probe", {"level": 1.5}, {"level": FloatDistribution(0.0, 5.0)}, PARAMS, {})


def report(store: Store, *values: float) -> None:
    for iteration, value in enumerate(values, 1):
        store.report("probe", 0, iteration, value)


def journal_lines(folder: Path) -> list[bytes]:
    return (folder / "journal.log").read_bytes().splitlines(keepends=True)


def journal_store(folder: Path) -> Store:
    store = Store(folder, None, "study", Direction.MINIMIZE)
    store.add_family("probe")
    return store


def test_a_trial_is_created_in_one_line_of_the_journal(tmp_path: Path) -> None:
    store = journal_store(tmp_path)
    before = len(journal_lines(tmp_path))
    create(store)
    assert len(journal_lines(tmp_path)) == before + 1


def test_a_torn_last_line_is_dropped_and_the_journal_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = journal_store(tmp_path)
    create(store)
    report(store, 3.0, 1.0)
    journal = tmp_path / "journal.log"
    whole = journal.read_bytes()
    last = journal_lines(tmp_path)[-1]
    journal.write_bytes(whole[: -len(last) // 2])
    drop_torn_line(tmp_path)
    assert "unfinished line" in caplog.text
    assert journal.read_bytes() == whole[: -len(last)]
    resumed = journal_store(tmp_path)
    assert resumed.trial("probe", 0).values == {1: 3.0}
    resumed.report("probe", 0, 2, 1.5)
    create(resumed)
    reader = Store(tmp_path, None, "study", Direction.MINIMIZE)
    assert reader.trial("probe", 0).values == {1: 3.0, 2: 1.5}
    assert len(reader.trials()) == 2


def test_every_prefix_of_the_journal_is_a_readable_record(tmp_path: Path) -> None:
    store = journal_store(tmp_path)
    create(store)
    report(store, 3.0, 1.0)
    store.set_checkpoint("probe", 0, "trials/probe-0000/checkpoint/a", 1.0)
    store.finish("probe", 0, Result(Status.COMPLETED, 1.0, 2), checkpoint="trials/probe-0000/best")
    lines = journal_lines(tmp_path)
    for kept in range(len(lines) + 1):
        folder = tmp_path / str(kept)
        folder.mkdir()
        torn = lines[kept][: len(lines[kept]) // 2] if kept < len(lines) else b""
        (folder / "journal.log").write_bytes(b"".join(lines[:kept]) + torn)
        drop_torn_line(folder)
        resumed = journal_store(folder)
        resumed.finish_half_written()
        for record in resumed.trials():
            assert record.params == PARAMS
            assert record.status in (Status.INTERRUPTED, Status.COMPLETED)
            assert (record.status is Status.COMPLETED) == (record.checkpoint == "trials/probe-0000/best")
        create(resumed)
        assert len(journal_store(folder).trials()) == len(resumed.trials())


def test_a_whole_journal_and_a_missing_one_are_left_alone(tmp_path: Path) -> None:
    drop_torn_line(tmp_path)
    assert not (tmp_path / "journal.log").exists()
    create(journal_store(tmp_path))
    whole = (tmp_path / "journal.log").read_bytes()
    drop_torn_line(tmp_path)
    assert (tmp_path / "journal.log").read_bytes() == whole
