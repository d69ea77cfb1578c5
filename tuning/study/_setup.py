"""Setting a study up, and reading it back: all checks happen here, before Ray starts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from tuning.config import StudyConfig, validate_config
from tuning.config.url import expand_variables
from tuning.data import (
    FinalRows,
    Fold,
    PreparedData,
    SplitMethod,
    fingerprint,
    prepare,
    prepare_final,
    read_frame,
)
from tuning.errors import ConfigError, DataError, InputError
from tuning.families import Family, resolve_families
from tuning.metrics import Direction
from tuning.models import Task, own_files
from tuning.monitoring import check_monitoring
from tuning.session import StudyFolder
from tuning.storage import Place, full_disk_told, open_place
from tuning.store import Store
from tuning.study._file import StudyFile
from tuning.versions import installed_versions

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
        created_at: when the study was set up, ISO 8601 in UTC.
    """

    config: StudyConfig
    task: Task
    metric: str
    direction: Direction
    data_sha256: str
    families: tuple[Family, ...]
    created_at: str

    def first_fold(self, count: int) -> int:
        """Return the number of the first fold whose model predicts: 0, or the last fold's of folds by time.

        The models of rows in any order are equals, and their mean predicts. Of folds by time each is trained
        on a longer past than the one before, so that the last one alone knows the most recent rows.

        Args:
            count: number of folds.
        """
        by_time = self.task is Task.FORECASTING or self.config.split.method is SplitMethod.TIME
        return count - 1 if by_time else 0

    def open_store(self, folder: StudyFolder) -> Store:
        """The study's record.

        Raises:
            InputError: its database cannot be reached, or an environment variable in its URL is not set.
        """
        url = self.config.storage.url
        return Store(
            folder.root,
            None if url is None else expand_variables(url),
            self.config.name,
            self.direction,
            folder.remote,
        )


@dataclass(frozen=True)
class PreparedStudy:
    """A study that is ready to run."""

    header: StudyHeader
    folder: StudyFolder
    data: PreparedData


def study_folder(config: StudyConfig) -> StudyFolder:
    """The folder of a configuration's study."""
    return StudyFolder(config.storage.folder, config.name)


def refuse_existing(folder: StudyFolder) -> None:
    """Never overwrite a study.

    Raises:
        InputError: there is a study in the folder.
    """
    if folder.exists():
        raise InputError(
            f"The study {folder.name} exists already in {folder.parent}: "
            f"go on with it by 'tuning resume {folder.name}', or give another --name."
        )


def set_up(config: StudyConfig) -> PreparedStudy:
    """Check a new study's input and write its folder.

    Raises:
        InputError: anything about the input is wrong; nothing was started.
        DiskFullError: the study does not fit on its disk.
    """
    folder = study_folder(config)
    refuse_existing(folder)
    config = _with_absolute_paths(_with_a_limit(config))
    data = _prepare(config, splits=None)
    families = resolve_families(config.models, data.task, config.spaces)
    check_monitoring(config.monitoring)
    folder.create()
    with full_disk_told(folder.root):
        families = _keep_model_files(families, folder)
        header = StudyHeader(
            config=config.model_copy(update={"models": _model_entries(families)}),
            task=data.task,
            metric=data.metric.name,
            direction=data.metric.direction,
            data_sha256=fingerprint(config.data.path),
            families=families,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        _check_record_is_new(header, folder)
        data.splits.to_parquet(folder.splits_file)
        folder.mirror.push(folder.splits_file)
        write_header(header, folder)
    return PreparedStudy(header, folder, data)


def read_header(storage: Place, name: str) -> tuple[StudyHeader, StudyFolder]:
    """A study's header from its folder.

    Raises:
        InputError: there is no such study, or its file is damaged.
    """
    folder = StudyFolder(storage, name)
    file = StudyFile.read(folder)
    place = file.config.storage.model_copy(update={"folder": str(folder.storage)})
    header = StudyHeader(
        config=file.config.model_copy(update={"storage": place}),
        task=file.task,
        metric=file.metric,
        direction=file.direction,
        data_sha256=file.data_sha256,
        families=tuple(Family(stem, space, _model_file(folder, stem)) for stem, space in file.spaces.items()),
        created_at=file.created_at,
    )
    return header, folder


def write_header(header: StudyHeader, folder: StudyFolder) -> None:
    """Write the study file, whole or not at all; only the study's driver may change it."""
    StudyFile(
        created_at=header.created_at,
        task=header.task,
        metric=header.metric,
        direction=header.direction,
        data_sha256=header.data_sha256,
        config=header.config,
        spaces={family.name: family.space for family in header.families},
        versions=installed_versions(),
    ).write(folder)


def take_up(
    storage: Place,
    name: str,
    changes: Mapping[str, Any],
    models: Sequence[str] = (),
    *,
    given_by: Mapping[str, str] = MappingProxyType({}),
) -> PreparedStudy:
    """Make an existing study ready to go on, with more trials, time, families or other resources if asked.

    Args:
        storage: folder of the study folders.
        name: the study.
        changes: of the configuration, as nested sections: `{"search": {"trials": 50}}`.
        models: families to add.
        given_by: dotted key -> the option that its change came from, for messages.

    Raises:
        InputError: there is no such study, it is being run, its data changed, a change is wrong, or its
            record names a path outside its folder.
    """
    header, folder = read_header(storage, name)
    _check_fingerprint(header, name)
    _check_checkpoints(header, folder)
    changed = _changed(header, changes, models, given_by)
    check_monitoring(changed.config.monitoring)
    data = _prepare(header.config, splits=_read_splits(folder))
    if changed != header:
        with folder.lock():
            changed = replace(changed, families=_keep_model_files(changed.families, folder))
            write_header(changed, folder)
    return PreparedStudy(changed, folder, data)


def _changed(
    header: StudyHeader, changes: Mapping[str, Any], models: Sequence[str], given_by: Mapping[str, str]
) -> StudyHeader:
    """The header with changes of its configuration and further families."""
    known = {family.name for family in header.families}
    added = resolve_families(models, header.task, {}) if models else ()
    families = (*header.families, *(family for family in added if family.name not in known))
    raw = header.config.model_dump(mode="json")
    for key, value in changes.items():
        raw[key] = {**raw[key], **value} if isinstance(value, Mapping) else value
    raw["models"] = _model_entries(families)
    return replace(header, config=validate_config(raw, "resume", given_by), families=families)


def _check_checkpoints(header: StudyHeader, folder: StudyFolder) -> None:
    """Refuse a record that would have trials go on from files outside the study folder."""
    with header.open_store(folder) as store:
        for record in store.trials(driven=False):
            if record.checkpoint is not None:
                folder.resolve(record.checkpoint)


def _check_record_is_new(header: StudyHeader, folder: StudyFolder) -> None:
    """Refuse a database that holds another study's trials under this name: they would mix."""
    with header.open_store(folder) as store:
        known = store.families()
    if known:
        name = header.config.name
        raise InputError(
            f"The database holds a study {name} already, but {folder} does not: give another --name."
        )


def read_final_fold(header: StudyHeader, folder: StudyFolder, rows: FinalRows) -> Fold:
    """A study's rows for a final fit.

    Raises:
        DataError: the data are gone, or changed since the study began.
    """
    _check_fingerprint(header, folder.name)
    config = header.config
    return prepare_final(
        read_frame(config.data.path, config.data.delimiter),
        config.data,
        config.target,
        config.split,
        config.metric,
        config.search.seed,
        splits=_read_splits(folder),
        rows=rows,
    )


def _read_splits(folder: StudyFolder) -> pd.DataFrame:
    folder.mirror.pull(folder.splits_file)
    return pd.read_parquet(folder.splits_file)


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
    place = open_place(config.storage.folder)
    folder = str(place.absolute()) if isinstance(place, Path) else config.storage.folder
    storage = config.storage.model_copy(update={"folder": folder})
    return config.model_copy(update={"data": data, "storage": storage})


def _keep_model_files(families: Sequence[Family], folder: StudyFolder) -> tuple[Family, ...]:
    """Copy users' models into the study folder, so that the folder alone is enough to resume."""
    return tuple(
        family if family.file is None else _keep_model_file(family, family.file, folder)
        for family in families
    )


def _keep_model_file(family: Family, file: Path, folder: StudyFolder) -> Family:
    kept = folder.models / file.name
    if file != kept:
        folder.models.mkdir(exist_ok=True)
        for path in (*own_files(file), file.with_suffix(".yaml")):
            _keep_file(path, folder.models / path.name, family.name)
            folder.mirror.push(folder.models / path.name)
    return replace(family, file=kept)


def _keep_file(path: Path, kept: Path, family: str) -> None:
    """Copy one file; two families may import one file, but not two of one name."""
    if kept.exists() and kept.read_bytes() != path.read_bytes():
        raise ConfigError(
            f"models: {family} needs {path}, but the study has another file {path.name}; rename one of them."
        )
    shutil.copyfile(path, kept)


def _model_file(folder: StudyFolder, stem: str) -> Path | None:
    file = folder.models / f"{stem}.py"
    return file if file.exists() else None


def _model_entries(families: Sequence[Family]) -> tuple[str, ...]:
    """The `models` entry of the study file: names, and paths in the study folder."""
    return tuple(family.name if family.file is None else f"models/{family.file.name}" for family in families)
