"""The record on a journal file, on SQLite and on PostgreSQL: what is written stays, whole."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from tuning.errors import InputError, RecordError
from tuning.metrics import Direction
from tuning.store import DriverLock, Placement, Result, Run, Status, Store

DISTRIBUTIONS = {"level": FloatDistribution(0.0, 5.0), "layers": CategoricalDistribution(["[1]", "[2, 3]"])}
SEARCHED = {"level": 1.5, "layers": "[2, 3]"}
PARAMS = {"level": 1.5, "layers": [2, 3], "units": 9, "gate": None, "fast": True}

OpenStore = Callable[..., Store]


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Where the record lies: None means the journal file in the study folder."""
    if request.param == "journal":
        return None
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/record.db"
    found: str = request.getfixturevalue("postgresql_url")
    return found


@pytest.fixture
def name() -> str:
    """A name of its own for each test's study: the PostgreSQL tests share one database."""
    return f"study-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def open_store(url: str | None, name: str, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens the record anew each time, as another process would."""
    opened: list[Store] = []

    def open_(suffix: str = "", direction: Direction = Direction.MINIMIZE) -> Store:
        store = Store(tmp_path, url, name + suffix, direction)
        opened.append(store)
        return store

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    store = open_store()
    store.add_family("probe")
    return store


def create(store: Store, model: str = "probe") -> int:
    return store.create(model, SEARCHED, DISTRIBUTIONS, PARAMS, {"sampler:key": "abc"})


def report(store: Store, number: int, *values: float) -> None:
    for iteration, value in enumerate(values, 1):
        store.report("probe", number, iteration, value)


def test_numbers_count_from_zero_within_each_family(store: Store) -> None:
    store.add_family("other")
    assert [create(store), create(store), create(store, "other")] == [0, 1, 0]
    assert store.families() == ("probe", "other")
    assert [record.id for record in store.trials()] == ["probe-0000", "probe-0001", "other-0000"]


def test_a_new_trial_is_whole(store: Store, open_store: OpenStore) -> None:
    create(store)
    record = open_store().trial("probe", 0)
    assert record.params == PARAMS
    assert record.values == {}
    assert (record.value, record.checkpoint, record.ended_at) == (None, None, None)
    assert isinstance(record.started_at, datetime)
    (frozen,) = open_store().frozen_trials("probe")
    assert frozen.state is TrialState.RUNNING
    assert frozen.params == SEARCHED
    assert frozen.distributions == DISTRIBUTIONS
    assert frozen.system_attrs["sampler:key"] == "abc"


def test_everything_told_is_read_back(store: Store, open_store: OpenStore) -> None:
    create(store)
    report(store, 0, 3.0, 1.0, 2.0)
    store.set_attempt("probe", 0, 2)
    store.set_placement("probe", 0, Placement("node-1", "cuda", ("0", "3")))
    store.set_checkpoint("probe", 0, "trials/probe-0000/checkpoint/a", 4.5, value=1.0, best_iteration=2)
    record = open_store().trial("probe", 0)
    assert record.best_iteration == 2
    assert record.values == {1: 3.0, 2: 1.0, 3: 2.0}
    assert (record.value, record.iterations, record.attempts) == (1.0, 3, 2)
    assert record.placement == Placement("node-1", "cuda", ("0", "3"))
    assert (record.checkpoint, record.train_seconds) == ("trials/probe-0000/checkpoint/a", 4.5)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.PRUNED, Status.FAILED, Status.DIVERGED])
def test_a_finished_trial_is_read_back(store: Store, open_store: OpenStore, status: Status) -> None:
    create(store)
    report(store, 0, 3.0, 1.0, 2.0)
    result = Result(status, 0.5, 2, {"rmse": 0.1}, {"rmse": 0.5, "mae": 0.4}, "why, in two\nlines é")
    store.finish("probe", 0, result, checkpoint="trials/probe-0000/best", train_seconds=7.5)
    record = open_store().trial("probe", 0)
    assert record.status is status
    assert (record.value, record.best_iteration) == (0.5, 2)
    assert (record.train, record.valid) == ({"rmse": 0.1}, {"rmse": 0.5, "mae": 0.4})
    assert record.error == "why, in two\nlines é"
    assert (record.checkpoint, record.train_seconds) == ("trials/probe-0000/best", 7.5)
    assert record.ended_at is not None


def test_a_finish_without_a_checkpoint_keeps_the_latest_one(store: Store) -> None:
    create(store)
    store.set_checkpoint("probe", 0, "trials/probe-0000/checkpoint/a", 4.5)
    store.finish("probe", 0, Result(Status.FAILED, error="x"))
    record = store.trial("probe", 0)
    assert (record.checkpoint, record.train_seconds) == ("trials/probe-0000/checkpoint/a", 4.5)


def told_by_optuna(curve: list[float], state: TrialState, value: float | None) -> tuple[Any, Any]:
    study = optuna.create_study()
    trial = study.ask()
    for iteration, score in enumerate(curve, 1):
        trial.report(score, iteration)
    frozen = study.tell(trial, value, state=state)
    return frozen.state, frozen.value


@pytest.mark.parametrize(
    ("status", "state", "value"),
    [
        (Status.COMPLETED, TrialState.COMPLETE, 0.5),
        (Status.PRUNED, TrialState.PRUNED, None),
        (Status.FAILED, TrialState.FAIL, None),
        (Status.DIVERGED, TrialState.FAIL, None),
    ],
)
def test_optuna_sees_what_its_own_tell_would_have_written(
    store: Store, status: Status, state: TrialState, value: float | None
) -> None:
    create(store)
    report(store, 0, 3.0, 1.0, 2.0)
    store.finish("probe", 0, Result(status, 0.5))
    (frozen,) = store.frozen_trials("probe")
    assert (frozen.state, frozen.value) == told_by_optuna([3.0, 1.0, 2.0], state, value)
    assert frozen.intermediate_values == {1: 3.0, 2: 1.0, 3: 2.0}


@pytest.mark.parametrize("status", [Status.PRUNED, Status.FAILED, Status.DIVERGED])
def test_a_trial_may_end_before_its_first_score(store: Store, status: Status) -> None:
    create(store)
    store.finish("probe", 0, Result(status, error="early"))
    record = store.trial("probe", 0)
    assert (record.status, record.value, record.iterations) == (status, None, 0)


@pytest.mark.parametrize(("direction", "best"), [(Direction.MINIMIZE, 1.0), (Direction.MAXIMIZE, 3.0)])
def test_the_best_score_so_far_follows_the_direction(
    open_store: OpenStore, direction: Direction, best: float
) -> None:
    store = open_store("-directed", direction)
    store.add_family("probe")
    create(store)
    report(store, 0, 2.0, 1.0, 3.0, math.nan, math.inf, -math.inf)
    (record,) = store.trials(driven=True)
    assert record.value == best
    assert math.isnan(record.values[4])
    assert (record.values[5], record.values[6]) == (math.inf, -math.inf)


def test_a_score_told_again_does_not_replace_the_first(store: Store) -> None:
    create(store)
    report(store, 0, 3.0, 1.0)
    assert store.report("probe", 0, 1, 9.0) == 3.0
    report(store, 0, 9.0, 9.0, 2.0)
    assert store.trial("probe", 0).values == {1: 3.0, 2: 1.0, 3: 2.0}


def test_metrics_of_the_test_rows_belong_to_their_trials(store: Store, open_store: OpenStore) -> None:
    create(store)
    create(store)
    store.finish("probe", 0, Result(Status.COMPLETED, 0.5), checkpoint="trials/a")
    store.set_checkpoint("probe", 1, "trials/b", 1.0)
    store.set_test("probe", 0, {"rmse": 0.7}, "trials/a")
    store.set_test("probe", 1, {"rmse": 0.8}, "trials/b")
    store.set_test("probe", 0, {"rmse": 0.6, "mae": 0.1}, "trials/a")
    assert [record.test for record in open_store().trials()] == [{"rmse": 0.6, "mae": 0.1}, {"rmse": 0.8}]


def test_metrics_of_the_test_rows_hold_for_the_checkpoint_they_were_taken_of(store: Store) -> None:
    create(store)
    store.set_checkpoint("probe", 0, "trials/probe-0000/checkpoint/a", 1.0)
    store.set_test("probe", 0, {"rmse": 0.7}, "trials/probe-0000/checkpoint/a")
    store.set_checkpoint("probe", 0, "trials/probe-0000/checkpoint/b", 2.0)
    assert store.trial("probe", 0).test == {}
    store.finish("probe", 0, Result(Status.COMPLETED, 0.5), checkpoint="trials/probe-0000/best")
    assert store.trial("probe", 0).test == {}
    store.set_test("probe", 0, {"rmse": 0.6}, "trials/probe-0000/best")
    assert store.trial("probe", 0).test == {"rmse": 0.6}


def test_an_interrupted_trial_has_the_score_of_its_checkpoint(store: Store, tmp_path: Path) -> None:
    create(store)
    report(store, 0, 3.0)
    with DriverLock(tmp_path):
        assert store.trial("probe", 0).value == 3.0
    assert store.trial("probe", 0).value is None  # There is nothing to predict with.
    store.set_checkpoint("probe", 0, "trials/probe-0000/checkpoint/a", 1.0, value=2.5, best_iteration=1)
    report(store, 0, 3.0, 1.0)
    with DriverLock(tmp_path):
        assert store.trial("probe", 0).value == 1.0
    record = store.trial("probe", 0)
    assert (record.value, record.best_iteration) == (2.5, 1)
    store.finish("probe", 0, Result(Status.COMPLETED, 0.5, 3), checkpoint="trials/probe-0000/best")
    record = store.trial("probe", 0)
    assert (record.value, record.best_iteration) == (0.5, 3)


def test_times_know_their_zone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        before_s = time.time()
        create(store)
        store.finish("probe", 0, Result(Status.FAILED, error="x"))
        record = store.trial("probe", 0)
        for moment in (record.started_at, record.ended_at):
            assert moment is not None
            assert moment.utcoffset() == timedelta(hours=9)
            assert before_s - 1 < moment.timestamp() < time.time() + 1
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_runs_of_a_study_are_read_back(store: Store, open_store: OpenStore) -> None:
    assert store.runs() == ()
    assert open_store("-empty").runs() == ()
    runs = (Run(600.0, 600.5, ended=True), Run(None, 12.0))
    store.set_runs(runs)
    store.add_family("added")
    assert open_store().runs() == runs
    assert [run.left_s for run in runs] == [0.0, None]


def test_a_store_is_closed_at_the_end_of_its_block(tmp_path: Path) -> None:
    with Store(tmp_path, f"sqlite:///{tmp_path}/record.db", "study", Direction.MINIMIZE) as store:
        store.add_family("probe")
        pool = store._storage.engine.pool  # type: ignore[attr-defined]
        assert pool.checkedin() > 0
    assert store._storage.engine.pool is not pool  # type: ignore[attr-defined]


def test_an_unfinished_trial_runs_while_a_driver_holds_the_lock_and_is_interrupted_after(
    store: Store, tmp_path: Path
) -> None:
    create(store)
    assert store.trial("probe", 0).status is Status.INTERRUPTED
    with DriverLock(tmp_path):
        assert store.trial("probe", 0).status is Status.RUNNING
        assert store.trials()[0].status is Status.RUNNING
    assert store.trials()[0].status is Status.INTERRUPTED
    assert store.trials(driven=True)[0].status is Status.RUNNING


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.PRUNED, Status.FAILED, Status.DIVERGED])
def test_a_kill_between_result_and_state_is_made_good(
    store: Store, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    create(store)
    create(store)
    report(store, 0, 3.0, 1.0)

    def kill(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_close", kill)
        with pytest.raises(KeyboardInterrupt):
            store.finish("probe", 0, Result(status, 1.0, 2), checkpoint="trials/probe-0000/best")
    resumed = open_store()
    assert resumed.trial("probe", 0).status is Status.INTERRUPTED
    assert resumed.half_written() == ("probe-0000",)
    resumed.finish_half_written()
    assert resumed.half_written() == ()
    record = open_store().trial("probe", 0)
    assert (record.status, record.value, record.checkpoint) == (status, 1.0, "trials/probe-0000/best")
    assert record.ended_at is not None
    assert open_store().trial("probe", 1).status is Status.INTERRUPTED
    resumed.finish_half_written()


def test_what_optuna_itself_finished_has_a_status(store: Store) -> None:
    for state, value in ((TrialState.COMPLETE, [1.0]), (TrialState.PRUNED, None), (TrialState.FAIL, None)):
        number = create(store)
        trial = store.frozen_trials("probe")[number]
        store._storage.set_trial_state_values(trial._trial_id, state, value)
    statuses = [record.status for record in store.trials()]
    assert statuses == [Status.COMPLETED, Status.PRUNED, Status.FAILED]


def test_two_studies_in_one_storage_do_not_mix(store: Store, open_store: OpenStore) -> None:
    other = open_store("-other")
    assert other.families() == ()
    other.add_family("probe")
    create(store)
    create(store)
    assert create(other) == 0
    other.set_runs([Run(1.0)])
    assert len(store.trials()) == 2
    assert len(other.trials()) == 1
    assert store.runs() == ()


def test_a_family_that_is_there_is_left_as_it_is(store: Store, open_store: OpenStore) -> None:
    create(store)
    open_store().add_family("probe")
    assert len(open_store().trials("probe")) == 1


def test_a_trial_that_is_not_there(store: Store) -> None:
    for model, number in (("probe", 0), ("nothing", 0)):
        with pytest.raises(RecordError, match=f"no trial {model}-0000"):
            store.trial(model, number)


def test_the_record_opens_in_plain_optuna(store: Store, name: str, url: str | None, tmp_path: Path) -> None:
    create(store)
    report(store, 0, 2.0)
    store.finish("probe", 0, Result(Status.COMPLETED, 2.0))
    if url is None:
        backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal.log"))
        study = optuna.load_study(study_name=f"{name}/probe", storage=optuna.storages.JournalStorage(backend))
    else:
        study = optuna.load_study(study_name=f"{name}/probe", storage=url)
    assert study.best_params == SEARCHED
    assert study.best_value == 2.0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nosuchdb://me:secret@host/db", "nosuchdb://host/db cannot be opened"),
        ("sqlite:////no/such/folder/x.db", "cannot be opened"),
        ("postgresql+psycopg2://me:secret@127.0.0.1:1/db", "127.0.0.1:1/db cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Store(tmp_path, url, "study", Direction.MINIMIZE)
    assert "storage.url" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_result_holds_plain_values_only() -> None:
    assert asdict(Result(Status.FAILED, error="x"))["status"] == "failed"


DETAILS = {"classes": {"precision": [0.5, None]}, "confusion": [[3, 1], [0, 4]]}


def test_details_are_kept_with_the_result_and_with_the_test(store: Store, open_store: OpenStore) -> None:
    create(store)
    create(store)
    store.finish("probe", 0, Result(Status.COMPLETED, 0.5, details=DETAILS), checkpoint="trials/a")
    store.finish("probe", 1, Result(Status.COMPLETED, 0.5))
    store.set_test("probe", 0, {"f1": 0.7}, "trials/a", {"confusion": [[1]]})
    first, second = open_store().trials()
    assert first.details == {"valid": DETAILS, "test": {"confusion": [[1]]}}
    assert first.test == {"f1": 0.7}
    assert second.details == {}


def test_details_of_the_test_hold_for_their_checkpoint_alone(store: Store, open_store: OpenStore) -> None:
    create(store)
    store.set_test("probe", 0, {"f1": 0.7}, "trials/early", {"confusion": [[1]]})
    store.finish("probe", 0, Result(Status.COMPLETED, 0.5), checkpoint="trials/a")
    assert open_store().trial("probe", 0).details == {}


def test_the_largest_details_fit(store: Store, open_store: OpenStore) -> None:
    create(store)
    details = {"classes": {"f1": [0.123456] * 1000}, "confusion": [[12345] * 50] * 50}
    store.finish("probe", 0, Result(Status.COMPLETED, 0.5, details=details))
    assert open_store().trial("probe", 0).details["valid"] == details
