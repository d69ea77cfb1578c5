"""From the configuration to the monitors of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from tuning.config import MonitoringConfig
from tuning.config.url import expand_variables
from tuning.errors import ConfigError
from tuning.monitoring._background import Background
from tuning.monitoring._base import FollowedStudy, Monitor


def check_monitoring(config: MonitoringConfig) -> None:
    """Refuse monitors that are not installed or cannot be reached.

    Raises:
        ConfigError: one sentence with what to do.
    """
    if config.tensorboard:
        _require("tensorboard", "monitoring.tensorboard", "tensorboard")
    if config.mlflow is not None:
        _require("mlflow", "monitoring.mlflow", "mlflow")
        from tuning.monitoring.mlflow import connect  # only where it is installed and asked for

        with _surroundings(config):
            connect(_uri(config.mlflow))


@contextmanager
def open_monitors(config: MonitoringConfig, study: FollowedStudy) -> Iterator[tuple[Monitor, ...]]:
    """The monitors of a run, each in a thread of its own, told to the end when the run ends.

    Raises:
        ConfigError: one cannot be reached.
    """
    with _surroundings(config):
        monitors = tuple(Background(monitor, name) for name, monitor in _chosen(config, study))
        try:
            yield monitors
        finally:
            for monitor in monitors:
                monitor.close()


@contextmanager
def _surroundings(config: MonitoringConfig) -> Iterator[None]:
    """Change of the whole process what monitors need, for the block alone."""
    if config.mlflow is None:
        yield
        return
    from tuning.monitoring.mlflow import surroundings  # as in check_monitoring

    with surroundings():
        yield


def _chosen(config: MonitoringConfig, study: FollowedStudy) -> Iterator[tuple[str, Monitor]]:
    if config.tensorboard:
        from tuning.monitoring.tensorboard import TensorBoardMonitor

        yield "TensorBoard", TensorBoardMonitor(study)
    if config.mlflow is not None:
        from tuning.monitoring.mlflow import MlflowMonitor

        yield "MLflow", MlflowMonitor(_uri(config.mlflow), study)


def _uri(uri: str) -> str:
    return expand_variables(uri, "monitoring.mlflow")


def _require(module: str, place: str, extra: str) -> None:
    try:
        import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{place}: the package {module} is not installed; type pip install 'tuning-on-ray[{extra}]'."
        ) from error
