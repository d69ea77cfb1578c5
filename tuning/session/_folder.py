"""The study folder: what lies where, and what may not lie elsewhere."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tuning.errors import InputError, RecordError, StorageError
from tuning.models import imported_beside
from tuning.storage import (
    Mirror,
    ObjectMirror,
    Place,
    Remote,
    cache_folder,
    open_place,
    storage_option,
)
from tuning.store import DriverLock, Lease, driver_lock, is_driven

STUDY_FILE = "study.yaml"


class StudyFolder:
    """Paths below `<storage>/<name>/`.

    Travels between processes as its place: of a study in an object store, each works in a folder of its
    own machine, and `mirror` keeps the two together.

    Args:
        storage: folder of the study folders, or the URI of their place in an object store.
        name: the study.

    Attributes:
        storage: the place as it was given.
        remote: the study in an object store, None where the folder is all there is.
        mirror: called for what is written for other machines, and before what they wrote is read.
    """

    def __init__(self, storage: Place, name: str) -> None:
        place = open_place(storage)
        self.name = name
        self.remote: Remote | None = None
        self.mirror = Mirror()
        self.storage: Place = storage
        if isinstance(place, Remote):
            self.remote = place / name
            self.root = cache_folder(storage) / name
            self.mirror = ObjectMirror(self.root, self.remote)
        else:
            self.root = (place / name).resolve()
            self.storage = self.root.parent
        self.study_file = self.root / STUDY_FILE
        self.data_file = self.root / "data.parquet"
        self.splits_file = self.root / "splits.parquet"
        self.leaderboard_json = self.root / "leaderboard.json"
        self.leaderboard_csv = self.root / "leaderboard.csv"
        self.stop_file = self.root / "stop"
        self.driver_file = self.root / "driver.json"
        self.models = self.root / "models"
        self.transforms = self.root / "transforms"
        self.best = self.root / "best"
        self.refit = self.root / "refit"

    def __reduce__(self) -> tuple[type[StudyFolder], tuple[Place, str]]:
        return StudyFolder, (self.storage, self.name)

    def __str__(self) -> str:
        """Where the study is, for the user."""
        return str(self.root if self.remote is None else self.remote)

    @property
    def parent(self) -> str:
        """Where the study and its siblings are, for the user."""
        return str(self).removesuffix(f"/{self.name}")

    def command(self, verb: str, *words: str) -> str:
        """Return a command on this study, as it is to be typed in a shell of this machine.

        >>> StudyFolder("studies", "prices").command("resume", "--models", "my own.py")
        "tuning resume prices --models 'my own.py'"
        """
        return f"{shlex.join(['tuning', verb, self.name, *words])}{storage_option(self.storage)}"

    def exists(self) -> bool:
        """Whether a study was set up here; a folder that a kill left before that does not count."""
        return self.study_file.is_file() if self.remote is None else self.remote.exists(STUDY_FILE)

    def lock(self) -> DriverLock | Lease:
        """What the process that runs the study holds."""
        return driver_lock(self.root, self.remote)

    def is_driven(self) -> bool:
        """Whether some process runs the study now."""
        return is_driven(self.root, self.remote)

    def trial(self, trial: str) -> Path:
        return self.root / "trials" / trial

    def trials_on_disk(self) -> list[str]:
        """List the ids of the trials that have a folder, sorted; none of a study in an object store.

        There a driver that lost its lease without noticing may have left one that no record names.
        """
        if self.remote is not None:
            return []
        return sorted(path.name for path in (self.root / "trials").glob("*") if path.is_dir())

    def resolve(self, relative: str) -> Path:
        """The absolute path of a checkpoint that the record names.

        Raises:
            RecordError: the path leads out of the study folder.
        """
        # By its words alone: a disk of its own may hold the trials, behind a link.
        path = Path(os.path.normpath(self.root / relative))
        if not path.is_relative_to(self.root / "trials"):
            raise RecordError(
                f"The record of {self.name} names {relative!r}, which lies outside the study folder."
            )
        return path

    def _fetch_study(self) -> None:
        """Bring what every command reads of a study up to date."""
        if self.remote is None:
            return
        try:
            self.mirror.pull(self.study_file)
        except StorageError as error:
            raise unusable(error) from error
        for name in self.remote.names(self.models.name):
            self.mirror.pull(self.root / name)

    def fetch_model_file(self, name: str) -> Path:
        """Bring a model file of the user's own, and what it imports beside it, to this machine."""
        wanted = [self.models / name]
        for path in wanted:
            self.mirror.pull(path)
            imported = imported_beside(path) if path.is_file() else ()
            wanted += [beside for beside in imported if beside not in wanted]
        return wanted[0]

    @contextmanager
    def checkpoint(self, relative: str) -> Iterator[Path]:
        """A checkpoint that the record names, to be read inside the block.

        Raises:
            RecordError: the path leads out of the study folder.
        """
        with self.mirror.reading(self.resolve(relative)) as path:
            yield path

    @contextmanager
    def copy(self) -> Iterator[StudyFolder]:
        """The whole study on a disk, to be read inside the block: itself, or all that the store has."""
        with self.mirror.copy(self.root) as root:
            yield self if root == self.root else StudyFolder(root.parent, self.name)

    def write_study(self, content: Mapping[str, Any], *, is_private: bool = False) -> None:
        """Write the study file, whole or not at all; a private one is its owner's alone to read."""
        text = yaml.safe_dump(dict(content), sort_keys=False)
        write_atomically(self.study_file, text, is_private=is_private)
        self.mirror.push(self.study_file)

    def read_study(self) -> dict[str, Any]:
        """The study file's content.

        Raises:
            InputError: there is no study here, or its file is damaged.
        """
        self._fetch_study()
        if not self.study_file.is_file():
            others = ", ".join(study_names(self.storage)) or "none"
            raise InputError(f"There is no study {self.name} in {self.parent}; the studies there: {others}.")
        try:
            content = yaml.safe_load(self.study_file.read_text())
        except yaml.YAMLError as error:
            raise RecordError(f"{self.study_file} is damaged: {' '.join(str(error).split())}.") from error
        if not isinstance(content, dict) or "config" not in content:
            raise RecordError(f"{self.study_file} is damaged: it has no section 'config'.")
        return content


def study_names(storage: Place) -> list[str]:
    """Names of the studies in a storage folder, or in a place in an object store.

    Raises:
        InputError: the object store does not let them be read.
    """
    place = open_place(storage)
    if isinstance(place, Path):
        return sorted(path.parent.name for path in place.glob(f"*/{STUDY_FILE}"))
    try:
        return [name for name in place.folders() if (place / name).exists(STUDY_FILE)]
    except StorageError as error:
        raise unusable(error) from error


def unusable(error: StorageError) -> InputError:
    """Say that an object store does not do what it is asked."""
    return InputError(
        f"storage.folder: {str(error).rstrip('.')}; check the bucket, the endpoint and the credentials "
        "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or name another --storage."
    )


def write_atomically(path: Path, text: str, *, is_private: bool = False) -> None:
    """Replace a file's content so that a kill leaves the old or the new one, never a part.

    Args:
        path: the file.
        text: its content.
        is_private: its owner alone may ever read it, also while it is being written.
    """
    draft = path.with_name(f".{path.name}.draft")
    if is_private:
        draft.unlink(missing_ok=True)  # A killed process may have left one that others can read.
    with open(draft, "w", opener=_private if is_private else None) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync(path.parent)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o600)


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
