"""Real studies, followed by TensorBoard and MLflow: what they show is what the record holds."""

from __future__ import annotations

import logging
import pickle
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.session.study_runs import Killed, Study
from tuning.config import MonitoringConfig, validate_config
from tuning.errors import ConfigError
from tuning.monitoring import Background, FollowedStudy, check_monitoring, open_monitors
from tuning.store import Status, TrialRecord
from tuning.trial import Report, TrialSpec

NO_TRIALS: dict[str, Any] = {"search": {"trials": 3, "startup_trials": 3}}


def followed(study: Study, name: str = "demo") -> FollowedStudy:
    return FollowedStudy(name, "rmse", "2026-01-01T00:00:00", study.folder.root)


def run(study: Study, config: MonitoringConfig, name: str = "demo", lives: int = 10**9) -> None:
    """One run of the study's driver, followed; it is killed instead of its `lives`-th write."""
    with open_monitors(config, followed(study, name)) as monitors:
        for monitor in monitors:
            monitor.catch_up(study.open_store().trials(driven=False))
        session = study.begin(lives, monitors=monitors)
        study.drive(session)
        _score_best(study)
        for monitor in monitors:
            monitor.catch_up(study.open_store().trials(driven=False))


def _score_best(study: Study) -> None:
    """Give the first trial test metrics, as the end of a run does."""
    first = study.records()[0]
    assert first.checkpoint is not None
    study.open_store().set_test(first.model, first.number, {"rmse": 0.25}, first.checkpoint)


def events(study: Study, record: TrialRecord) -> EventAccumulator:
    accumulator = EventAccumulator(str(study.folder.root / "tensorboard" / record.id))
    accumulator.Reload()
    return accumulator


def points(accumulator: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, pytest.approx(event.value, rel=1e-6)) for event in accumulator.Scalars(tag)]


def assert_shown_in_tensorboard(study: Study) -> None:
    for record in study.records():
        shown = events(study, record)
        assert sorted(record.values.items()) == sorted(points(shown, "iteration/rmse"))
        for part, metrics in (("train", record.train), ("valid", record.valid), ("test", record.test)):
            for name, value in metrics.items():
                assert points(shown, f"{part}/{name}") == [(record.iterations, value)]
        assert points(shown, "train_seconds") == [(record.iterations, record.train_seconds)]
        assert set(shown.PluginTagToContent("hparams")) == {"_hparams_/session_start_info"}


TENSORBOARD = MonitoringConfig(tensorboard=True)


def test_tensorboard_shows_what_the_record_holds(tmp_path: Path) -> None:
    study = Study(tmp_path, **NO_TRIALS)
    run(study, TENSORBOARD)
    assert_shown_in_tensorboard(study)
    assert points(events(study, study.records()[0]), "test/rmse") == [(study.records()[0].iterations, 0.25)]
    assert {"iteration/best_rmse", "iteration/train_seconds"} <= set(
        events(study, study.records()[0]).Tags()["scalars"]
    )


@pytest.mark.parametrize("lives", [3, 12, 25])
def test_tensorboard_goes_on_after_a_kill(lives: int, tmp_path: Path) -> None:
    study = Study(tmp_path, **NO_TRIALS)
    with pytest.raises(Killed):
        run(study, TENSORBOARD, lives=lives)
    run(study, TENSORBOARD)
    assert_shown_in_tensorboard(study)


def test_tensorboard_shows_earlier_trials_when_it_is_turned_on_later(tmp_path: Path) -> None:
    study = Study(tmp_path, **NO_TRIALS)
    study.drive(study.begin())
    run(study, TENSORBOARD)
    assert_shown_in_tensorboard(study)
    before = sorted(study.folder.root.glob("tensorboard/**/*"))
    run(study, TENSORBOARD)
    assert sorted(study.folder.root.glob("tensorboard/**/*")) == before, "nothing is written twice"


@pytest.fixture(scope="module")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real tracking database; making its tables takes longer than a test."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def client(mlflow_uri: str) -> MlflowClient:
    return MlflowClient(mlflow_uri)


def runs_of(client: MlflowClient, name: str) -> dict[str, Run]:
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    by_trial = {run.data.tags["tuning.trial"]: run for run in runs}
    assert len(by_trial) == len(runs), "one run a trial"
    return by_trial


def assert_shown_in_mlflow(client: MlflowClient, study: Study, name: str) -> None:
    runs = runs_of(client, name)
    assert set(runs) == {record.id for record in study.records()}
    for record in study.records():
        shown = runs[record.id]
        history = client.get_metric_history(shown.info.run_id, "iteration/rmse")
        assert [(each.step, each.value) for each in history] == sorted(record.values.items())
        for part, metrics in (("train", record.train), ("valid", record.valid), ("test", record.test)):
            assert {key: shown.data.metrics[f"{part}/{key}"] for key in metrics} == metrics
        assert shown.data.params == {key: str(value) for key, value in record.params.items()}
        assert shown.data.metrics["train_seconds"] == record.train_seconds
        assert shown.data.tags["status"] == record.status.value
        assert shown.info.run_name == record.id
        assert shown.info.status == "FINISHED"
        files = [file.path for file in client.list_artifacts(shown.info.run_id, "best")]
        assert "best/trial.json" in files


def test_mlflow_shows_what_the_record_holds(tmp_path: Path, mlflow_uri: str, client: MlflowClient) -> None:
    study = Study(tmp_path, **NO_TRIALS)
    run(study, MonitoringConfig(mlflow=mlflow_uri), "plain")
    assert_shown_in_mlflow(client, study, "plain")
    assert Status.COMPLETED in {record.status for record in study.records()}


def test_mlflow_goes_on_in_the_same_runs_after_a_kill(
    tmp_path: Path, mlflow_uri: str, client: MlflowClient
) -> None:
    study, config = Study(tmp_path, **NO_TRIALS), MonitoringConfig(mlflow=mlflow_uri)
    with pytest.raises(Killed):
        run(study, config, "killed", lives=12)
    before = {run.info.run_id for run in runs_of(client, "killed").values()}
    run(study, config, "killed")
    assert before < {run.info.run_id for run in runs_of(client, "killed").values()}
    assert_shown_in_mlflow(client, study, "killed")


def test_mlflow_shows_an_interrupted_trial_and_takes_it_up_again(
    tmp_path: Path, mlflow_uri: str, client: MlflowClient
) -> None:
    study, config = Study(tmp_path, search={"trials": 1}), MonitoringConfig(mlflow=mlflow_uri)
    with open_monitors(config, followed(study, "stopped")) as monitors:
        session = study.begin(monitors=monitors)
        for count, _ in enumerate(study.reports(session), 1):
            if count == 4:
                session.stop()
        monitors[0].catch_up(study.open_store().trials(driven=False))
    study.folder.stop_file.unlink()
    (shown,) = runs_of(client, "stopped").values()
    assert (shown.info.status, shown.data.tags["status"]) == ("KILLED", "interrupted")
    run(study, config, "stopped")
    assert_shown_in_mlflow(client, study, "stopped")


def test_mlflow_refuses_a_deleted_experiment(tmp_path: Path, mlflow_uri: str, client: MlflowClient) -> None:
    client.delete_experiment(client.create_experiment("gone"))
    with (
        pytest.raises(ConfigError, match="the experiment gone is among MLflow's deleted ones"),
        open_monitors(MonitoringConfig(mlflow=mlflow_uri), followed(Study(tmp_path), "gone")),
    ):
        pass


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://ann:secret@127.0.0.1:9", r"http://ann:\*\*\*@127.0.0.1:9 does not answer"),
        ("/tmp/mlruns", "does not answer"),
        ("nonsense://x", "does not answer"),
        ("http://${NO_SUCH_VARIABLE}", "monitoring.mlflow: the environment variable NO_SUCH_VARIABLE"),
    ],
)
def test_an_mlflow_that_does_not_answer_is_refused_at_once(
    uri: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    started_s = time.monotonic()
    with pytest.raises(ConfigError, match=reason) as refused:
        check_monitoring(MonitoringConfig(mlflow=uri))
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
    assert time.monotonic() - started_s < 30


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_missing_package_is_refused_with_what_to_type(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    wanted: dict[str, Any] = {name: True if name == "tensorboard" else "sqlite:///x.db"}
    with pytest.raises(ConfigError, match=rf"type pip install 'tuning-on-ray\[{name}\]'"):
        check_monitoring(MonitoringConfig(**wanted))


def test_monitoring_is_off_by_default() -> None:
    raw = {"name": "a", "data": {"path": "t.csv", "target": "y"}}
    config = validate_config(raw, "here").monitoring
    assert (config.tensorboard, config.mlflow) == (False, None)
    check_monitoring(config)
    given = validate_config(raw | {"monitoring": {"tensorboard": True, "mlflow": "none"}}, "here").monitoring
    assert (given.tensorboard, given.mlflow) == (True, None)


class Told:
    """A monitor that notes what it is told, checks it against the record, and may be broken."""

    def __init__(self, study: Study | None = None) -> None:
        self.study = study
        self.calls: list[str] = []
        self.is_broken = False
        self.hold = threading.Event()
        self.hold.set()

    def _note(self, call: str) -> None:
        self.hold.wait(20)
        self.calls.append(call)
        if self.is_broken:
            raise ConnectionError("the server\nis away")

    def catch_up(self, records: Sequence[TrialRecord]) -> None:
        self._note("catch_up")

    def start(self, spec: TrialSpec) -> None:
        self._note("start")

    def report(self, spec: TrialSpec, report: Report) -> None:
        if self.study is not None:
            record = self.study.open_store().trial(spec.model, spec.number)
            assert record.values[report.iteration] == report.value, "the record comes first"
        self._note("report")

    def end(self, record: TrialRecord) -> None:
        if self.study is not None:
            stored = self.study.open_store().trial(record.model, record.number)
            assert stored == record
            assert stored.status.is_finished
        self._note("end")

    def close(self) -> None:
        self._note("close")


def test_a_monitor_is_told_after_the_record(tmp_path: Path) -> None:
    study = Study(tmp_path, **NO_TRIALS)
    told = Told(study)
    study.drive(study.begin(monitors=[told]))
    assert told.calls.count("start") == told.calls.count("end") == 3
    assert told.calls.count("report") == sum(len(record.values) for record in study.records())


def test_a_session_with_monitors_can_be_put_into_a_snapshot(tmp_path: Path) -> None:
    study = Study(tmp_path, **NO_TRIALS)
    with open_monitors(TENSORBOARD, followed(study)) as monitors:
        study.drive(study.begin(monitors=monitors))
        assert b"Background" in pickle.dumps(monitors)


def test_a_broken_monitor_costs_one_warning_and_no_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study, told = Study(tmp_path, **NO_TRIALS), Told()
    told.is_broken = True
    monitor = Background(told, "MLflow")
    with caplog.at_level(logging.WARNING):
        study.drive(study.begin(monitors=[monitor]))
        monitor.catch_up([])
        monitor.close()
    assert told.calls == ["start", "catch_up", "close"], "it is left alone until it may catch up"
    (warning,) = [entry.getMessage() for entry in caplog.records if "MLflow" in entry.getMessage()]
    assert warning == "MLflow could not be told of a trial: the server (no result is lost)"
    assert len([record for record in study.records() if record.status.is_finished]) == 3


def test_a_slow_monitor_stalls_neither_the_trials_nor_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study, told = Study(tmp_path, **NO_TRIALS), Told()
    told.hold.clear()
    monitor = Background(told, "MLflow", flush_limit_s=0.1)
    study.drive(study.begin(monitors=[monitor]))
    assert told.calls == []
    with caplog.at_level(logging.WARNING):
        monitor.close()
    told.hold.set()
    assert "was not done within 0.1 s" in caplog.text
