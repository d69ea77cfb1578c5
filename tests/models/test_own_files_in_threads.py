"""Threads that import model files of one name at the same time get a module each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.trial.rows import PROBE
from tuning.models import load_family_file

SLOWLY = """
import sys
import time

time.sleep(0.05)
if vars(sys.modules.get(__name__)) is not globals():
    raise ValueError("another import took this module away")
"""
BESIDE = "from .layers import WIDTH\nassert WIDTH\n"


def at_once(paths: list[Path]) -> list[str]:
    with ThreadPoolExecutor(len(paths)) as pool:
        return [model.__name__ for model in pool.map(load_family_file, paths)]


def one_file(folder: Path) -> list[Path]:
    (folder / "mine.py").write_text(Path(PROBE).read_text() + SLOWLY)
    return [folder / "mine.py"] * 3


def one_name_in_two_folders(folder: Path) -> list[Path]:
    for name in ("one", "two"):
        (folder / name).mkdir()
        one_file(folder / name)
    return [folder / "one" / "mine.py", folder / "two" / "mine.py"]


def with_a_file_beside(folder: Path) -> list[Path]:
    paths = one_file(folder)
    (folder / "mine.py").write_text(Path(PROBE).read_text() + BESIDE)
    (folder / "layers.py").write_text(f"{SLOWLY}\nWIDTH = 4\n")
    return paths


@pytest.mark.parametrize("files", [one_file, one_name_in_two_folders, with_a_file_beside])
def test_threads_import_files_of_one_name(files: Callable[[Path], list[Path]], tmp_path: Path) -> None:
    paths = files(tmp_path)
    assert len(at_once(paths)) == len(paths)
