"""Making an existing study ready to go on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tuning.config import validate_config
from tuning.data import Transform
from tuning.errors import RecordError
from tuning.families import resolve_families
from tuning.monitoring import check_monitoring
from tuning.session import StudyFolder
from tuning.storage import Place, full_disk_told
from tuning.store import Store
from tuning.study._bundle import load_transforms
from tuning.study._file import StudyFile
from tuning.study._setup import (
    PreparedStudy,
    StudyHeader,
    absolute_paths,
    keep_model_files,
    model_entries,
    read_header,
    write_header,
)
from tuning.study._table import prepare_data, read_splits, with_data
from tuning.versions import installed_versions

_TRIAL_FOLDER = re.compile(r".+-\d{4,}")


def take_up(
    storage: Place,
    name: str,
    changes: Mapping[str, Any],
    models: Sequence[str] = (),
    *,
    data: str | Path | None = None,
    given_by: Mapping[str, str] = MappingProxyType({}),
) -> PreparedStudy:
    """Make an existing study ready to go on, with more trials, time, families or other resources if asked.

    Its rows are prepared by the transforms that were fitted when it began, so that trials of before and
    after an upgrade of this project see the same columns.

    Args:
        storage: folder of the study folders.
        name: the study.
        changes: of the configuration, as nested sections: `{"search": {"trials": 50}}`.
        models: families to add.
        data: where the study's table is now, if it was moved.
        given_by: dotted key -> the option that its change came from, for messages.

    Raises:
        InputError: there is no such study, it is being run, its data changed, a change is wrong, or its
            record is another's or names a path outside its folder.
    """
    began, folder = read_header(storage, name)
    header = with_data(began, folder, data, given_by.get("data.path", "data"))
    with header.open_store(folder) as store:
        header.check_identity(store)
        _check_record(store, folder)
        changed = _lifted(_changed(header, changes, models, given_by), changes, store)
    check_monitoring(changed.config.monitoring)
    prepared = prepare_data(
        header.config, header.config.data.path, read_splits(folder), _kept_transforms(folder)
    )
    if changed != began or StudyFile.read(folder).versions != installed_versions():
        with full_disk_told(folder.root), folder.lock():
            changed = replace(changed, families=keep_model_files(changed.families, folder))
            write_header(changed, folder)
    return PreparedStudy(changed, folder, prepared)


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
    raw["models"] = model_entries(families)
    config = absolute_paths(validate_config(raw, "resume", given_by))
    return replace(header, config=config, families=families)


def _lifted(header: StudyHeader, changes: Mapping[str, Any], store: Store) -> StudyHeader:
    """Return the header without a number of trials that is used up, where time was given instead.

    That time would bring nothing otherwise.
    """
    asked = changes.get("search", {})
    if "time_budget_s" not in asked or {"trials", "total_trials"} & asked.keys():
        return header
    search, started = header.config.search, Counter(record.model for record in store.trials(driven=False))
    used_up = search.total_trials is not None and started.total() >= search.total_trials
    if search.trials is not None:
        searched = [family for family in header.families if family.space.parameters]
        used_up = used_up or all(started[family.name] >= search.trials for family in searched)
    if not used_up:
        return header
    lifted = search.model_copy(update={"trials": None, "total_trials": None})
    return replace(header, config=header.config.model_copy(update={"search": lifted}))


def _check_record(store: Store, folder: StudyFolder) -> None:
    """Refuse a record that is not the folder's, or would have trials go on from files outside of it.

    A trial is recorded before it starts, so no folder of one is without a record.
    """
    records = store.trials(driven=False)
    for record in records:
        if record.checkpoint is not None:
            folder.resolve(record.checkpoint)
    known = {record.id for record in records}
    lost = [name for name in folder.trials_on_disk() if _TRIAL_FOLDER.fullmatch(name) and name not in known]
    if lost:
        raise RecordError(
            f"The record of {folder.name} has {len(records)} trials and no {lost[0]}, whose folder is in "
            f"{folder}: it is not this study's whole record; put the old {store.place} back, or start a new "
            "study with another --name."
        )


def _kept_transforms(folder: StudyFolder) -> Sequence[Transform]:
    """Load the transforms that the trials were trained by; none where a kill came before they were kept."""
    return load_transforms(folder) if folder.mirror.exists(folder.transforms) else ()
