"""Setting a study up, and reading it back: all checks happen here, before Ray starts."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from models import Task
from tuning.config import StudyConfig, validate_config
from tuning.data import PreparedData, fingerprint, prepare, read_frame
from tuning.errors import DataError, InputError
from tuning.families import Family, resolve_families
from tuning.metrics import Direction
from tuning.session import StudyFolder
from tuning.space import Space
from tuning.store import Store

_LIBRARIES = ("ray", "optuna", "torch", "lightgbm", "xgboost", "catboost", "scikit-learn", "numpy", "pandas")
DEFAULT_TRIALS = 20


@dataclass(frozen=True)
class StudyHeader:
    """What is known of a study without its data.

    Attributes:
        config: the resolved configuration.
        task: kind of target.
        metric: name of the metric that is searched on.
        direction: whether low or high scores are better.
        data_sha256: fingerprint of the data file.
        families: families with their search spaces.
    """

    config: StudyConfig
    task: Task
    metric: str
    direction: Direction
    data_sha256: str
    families: tuple[Family, ...]
    created_at: str = ""

    def open_store(self, folder: StudyFolder) -> Store:
        """The study's record."""
        return Store(folder.root, self.config.storage.url, self.config.name, self.direction)


@dataclass(frozen=True)
class PreparedStudy:
    """A study that is ready to run."""

    header: StudyHeader
    folder: StudyFolder
    data: PreparedData


def study_folder(config: StudyConfig) -> StudyFolder:
    """The folder of a configuration's study."""
    return StudyFolder(Path(config.storage.folder), config.name)


def refuse_existing(folder: StudyFolder) -> None:
    """Never overwrite a study.

    Raises:
        InputError: there is a study in the folder.
    """
    if folder.exists():
        raise InputError(
            f"The study {folder.name} exists already in {folder.root.parent}: "
            f"go on with it by 'tuning resume {folder.name}', or give another --name."
        )


def set_up(config: StudyConfig) -> PreparedStudy:
    """Check a new study's input and write its folder.

    Raises:
        InputError: anything about the input is wrong; nothing was started.
    """
    folder = study_folder(config)
    refuse_existing(folder)
    config = _with_absolute_paths(_with_a_limit(config))
    data = _prepare(config, splits=None)
    families = resolve_families(config.models, data.task, config.spaces)
    folder.create()
    families = tuple(_keep_model_file(family, folder) for family in families)
    header = StudyHeader(
        config=config.model_copy(update={"models": _model_entries(families, folder)}),
        task=data.task,
        metric=data.metric.name,
        direction=data.metric.direction,
        data_sha256=fingerprint(config.data.path),
        families=families,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    _check_record_is_new(header, folder)
    data.splits.to_parquet(folder.splits_file)
    _write(header, folder)
    return PreparedStudy(header, folder, data)


def read_header(storage: Path, name: str) -> tuple[StudyHeader, StudyFolder]:
    """A study's header from its folder.

    Raises:
        InputError: there is no such study, or its file is damaged.
    """
    folder = StudyFolder(storage, name)
    content = folder.read_study()
    config = validate_config(content["config"], str(folder.study_file))
    families = tuple(
        Family(stem, Space.model_validate(space), _model_file(folder, stem))
        for stem, space in content["spaces"].items()
    )
    header = StudyHeader(
        config=config.model_copy(
            update={"storage": config.storage.model_copy(update={"folder": str(storage.resolve())})}
        ),
        task=Task(content["task"]),
        metric=content["metric"],
        direction=Direction(content["direction"]),
        data_sha256=content["data_sha256"],
        families=families,
        created_at=content["created_at"],
    )
    return header, folder


def take_up(storage: Path, name: str, search: Mapping[str, Any], models: Sequence[str] = ()) -> PreparedStudy:
    """Make an existing study ready to go on, with more trials, time or families if asked.

    Args:
        storage: folder of the study folders.
        name: the study.
        search: changes of the `search` section.
        models: families to add.

    Raises:
        InputError: there is no such study, or its data changed since.
    """
    header, folder = read_header(storage, name)
    _check_fingerprint(header, name)
    data = _prepare(header.config, splits=pd.read_parquet(folder.splits_file))
    known = {family.name for family in header.families}
    added = resolve_families(models, header.task, {}) if models else ()
    families = (
        *header.families,
        *(_keep_model_file(family, folder) for family in added if family.name not in known),
    )
    raw = header.config.model_dump(mode="json")
    raw["search"] = {**raw["search"], **search}
    raw["models"] = _model_entries(families, folder)
    header = replace(header, config=validate_config(raw, "resume"), families=families)
    if search or len(families) > len(known):
        _write(header, folder)
    return PreparedStudy(header, folder, data)


def _check_record_is_new(header: StudyHeader, folder: StudyFolder) -> None:
    """Refuse a database that holds another study's trials under this name: they would mix."""
    store = header.open_store(folder)
    known = store.families()
    store.close()
    if known:
        name = header.config.name
        raise InputError(
            f"The database holds a study {name} already, but {folder.root} does not: give another --name."
        )


def _prepare(config: StudyConfig, splits: pd.DataFrame | None) -> PreparedData:
    frame = read_frame(config.data.path, config.data.delimiter)
    return prepare(
        frame, config.data, config.target, config.split, config.metric, config.search.seed, splits=splits
    )


def _check_fingerprint(header: StudyHeader, name: str) -> None:
    path = Path(header.config.data.path)
    if not path.exists():
        raise DataError(f"The data of {name} are gone: there is no file {path}; put it back to resume.")
    if fingerprint(str(path)) != header.data_sha256:
        raise DataError(
            f"The data of {name} changed since the study began ({path}): scores would not compare; "
            "put the old file back, or start a new study with another --name."
        )


def _with_a_limit(config: StudyConfig) -> StudyConfig:
    search = config.search
    if search.trials is None and search.total_trials is None and search.time_budget_s is None:
        return config.model_copy(update={"search": search.model_copy(update={"trials": DEFAULT_TRIALS})})
    return config


def _with_absolute_paths(config: StudyConfig) -> StudyConfig:
    """Paths that still hold when the study is resumed from another folder."""
    data = config.data.model_copy(update={"path": str(Path(config.data.path).absolute())})
    storage = config.storage.model_copy(update={"folder": str(Path(config.storage.folder).absolute())})
    return config.model_copy(update={"data": data, "storage": storage})


def _keep_model_file(family: Family, folder: StudyFolder) -> Family:
    """Copy a user's model into the study folder, so that the folder alone is enough to resume."""
    if family.file is None:
        return family
    folder.models.mkdir(exist_ok=True)
    kept = folder.models / family.file.name
    shutil.copyfile(family.file, kept)
    shutil.copyfile(family.file.with_suffix(".yaml"), kept.with_suffix(".yaml"))
    return replace(family, file=kept)


def _model_file(folder: StudyFolder, stem: str) -> Path | None:
    file = folder.models / f"{stem}.py"
    return file if file.exists() else None


def _model_entries(families: Sequence[Family], folder: StudyFolder) -> tuple[str, ...]:
    return tuple(
        family.name if family.file is None else family.file.relative_to(folder.root).as_posix()
        for family in families
    )


def _write(header: StudyHeader, folder: StudyFolder) -> None:
    folder.write_study(
        {
            "created_at": header.created_at,
            "task": header.task.value,
            "metric": header.metric,
            "direction": header.direction.value,
            "data_sha256": header.data_sha256,
            "config": header.config.model_dump(mode="json"),
            "spaces": {
                family.name: family.space.model_dump(mode="json", exclude_unset=True)
                for family in header.families
            },
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        }
    )
