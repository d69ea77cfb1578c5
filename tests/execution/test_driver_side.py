"""Nothing of the driver rides on what Ray Tune pickles: neither the terminal nor the record."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from pathlib import Path

import pytest
from ray import cloudpickle, tune

from tests.session.study_runs import Study
from tuning.execution.bridge import SessionClock, SessionScheduler, SessionSearcher, SessionStopper
from tuning.execution.driver_side import DriverSide
from tuning.progress import LiveView, make_view
from tuning.session import Session


@pytest.fixture
def terminal() -> Iterator[TextIOWrapper]:
    master, slave = os.openpty()
    with open(slave, "w") as stream:  # noqa: PTH123
        yield stream
    os.close(master)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


@pytest.fixture
def session(study: Study) -> Session:
    return study.begin()


@pytest.fixture
def on_tick(terminal: TextIOWrapper, session: Session, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What the driver does between events: it draws on a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    view = make_view(terminal)
    assert isinstance(view, LiveView)
    view.start(["Study demo"])
    return lambda: view.update(session.snapshot())


@pytest.fixture
def held(on_tick: Callable[[], None], session: Session, study: Study) -> dict[str, DriverSide]:
    """All that Tune is given, built as for a run in a terminal."""
    clock = SessionClock(session, on_tick)
    return {
        "searcher": SessionSearcher(session),
        "scheduler": SessionScheduler(session, study.folder),
        "stopper": SessionStopper(session, clock),
        "callback": clock,
    }


@pytest.mark.parametrize("name", ["searcher", "scheduler", "stopper", "callback"])
def test_what_tune_holds_is_a_small_pickle_that_leads_back_to_it(
    name: str, held: dict[str, DriverSide]
) -> None:
    for library in (pickle, cloudpickle):
        pickled = library.dumps(held[name])
        assert len(pickled) < 200
        assert library.loads(pickled) is held[name]


def test_a_pickle_says_so_when_what_it_stood_for_is_gone(session: Session) -> None:
    pickled = pickle.dumps(SessionSearcher(session))
    with pytest.raises(pickle.UnpicklingError, match="driver's process"):
        pickle.loads(pickled)


def test_a_tuner_is_made_with_a_live_view_on_a_terminal(
    held: dict[str, DriverSide], tmp_path: Path, on_tick: Callable[[], None]
) -> None:
    tune.Tuner(
        tune.Trainable,
        tune_config=tune.TuneConfig(search_alg=held["searcher"], scheduler=held["scheduler"]),
        run_config=tune.RunConfig(
            name="run", storage_path=str(tmp_path), stop=held["stopper"], callbacks=[held["callback"]]
        ),
    )
    assert (tmp_path / "run" / "tuner.pkl").stat().st_size < 100_000
