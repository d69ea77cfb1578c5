"""A disk that is full, or a quota that is used up, when a study is set up or its predictions are written."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.study.finished import prepare, run
from tests.study.test_own_place import frame_study, prepared
from tuning.cli import main
from tuning.config import validate_config
from tuning.errors import DiskFullError, InputError
from tuning.study import set_up


@contextmanager
def little_room(most_bytes: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: the system refuses the write, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("most_bytes", [0, 100, 1000])
def test_setting_up_on_a_full_disk_is_one_sentence(tmp_path: Path, most_bytes: int) -> None:
    prepare(tmp_path / "first")  # All is loaded and compiled.
    with (
        pytest.raises(DiskFullError, match=r"^Nothing more can be written to .*/others/demo \(.*\)\.$"),
        little_room(most_bytes),
    ):
        prepare_again(tmp_path / "first")
    assert not (tmp_path / "first" / "others" / "demo" / "study.yaml").exists()
    prepare_again(tmp_path / "first")  # Once there is room, the name is free.


def prepare_again(folder: Path) -> None:
    """A second study of the same files, which are written already."""
    config = {
        "name": "demo",
        "data": {"path": str(folder / "table.csv"), "target": "y"},
        "models": [str(folder / "one.py")],
        "metric": "rmse",
        "storage": {"folder": str(folder / "others")},
        "search": {"trials": 1},
    }
    set_up(validate_config(config, "test"))


def test_a_data_frame_that_finds_no_room_is_one_sentence(tmp_path: Path) -> None:
    prepared(frame_study(tmp_path / "first"))
    no_room = r"^Study.data: .* cannot be written .*set TMPDIR to a disk with room"
    with pytest.raises(InputError, match=no_room), little_room(100):
        prepared(frame_study(tmp_path / "second"))
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_predictions_that_find_no_room_are_one_sentence(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = prepare(tmp_path)
    run(study)
    output = tmp_path / f"predictions.{suffix}"
    words = ["predict", "demo", str(tmp_path / "table.csv"), "-o", str(output)]
    monkeypatch.setattr("sys.argv", ["tuning", *words, "--storage", str(tmp_path / "studies")])
    with pytest.raises(SystemExit) as ended, little_room(300):
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"Error: -o {output}: it cannot be written (")
    assert said.count("\n") == 0
