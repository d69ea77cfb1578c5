"""Objects in a real store: whole or absent, with faults of the store passed over or told in one sentence."""

from __future__ import annotations

import pickle
import threading
import time
from pathlib import Path

import pytest

from tests.storage.object_store import KEY, SECRET, ObjectStore
from tuning.errors import ConfigError, StorageError
from tuning.storage import Mirror, ObjectMirror, Remote, cache_folder, open_place, without_secrets


@pytest.fixture
def remote(object_store: ObjectStore, request: pytest.FixtureRequest) -> Remote:
    return Remote(object_store.uri("remote")) / request.node.name


@pytest.fixture
def mirror(remote: Remote, tmp_path: Path) -> ObjectMirror:
    return ObjectMirror(tmp_path / "here", remote)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_objects_are_written_read_listed_and_deleted(remote: Remote) -> None:
    for name in ("a", "b/c", "b/d"):
        remote.write(name, name.encode())
    assert remote.names() == ["a", "b/c", "b/d"]
    assert remote.names("b") == ["b/c", "b/d"]
    assert remote.folders() == ["b"]
    assert remote.read_all(["b/c", "a"]) == [b"b/c", b"a"]
    remote.delete(["a", "b/c", "never"])
    assert remote.names() == ["b/d"]
    assert (remote.exists("b/d"), remote.exists("a")) == (True, False)
    with pytest.raises(FileNotFoundError):
        remote.read("a")


def test_it_travels_to_another_process_by_its_uri(remote: Remote) -> None:
    remote.write("a", b"content")
    assert pickle.loads(pickle.dumps(remote)).read("a") == b"content"


def test_a_store_that_is_away_for_a_while_is_waited_for(object_store: ObjectStore, remote: Remote) -> None:
    with object_store.away():
        writing = threading.Thread(target=lambda: remote.write("a", b"late"))
        writing.start()
        time.sleep(4.0)
        assert writing.is_alive()
    writing.join()
    assert remote.read("a") == b"late"


def test_a_store_that_stays_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = Remote(ObjectStore(9, 0).uri("x"))
    monkeypatch.setattr("tuning.storage._remote._PATIENCE_S", 1.0)
    started_s = time.monotonic()
    with pytest.raises(StorageError, match=r"^s3://studies/x cannot be written: .*connect.*\.$") as refused:
        remote.write("a", b"")
    assert 1 < time.monotonic() - started_s < 30
    started_s = time.monotonic()
    monkeypatch.setattr("tuning.storage._remote._PATIENCE_S", 60.0)
    with pytest.raises(StorageError):
        (remote / "further").read("a")
    assert time.monotonic() - started_s < 20, "a store that is known to be away was waited for again"
    assert SECRET not in str(refused.value)


def test_a_bucket_that_is_not_there_is_not_waited_for(object_store: ObjectStore) -> None:
    started_s = time.monotonic()
    with pytest.raises(StorageError, match="bucket"):
        Remote(object_store.uri("x", bucket="no-such-bucket")).check()
    assert time.monotonic() - started_s < 5


@pytest.mark.parametrize("uri", ["s4://bucket/x", "s3:///x", "s3://bucket/x?colour=red"])
def test_a_uri_of_no_store_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match=r"storage\.folder: .*s3://BUCKET/FOLDER"):
        Remote(uri).check()


def test_credentials_come_from_the_environment(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_SECRET", "slash/and+plus")
    remote = Remote(object_store.uri("variables").replace(SECRET, "${STORE_SECRET}"))
    remote.write("a", b"content")
    assert remote.read("a") == b"content"
    monkeypatch.delenv("STORE_SECRET")
    with pytest.raises(ConfigError, match="STORE_SECRET is not set"):
        pickle.loads(pickle.dumps(remote)).read("a")


def test_neither_messages_nor_the_cache_know_credentials(object_store: ObjectStore) -> None:
    uri = object_store.uri("x")
    assert KEY not in str(Remote(uri))
    assert KEY not in without_secrets(uri)
    assert cache_folder(uri) == cache_folder(without_secrets(uri))


def test_a_file_uri_is_a_folder(tmp_path: Path) -> None:
    assert open_place(f"file://{tmp_path}/my%20studies") == tmp_path / "my studies"


def test_a_folder_arrives_whole_elsewhere(mirror: ObjectMirror, remote: Remote, tmp_path: Path) -> None:
    here = tmp_path / "here"
    write(here / "trials/a-0001/best/fold-0/model", "weights")
    mirror.push(here / "trials/a-0001/best")
    assert remote.names() == ["trials/a-0001/best.tar"]
    there = ObjectMirror(tmp_path / "there", remote)
    with there.reading(tmp_path / "there/trials/a-0001/best") as folder:
        assert (folder / "fold-0/model").read_text() == "weights"
    assert not folder.exists()
    with there.reading(tmp_path / "there/trials/b-0001/best") as folder:
        assert not folder.exists()


def test_a_pull_brings_what_is_there_and_removes_what_is_not(
    mirror: ObjectMirror, remote: Remote, tmp_path: Path
) -> None:
    path = write(tmp_path / "here/log", "first")
    mirror.push(path)
    remote.write("log", b"second")
    mirror.pull(path)
    assert path.read_text() == "second"
    remote.delete(["log"])
    mirror.pull(path)
    assert not path.exists()


def test_only_the_newest_checkpoints_are_kept(mirror: ObjectMirror, remote: Remote, tmp_path: Path) -> None:
    folder = tmp_path / "here/trials/a-0001/checkpoint"
    paths = [write(folder / name / "model", name).parent for name in ("one", "two", "three")]
    for path in paths:
        mirror.push(path)
    mirror.keep_only(folder, paths[1:])
    assert [Path(name).stem for name in remote.names()] == ["three", "two"]
    mirror.delete(folder)
    assert remote.names() == []
    assert not folder.exists()


def test_a_file_elsewhere_is_watched(mirror: ObjectMirror, remote: Remote, tmp_path: Path) -> None:
    is_there = mirror.watch(tmp_path / "here/stop")
    assert not is_there()
    remote.write("stop", b"")
    asked = 0
    while not is_there():
        asked += 1
        time.sleep(0.01)
    assert 10 < asked < 1000


def test_a_copy_holds_everything(mirror: ObjectMirror, tmp_path: Path) -> None:
    here = tmp_path / "here"
    mirror.push(write(here / "study.yaml", "a: 1"))
    mirror.push(write(here / "transforms/fold-0/state", "fitted").parents[1])
    with mirror.copy(here) as copy:
        files = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file())
        assert files == ["study.yaml", "transforms/fold-0/state"]


def test_a_folder_on_a_disk_needs_no_copies(tmp_path: Path) -> None:
    mirror, path = Mirror(), write(tmp_path / "checkpoint/file", "content")
    mirror.push(path)
    mirror.pull(path)
    with mirror.reading(path.parent) as folder:
        assert folder == path.parent
    mirror.delete(path.parent)
    assert not path.parent.exists()
