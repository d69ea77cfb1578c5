"""The best state, which may lie between two iterations, is what a driver decides and shows by."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.session.study_runs import Study, done, started
from tests.trial.rows import steps
from tests.trial.scripted import Scripted, zero_folds
from tuning.cli._trial import trial_tables
from tuning.execution.search import FamilySearch
from tuning.metrics import Direction
from tuning.progress import PlainView
from tuning.pruning import AshaPruner
from tuning.session import Session
from tuning.store import Result, Status, Store, best_so_far
from tuning.trial import Report, TrialSpec


def asha(session: Session) -> AshaPruner:
    pruner = session.pruner("probe")
    assert isinstance(pruner, AshaPruner)
    return pruner


def report(iteration: int, value: float, best: float) -> Report:
    return Report(iteration, value, 1.0, best_value=best, best_iteration=iteration)


@pytest.mark.parametrize(
    ("value", "best", "is_pruned"),
    [(9.0, 0.5, False), (1.1, 1.0, False), (9.0, 1.1, True), (1.1, 1.1, True)],
)
def test_a_trial_is_judged_by_its_best_state_not_by_its_last(
    value: float, best: float, is_pruned: bool, tmp_path: Path
) -> None:
    study = Study(tmp_path)
    session = study.begin()
    session.report(started(session), report(1, 1.0, 1.0))
    assert session.report(started(session), report(1, value, best)) is is_pruned
    assert asha(session).rung(1) == {0: 1.0, 1: best}
    assert asha(study.begin()).rung(1) == {0: 1.0, 1: best}
    assert [record.values[1] for record in study.records()] == [1.0, value], "the curve stays as it was"


def test_the_best_state_of_a_trial_outlasts_worse_iterations(tmp_path: Path) -> None:
    study = Study(tmp_path)
    session = study.begin()
    spec = started(session)
    for iteration, value in ((1, 3.0), (2, 4.0), (3, 5.0)):
        session.report(spec, report(iteration, value, 2.0))
    (record,) = study.records()
    assert record.best_values == {1: 2.0, 2: 2.0, 3: 2.0}
    assert asha(session).best_until(0, 3) == asha(study.begin()).best_until(0, 3) == 2.0


def test_higher_is_better_where_it_is(tmp_path: Path) -> None:
    study = Study(tmp_path)
    with Store(study.folder.root, None, "demo", Direction.MAXIMIZE) as store:
        store.add_family("other")
        number = store.create("other", {}, {}, {}, {})
        assert store.report("other", number, 1, 0.4, 0.6) == 0.6
        assert store.report("other", number, 2, 0.5, 0.6) == 0.6
        assert store.report("other", number, 2, 0.9, 0.9) == 0.6, "told again, as after a loss"
        (frozen,) = store.frozen_trials("other")
        assert frozen.intermediate_values == {1: 0.4, 2: 0.5}
        assert best_so_far(frozen, Direction.MAXIMIZE) == {1: 0.6, 2: 0.6}


def test_the_best_so_far_of_an_old_record_follows_from_its_scores(tmp_path: Path) -> None:
    study = Study(tmp_path)
    study.store.add_family("probe")
    number = study.store.create("probe", {}, {}, {}, {})
    for iteration, value in ((1, 3.0), (2, 2.0), (3, 5.0)):
        study.store.report("probe", number, iteration, value)
    (record,) = study.records()
    assert record.values == {1: 3.0, 2: 2.0, 3: 5.0}
    assert record.best_values == {1: 3.0, 2: 2.0, 3: 2.0}
    assert asha(study.begin()).rung(3) == {0: 2.0}


def test_the_sampler_hears_the_best_state_now_and_after_a_resume(tmp_path: Path) -> None:
    study = Study(tmp_path)
    searches: list[FamilySearch] = []
    make = FamilySearch.__init__

    def remember(self: FamilySearch, *args: object, **kwargs: object) -> None:
        make(self, *args, **kwargs)  # type: ignore[arg-type]
        searches.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FamilySearch, "__init__", remember)
        session = study.begin()
        session.report(started(session), report(1, 3.0, 2.0))
        study.begin()
    heard = [search._copy.get_all_trials(0)[0].intermediate_values for search in searches]
    assert heard == [{1: 2.0}, {1: 2.0}]


def test_a_real_trial_tells_what_lies_between_two_iterations(tmp_path: Path) -> None:
    params = {"script": [5.0, 1.0, 4.0, 3.0, 2.0, 2.5]}
    spec = TrialSpec("scripted", 0, params, 0, max_iterations=2, checkpoint_iterations=frozenset())
    told = list(steps(spec, Scripted, zero_folds(), tmp_path))
    assert [(each.iteration, each.value, each.best_value) for each in told] == [(1, 4.0, 1.0), (2, 2.5, 1.0)]


def best(session: Session) -> float | None:
    return session.snapshot().families[0].best


def test_the_best_that_is_shown_is_that_of_ended_trials_too(tmp_path: Path) -> None:
    study = Study(tmp_path)
    session, lines = study.begin(), StringIO()
    view = PlainView(lines, interval_s=0)
    view.start([])
    first = started(session)
    session.report(first, report(1, 0.49, 0.49))
    view.update(session.snapshot())
    session.report(first, Report(9, 0.486, 2.0, result=Result(Status.COMPLETED, 0.48128, 5)))
    view.update(session.snapshot())
    session.report(started(session), report(1, 0.48437, 0.48437))
    view.update(session.snapshot())
    assert best(session) == 0.48128
    assert best(study.begin()) == 0.48128
    assert lines.getvalue().count("new best") == 1
    assert "0.48437" not in lines.getvalue()


@pytest.mark.parametrize("status", [Status.DIVERGED, Status.FAILED])
def test_what_is_never_ranked_is_not_shown_as_the_best(status: Status, tmp_path: Path) -> None:
    study = Study(tmp_path)
    session, lines = study.begin(), StringIO()
    view = PlainView(lines, interval_s=0)
    view.start([])
    session.report(started(session), done(2.0))
    view.update(session.snapshot())
    broken = started(session)
    session.report(broken, report(1, 1.0, 1.0))
    view.update(session.snapshot())
    assert best(session) == 1.0
    session.report(broken, Report(1, None, 2.0, result=Result(status, 1.0, 1, error="NaN")))
    view.update(session.snapshot())
    assert best(session) == best(study.begin()) == 2.0
    assert lines.getvalue().count("new best") == 1, "what falls back is no new best"


def test_an_interruption_within_an_iteration_counts_with_its_best_state(tmp_path: Path) -> None:
    study = Study(tmp_path)
    session = study.begin()
    spec = started(session)
    session.report(spec, report(2, 0.5, 0.5))
    stopped = Report(
        2, None, 2.0, "trials/probe-0000/checkpoint/a", interrupted=True, best_value=0.4, best_iteration=3
    )
    session.report(spec, stopped)
    assert best(session) == best(study.begin()) == 0.4
    (record,) = study.records()
    console = Console(file=StringIO(), width=100)
    console.print(*trial_tables("demo", "rmse", Direction.MINIMIZE, record, []))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0.40000 in iteration 3, 2 finished" in shown
    assert "iteration 3 of 2" not in shown
