"""The record as objects: in order, few, and readable after a kill at any write."""

from __future__ import annotations

from typing import Any

import pytest

from tests.storage.object_store import ObjectStore
from tuning.errors import RecordError
from tuning.storage import Remote
from tuning.store._journal import FOLDER, ObjectJournal


@pytest.fixture
def remote(object_store: ObjectStore, request: pytest.FixtureRequest) -> Remote:
    return Remote(object_store.uri("journal")) / request.node.name


@pytest.fixture(autouse=True)
def merge_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning.store._journal.MAX_SMALL", 8)


def append(journal: ObjectJournal, *numbers: int, by: str = "driver") -> None:
    for number in numbers:
        journal.append_logs([{"number": number, "by": by}])


def numbers(remote: Remote) -> list[int]:
    return [entry["number"] for entry in ObjectJournal(remote).read_logs(0)]


def test_a_reader_finds_every_entry_in_order_in_few_objects(remote: Remote) -> None:
    journal = ObjectJournal(remote)
    for number in range(70):
        append(journal, number)
        if number % 7 == 0:
            assert numbers(remote) == list(range(number + 1))
    assert numbers(remote) == list(range(70))
    assert len(remote.names(FOLDER)) < 16
    assert [entry["number"] for entry in journal.read_logs(68)] == [68, 69]


def test_one_driver_after_the_other(remote: Remote) -> None:
    for start in range(0, 40, 5):
        append(ObjectJournal(remote), *range(start, start + 5))
    assert numbers(remote) == list(range(40))


@pytest.mark.parametrize("later", [3, 30])
def test_a_driver_that_lost_its_lease_changes_nothing(remote: Remote, later: int) -> None:
    paused = ObjectJournal(remote)
    append(paused, *range(5))
    driver = ObjectJournal(remote)
    append(driver, *range(5, 5 + later))
    append(paused, *range(5, 40), by="paused")
    entries = list(ObjectJournal(remote).read_logs(0))
    assert [entry["number"] for entry in entries] == list(range(5 + later))
    assert {entry["by"] for entry in entries} == {"driver"}


@pytest.mark.parametrize("deleted", range(0, 9, 2))
def test_a_kill_while_objects_are_merged_loses_nothing(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, deleted: int
) -> None:
    journal = ObjectJournal(remote)
    delete = Remote.delete

    def die(self: Remote, names: Any) -> None:
        delete(self, list(names)[:deleted])
        raise KeyboardInterrupt

    monkeypatch.setattr(Remote, "delete", die)
    with pytest.raises(KeyboardInterrupt):
        append(journal, *range(20))
    monkeypatch.setattr(Remote, "delete", delete)
    found = numbers(remote)
    assert found == list(range(8))
    append(ObjectJournal(remote), *range(8, 30))
    assert numbers(remote) == list(range(30))


def test_a_lost_object_is_told(remote: Remote) -> None:
    append(ObjectJournal(remote), *range(5))
    lost = remote.names(FOLDER)[2]
    remote.delete([lost])
    with pytest.raises(RecordError, match="entries 2 to 5 are not there"):
        ObjectJournal(remote)
