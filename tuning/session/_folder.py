"""The study folder: what lies where, and what may not lie elsewhere."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tuning.errors import InputError, RecordError

STUDY_FILE = "study.yaml"


class StudyFolder:
    """Paths below `<storage>/<name>/`."""

    def __init__(self, storage: Path, name: str) -> None:
        self.name = name
        self.root = (storage / name).resolve()
        self.study_file = self.root / STUDY_FILE
        self.splits_file = self.root / "splits.parquet"
        self.leaderboard_json = self.root / "leaderboard.json"
        self.leaderboard_csv = self.root / "leaderboard.csv"
        self.stop_file = self.root / "stop"
        self.driver_file = self.root / "driver.json"
        self.models = self.root / "models"
        self.transforms = self.root / "transforms"
        self.best = self.root / "best"
        self.refit = self.root / "refit"

    def exists(self) -> bool:
        """Whether a study was set up here; a folder that a kill left before that does not count."""
        return self.study_file.is_file()

    def create(self) -> None:
        """Make the folder.

        Raises:
            InputError: the place cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / ".probe"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"storage.folder: {self.root} cannot be written ({error.strerror}); "
                "name another folder with --storage."
            ) from error

    def trial(self, trial: str) -> Path:
        return self.root / "trials" / trial

    def resolve(self, relative: str) -> Path:
        """The absolute path of a checkpoint that the record names.

        Raises:
            RecordError: the path leads out of the study folder.
        """
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root / "trials"):
            raise RecordError(
                f"The record of {self.name} names {relative!r}, which lies outside the study folder."
            )
        return path

    def write_study(self, content: Mapping[str, Any]) -> None:
        """Write the study file, whole or not at all."""
        write_atomically(self.study_file, yaml.safe_dump(dict(content), sort_keys=False))

    def read_study(self) -> dict[str, Any]:
        """The study file's content.

        Raises:
            InputError: there is no study here, or its file is damaged.
        """
        if not self.exists():
            others = ", ".join(study_names(self.root.parent)) or "none"
            raise InputError(
                f"There is no study {self.name} in {self.root.parent}; the studies there: {others}."
            )
        try:
            content = yaml.safe_load(self.study_file.read_text())
        except yaml.YAMLError as error:
            raise RecordError(f"{self.study_file} is damaged: {' '.join(str(error).split())}.") from error
        if not isinstance(content, dict) or "config" not in content:
            raise RecordError(f"{self.study_file} is damaged: it has no section 'config'.")
        return content


def study_names(storage: Path) -> list[str]:
    """Names of the studies in a storage folder."""
    return sorted(path.parent.name for path in storage.glob(f"*/{STUDY_FILE}"))


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content so that a kill leaves the old or the new one, never a part."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync(path.parent)


def replace_folder(draft: Path, final: Path) -> None:
    """Move a finished folder to its place, all or nothing, and through a power cut.

    The old folder is moved away first and deleted last: it can be restored by hand from `.<name>.old`
    should the process be killed between the two moves.
    """
    for path in (draft, *draft.rglob("*")):
        _sync(path)
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    draft.rename(final)
    _sync(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    """Put a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_json(content: Any) -> str:
    """JSON with a newline at its end; NaN and inf are refused rather than written."""
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
