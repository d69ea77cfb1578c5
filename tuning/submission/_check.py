"""What can be said of a study before it is sent."""

from __future__ import annotations

from tuning.config import StudyConfig
from tuning.data import prepare, read_frame
from tuning.families import resolve_families
from tuning.models import Task


def check_study(config: StudyConfig, *, has_data: bool) -> None:
    """Check a study as `tuning run` would, without writing anything.

    Args:
        config: the study.
        has_data: its data file lies here. Without, columns and target are left to the cluster, and the
            families too where the study does not name its task.

    Raises:
        InputError: anything about the input is wrong.
    """
    task = _task_of_data(config) if has_data else _named_task(config)
    if task is not None:
        resolve_families(config.models, task, config.spaces)


def _task_of_data(config: StudyConfig) -> Task:
    frame = read_frame(config.data.path, config.data.delimiter)
    return prepare(
        frame, config.data, config.target, config.split, config.metric, config.search.seed, splits=None
    ).task


def _named_task(config: StudyConfig) -> Task | None:
    if config.data.is_forecasting:
        return Task.FORECASTING
    return Task.REGRESSION if str(config.data.task) == "regression" else None
