"""Setting a study up, and reading it back: all checks happen here, before Ray starts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from tuning.config import StudyConfig
from tuning.config.url import database_file, expand_variables, mask_password, with_absolute_file
from tuning.data import (
    PreparedData,
    SplitMethod,
    fingerprint,
)
from tuning.errors import ConfigError, DataError, NameTakenError, RecordError
from tuning.families import Family, resolve_families
from tuning.metrics import Direction
from tuning.models import Task, own_files
from tuning.monitoring import check_monitoring
from tuning.paths import from_home
from tuning.session import StudyFolder, claimed, refuse_existing, unwritable
from tuning.storage import Place, full_disk_told, open_place
from tuning.store import Store
from tuning.study._file import StudyFile
from tuning.study._table import prepare_data
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

    @property
    def identity(self) -> dict[str, str]:
        """Return what tells this study from another of its name, in the record too."""
        return {"created_at": self.created_at, "data_sha256": self.data_sha256}

    def check_identity(self, store: Store) -> None:
        """Refuse the record of another study.

        Raises:
            RecordError: the record tells that it is.
        """
        told = store.study()
        if told and told != self.identity:
            raise RecordError(
                f"The {store.place} of {self.config.name} is the record of another study of that name, of "
                f"{told.get('created_at')}: this one is of {self.created_at}; put its own back."
            )

    def first_fold(self, count: int) -> int:
        """Return the number of the first fold whose model predicts: 0, or the last fold's of folds by time.

        The models of rows in any order are equals, and their mean predicts. Of folds by time each is trained
        on a longer past than the one before, so that the last one alone knows the most recent rows.

        Args:
            count: number of folds.
        """
        by_time = self.task is Task.FORECASTING or self.config.split.method is SplitMethod.TIME
        return count - 1 if by_time else 0

    def open_store(self, folder: StudyFolder, *, is_new: bool = False) -> Store:
        """Open the study's record.

        Args:
            folder: of the study.
            is_new: the record is to be made, where there is none.

        Raises:
            InputError: its database cannot be reached, or an environment variable in its URL is not set.
            RecordError: its database is a file that is not there.
        """
        url = self.config.storage.url
        opened = None if url is None else expand_variables(url)
        if opened is not None and not is_new:
            _check_file(opened, self.config.name)
        return Store(folder.root, opened, self.config.name, self.direction, folder.remote)


def _check_file(url: str, study: str) -> None:
    """Refuse to make an empty record for a study that has one somewhere else."""
    file = database_file(url)
    if file is not None and not file.exists():
        where = "" if file.is_absolute() else f" in {Path.cwd()}, and only the folder of the first run has it"
        raise RecordError(
            f"storage.url: the record of {study} is the database {mask_password(url)}, which is not there"
            f"{where}: put it back, or correct the URL in the study file."
        )


@dataclass(frozen=True)
class PreparedStudy:
    """A study that is ready to run."""

    header: StudyHeader
    folder: StudyFolder
    data: PreparedData


def set_up(
    config: StudyConfig,
    *,
    frame: pd.DataFrame | None = None,
    next_name: Callable[[], str | None] = lambda: None,
) -> PreparedStudy:
    """Check a new study's input, take its name and write its folder.

    Args:
        config: the study.
        frame: its table, which is kept in the study folder; None: `config.data.path` holds it.
        next_name: another name, where somebody else takes the study's at this moment; None: there is none.

    Raises:
        InputError: anything about the input is wrong; nothing was started.
        DiskFullError: the study does not fit on its disk.
    """
    refuse_existing(StudyFolder(config.storage.folder, config.name))
    config = absolute_paths(_with_a_limit(config))
    with _table(config, frame) as table:
        data = prepare_data(config, table)
        families = resolve_families(config.models, data.task, config.spaces)
        check_monitoring(config.monitoring)
        while True:
            try:
                return _write(config, data, families, None if frame is None else table)
            except NameTakenError:
                name = next_name()
                if name is None:
                    raise
                config = config.model_copy(update={"name": name})


@contextmanager
def _table(config: StudyConfig, frame: pd.DataFrame | None) -> Iterator[Path]:
    """Give the file of the table; of a DataFrame one on a scratch disk, until the study has a place."""
    if frame is None:
        yield Path(config.data.path)
        return
    with tempfile.TemporaryDirectory(prefix="tuning-") as scratch:
        path = Path(scratch) / "data.parquet"
        _write_frame(frame, path)
        yield path


def _write_frame(frame: pd.DataFrame, path: Path) -> None:
    try:
        frame.to_parquet(path, index=False)
    except (ValueError, TypeError, NotImplementedError) as error:  # pyarrow's derive from these
        reason = "; ".join(str(part) for part in error.args)
        raise DataError(f"Study.data: the DataFrame cannot be kept as Parquet: {reason}.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"Study.data: {path} cannot be written ({reason}); set TMPDIR to a disk with room."
        ) from error


def _write(
    config: StudyConfig, data: PreparedData, families: Sequence[Family], table: Path | None
) -> PreparedStudy:
    """Take the name and write the folder, with a copy of the table if there is one."""
    folder = StudyFolder(config.storage.folder, config.name)
    with claimed(folder):
        try:
            with full_disk_told(folder.root):
                header = _write_folder(folder, config, data, families, table)
        except OSError as error:
            raise unwritable(folder, error) from error
    return PreparedStudy(header, folder, data)


def _write_folder(
    folder: StudyFolder,
    config: StudyConfig,
    data: PreparedData,
    families: Sequence[Family],
    table: Path | None,
) -> StudyHeader:
    """Write everything of a new study, the study file last: with it, there is the study."""
    # A set-up that ran out of disk has left parts of files, which no study needs.
    shutil.rmtree(folder.models, ignore_errors=True)

    if table is not None:
        shutil.copyfile(table, folder.data_file)
        folder.mirror.push(folder.data_file)
        place = config.data.model_copy(update={"path": str(folder.data_file)})
        config = config.model_copy(update={"data": place})
    families = keep_model_files(families, folder)
    header = StudyHeader(
        config=config.model_copy(update={"models": model_entries(families)}),
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
    return header


def read_header(storage: Place, name: str) -> tuple[StudyHeader, StudyFolder]:
    """A study's header from its folder.

    Raises:
        InputError: there is no such study, or its file is damaged.
    """
    folder = StudyFolder(storage, name)
    file = StudyFile.read(folder)
    config = file.config
    place = config.storage.model_copy(update={"folder": str(folder.storage)})
    # A table that the study keeps itself is named by its path in the folder, which may have moved.
    data = config.data.model_copy(update={"path": str(folder.root / config.data.path)})
    header = StudyHeader(
        config=config.model_copy(update={"storage": place, "data": data}),
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


def _check_record_is_new(header: StudyHeader, folder: StudyFolder) -> None:
    """Refuse a database that holds another study's trials under this name: they would mix."""
    with header.open_store(folder, is_new=True) as store:
        known = store.families()
    if known:
        name = header.config.name
        raise NameTakenError(
            f"The database holds a study {name} already, but {folder} does not: give another --name."
        )


def absolute_paths(config: StudyConfig) -> StudyConfig:
    """Return the configuration with paths that still hold when the study is resumed from another folder.

    Raises:
        ConfigError: a database would lie in memory.
    """
    data = config.data.model_copy(update={"path": str(from_home(config.data.path).absolute())})
    place = open_place(config.storage.folder)
    folder = str(place.absolute()) if isinstance(place, Path) else config.storage.folder
    url, mlflow = config.storage.url, config.monitoring.mlflow
    storage = {"folder": folder, "url": url and with_absolute_file(url, "storage.url")}
    monitoring = {"mlflow": mlflow and with_absolute_file(mlflow, "monitoring.mlflow")}
    return config.model_copy(
        update={
            "data": data,
            "storage": config.storage.model_copy(update=storage),
            "monitoring": config.monitoring.model_copy(update=monitoring),
        }
    )


def _with_a_limit(config: StudyConfig) -> StudyConfig:
    search = config.search
    if search.trials is None and search.total_trials is None and search.time_budget_s is None:
        return config.model_copy(update={"search": search.model_copy(update={"trials": DEFAULT_TRIALS})})
    return config


def keep_model_files(families: Sequence[Family], folder: StudyFolder) -> tuple[Family, ...]:
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


def model_entries(families: Sequence[Family]) -> tuple[str, ...]:
    """The `models` entry of the study file: names, and paths in the study folder."""
    return tuple(family.name if family.file is None else f"models/{family.file.name}" for family in families)
