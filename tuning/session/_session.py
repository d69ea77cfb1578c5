"""The driver's side of a running study: hands out trials, records what they tell, decides who goes on.

Knows no Ray. What executes the trials calls `next_trial`, `report` and `lost`.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tuning.config import StudyConfig
from tuning.errors import DiskFullError
from tuning.families import Family
from tuning.monitoring import Monitor
from tuning.progress import Snapshot
from tuning.pruning import Pruner, make_pruner
from tuning.sampling import derive_seed
from tuning.session._family import FamilyState, Search, target_of
from tuning.session._folder import StudyFolder
from tuning.session._keeping import Keeping
from tuning.session._shortage import describe_shortage
from tuning.session._stopping import Stopping
from tuning.session._waiting import MAX_NODE_DEATHS, WaitingTrials
from tuning.store import Placement, Result, Status, Store, TrialRecord
from tuning.trial import GpuShortage, Report, TrialSpec

logger = logging.getLogger(__name__)


class Session:
    """One run of a study, from its start or resume to its end.

    Args:
        config: the study's configuration.
        families: the families to search.
        store: the record.
        folder: the study folder.
        make_search: gives a family's sampler.
        slots: trials at once.
        metric: name of the metric that is searched on.
        gpu_families: families whose trials take a share of a GPU.
        gpu_slots: such trials at once; None: no limit.
        trials_per_gpu: such trials on one GPU; one that has a GPU of its own takes the room of so many.
        monitors: told of every trial, after the record.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        config: StudyConfig,
        families: Sequence[Family],
        store: Store,
        folder: StudyFolder,
        make_search: Callable[[Family], Search],
        *,
        slots: int = 1,
        metric: str = "value",
        gpu_families: Collection[str] = (),
        gpu_slots: int | None = None,
        trials_per_gpu: int = 1,
        monitors: Sequence[Monitor] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._store = store
        self._folder = folder
        self._slots = slots
        self._metric = metric
        self._gpu_families = frozenset(gpu_families)
        self._gpu_slots = gpu_slots
        self._trials_per_gpu = trials_per_gpu
        self._monitors = monitors
        self._clock = clock
        self._states = {
            family.name: FamilyState(
                family,
                make_search(family),
                make_pruner(config.pruning, store.direction),
                Keeping(family.name, folder, store, config.storage.kept_trials),
            )
            for family in families
        }
        self._live: dict[str, TrialSpec] = {}
        self._losses: Counter[tuple[str, bool]] = Counter()
        self._waiting = WaitingTrials()
        self._stopping = Stopping(folder, clock)
        self._started_s = clock()
        self._started = 0
        self._busy_seconds = 0.0
        for state in self._states.values():
            self._take_over(state)
        self._finished_before = sum(state.ended.total() for state in self._states.values())

    @property
    def live(self) -> tuple[str, ...]:
        """Ids of the trials that run now."""
        return tuple(self._live)

    @property
    def slots(self) -> int:
        """Trials that may run at once."""
        return self._slots

    @property
    def started(self) -> int:
        """Starts of trials in this run, those that go on from a checkpoint included."""
        return self._started

    def snapshot(self) -> Snapshot:
        """Where the study stands now, for a view."""
        states = self._states.values()
        return Snapshot(
            study=self._config.name,
            metric=self._metric,
            families=tuple(state.progress() for state in states),
            launched=sum(state.launched for state in states),
            finished=sum(state.ended.total() for state in states),
            target=target_of(list(states), self._config.search),
            elapsed_s=self._clock() - self._started_s,
            remaining_s=self.remaining_s,
            busy_seconds=self._busy_seconds,
            slots=self._slots,
            finished_before=self._finished_before,
            stopping=self.is_stopping,
            resume=self._folder.command("resume"),
            direction=self._store.direction,
        )

    @property
    def is_stopping(self) -> bool:
        """Whether nothing more is started."""
        return self._stopping.is_stopping

    @property
    def stopping_s(self) -> float:
        """Seconds since the session was asked to stop, 0 before."""
        return self._stopping.stopping_s

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the time budget is used up, None without one."""
        return self._stopping.remaining_s

    @property
    def disk_full(self) -> DiskFullError | None:
        """What ended the session, where that was a full disk."""
        return self._stopping.disk_full

    def pruner(self, model: str) -> Pruner:
        """A family's pruning rule with its present state."""
        return self._states[model].pruner

    def set_time_budget(self, seconds: float) -> None:
        """Stop by itself after `seconds` from now."""
        self._stopping.set_time_budget(seconds)

    def set_slots(self, slots: int) -> None:
        """How many trials may run at once has changed; what runs goes on."""
        self._slots = max(1, slots)

    def set_gpu_slots(self, slots: int) -> None:
        """How many trials the GPUs can take at once has changed.

        At least one is handed out all the same: when another job holds every GPU, it waits for the first.
        """
        self._gpu_slots = max(1, slots)

    def stop(self) -> None:
        """Start nothing more, and ask what runs to write a checkpoint and end."""
        self._stopping.stop()

    def check_clock(self) -> None:
        """Stop when the time budget is used up."""
        self._stopping.check_clock()

    def is_over(self) -> bool:
        """Whether nothing runs and nothing more will be started."""
        return not self._live and (self.is_stopping or not (self._next_waiting() or self._ready_states()))

    def next_trial(self) -> TrialSpec | None:
        """The next trial to start now, None when there is none for the moment."""
        self.check_clock()
        if self.is_stopping:
            return None
        spec = self._next_waiting()
        if spec is not None:
            self._waiting.remove(spec)
        else:
            spec = self._new_trial()
        if spec is None:
            return None
        if spec.attempt > 1:
            self._store.set_attempt(spec.model, spec.number, spec.attempt)
        self._live[spec.id] = spec
        self._states[spec.model].begin(spec.number, self._clock())
        self._started += 1
        for monitor in self._monitors:
            monitor.start(spec)
        return spec

    def place(self, spec: TrialSpec, placement: Placement) -> None:
        """Record where a trial runs."""
        self._store.set_placement(spec.model, spec.number, placement)

    def report(self, spec: TrialSpec, report: Report) -> bool:
        """Record what a trial tells; True when it ends here.

        The record is written before this returns, so a decision is never acted on that a kill
        could make forgotten.
        """
        state = self._states[spec.model]
        self._busy_seconds += state.count_time(spec.number, report.train_seconds)
        prune = False
        if report.value is not None:
            best = self._store.report(
                spec.model, spec.number, report.iteration, report.value, report.best_value
            )
            prune = state.report(spec.number, report.iteration, best)
            for monitor in self._monitors:
                monitor.report(spec, report)
        if report.result is not None:
            self._finish(spec, report.result, report)
        elif prune:
            # Its checkpoint holds the best state, so that one's score is the trial's.
            result = Result(Status.PRUNED, report.best_value, report.best_iteration)
            self._finish(spec, result, report)
        else:
            self._go_on(spec, report)
        return report.is_last or prune

    def _go_on(self, spec: TrialSpec, report: Report) -> None:
        """Record the checkpoint last: a trial that resumes from it has its score, and was let through."""
        if report.checkpoint is not None:
            self._store.set_checkpoint(
                spec.model,
                spec.number,
                report.checkpoint,
                report.train_seconds,
                value=report.best_value,
                best_iteration=report.best_iteration,
            )
            self._states[spec.model].note_best(spec.number, report.best_value)
        if report.interrupted:
            self._release(spec)

    def lost(self, spec: TrialSpec, reason: str, *, may_retry: bool = True, node_died: bool = False) -> None:
        """A trial's worker died: let the trial go on from its checkpoint, or record the failure.

        Args:
            spec: the trial.
            reason: what is known, for the record.
            may_retry: it would not end the same way again.
            node_died: with its whole node, which does not count as a death of the trial's own making.
        """
        if spec.id not in self._live:
            return
        if self.is_stopping and may_retry:
            self._release(spec)  # It stays unfinished in the record, for a resume.
            return
        self._losses[spec.id, node_died] += 1
        allowed = MAX_NODE_DEATHS if node_died else self._config.resources.max_retries
        if may_retry and self._losses[spec.id, node_died] <= allowed:
            logger.warning("%s lost its worker (%s); it goes on from its last checkpoint.", spec.id, reason)
            self._release(spec)
            self._wait_again(spec)
        else:
            self._finish(spec, Result(Status.FAILED, error=reason))

    def out_of_gpu_memory(self, spec: TrialSpec, shortage: GpuShortage) -> None:
        """A trial did not get the GPU memory it needs: give it a GPU of its own, or record the failure.

        That it needs one is recorded before anything else, so a resume gives it one too.
        """
        if spec.id not in self._live:
            return
        if shortage.share >= 1:
            self._finish(spec, Result(Status.FAILED, error=describe_shortage(spec, shortage)))
            return
        logger.warning(
            "%s needs more than its %.3g of a GPU; it goes on with a whole one.", spec.id, shortage.share
        )
        self._store.set_whole_gpu(spec.model, spec.number)
        self._release(spec)
        if not self.is_stopping:
            self._wait_again(spec)

    def out_of_disk(self, spec: TrialSpec, error: DiskFullError) -> None:
        """A trial could not write: stop, and leave it to a resume, which goes on from its last checkpoint."""
        self._stopping.stop_for_disk(error)
        if spec.id in self._live:
            self._release(spec)

    def _wait_again(self, spec: TrialSpec) -> None:
        """Let a trial go on from its last checkpoint as soon as there is room."""
        record = self._store.trial(spec.model, spec.number)
        self._waiting.add(self._spec(record.model, record.number, record.params, record))

    def _release(self, spec: TrialSpec) -> None:
        """The trial runs no longer."""
        del self._live[spec.id]
        self._states[spec.model].leave(spec.number, self._clock())

    def _finish(self, spec: TrialSpec, result: Result, report: Report | None = None) -> None:
        self._store.finish(
            spec.model,
            spec.number,
            result,
            checkpoint=None if report is None else report.checkpoint,
            train_seconds=None if report is None else report.train_seconds,
        )
        self._states[spec.model].close(spec.number, result)
        self._release(spec)
        if self._monitors:
            record = self._store.trial(spec.model, spec.number)
            for monitor in self._monitors:
                monitor.end(record)

    def _take_over(self, state: FamilyState) -> None:
        name = state.family.name
        self._store.add_family(name)
        state.search.replay(self._store.frozen_trials(name))
        records = self._store.trials(name, driven=False)
        state.keeping.take_over(records)
        for record in records:
            state.take_over(record, self._config.pruning.max_iterations)
            if record.status.is_finished:
                continue
            if (end := self._waiting.blame(record, self._store)) is None:
                self._waiting.add(self._spec(name, record.number, record.params, record))
            else:
                self._store.finish(name, record.number, end)
                state.close(record.number, end)

    def _next_waiting(self) -> TrialSpec | None:
        """An unfinished trial that is to go on; those of a parked family stay for a resume."""
        parked = {name for name, state in self._states.items() if state.parked}
        return self._waiting.next(self._live, lambda name: name not in parked and self._has_room(name))

    def _has_room(self, model: str) -> bool:
        """Whether a trial of the family would not wait for a GPU while it holds a place among the live."""
        if self._gpu_slots is None or model not in self._gpu_families:
            return True
        on_gpus = [spec for spec in self._live.values() if spec.model in self._gpu_families]
        return sum(self._trials_per_gpu if spec.whole_gpu else 1 for spec in on_gpus) < self._gpu_slots

    def _ready_states(self) -> list[FamilyState]:
        """Families that may start a trial now."""
        return [state for state in self._open_states() if self._has_room(state.family.name)]

    def _open_states(self) -> list[FamilyState]:
        """Families that may still start trials."""
        search = self._config.search
        launched = sum(state.launched for state in self._states.values())
        if search.total_trials is not None and launched >= search.total_trials:
            return []
        limits = ((state, state.limit(search.trials)) for state in self._states.values())
        return [state for state, limit in limits if limit is None or state.launched < limit]

    def _new_trial(self) -> TrialSpec | None:
        states = self._ready_states()
        if not states:
            return None
        state = min(states, key=self._turn)
        draw = state.search.draw()
        space = state.family.space
        params = space.full(space.decode(draw.params))
        number = self._store.create(
            state.family.name, draw.params, draw.distributions, params, draw.system_attrs
        )
        state.launched += 1
        return self._spec(state.family.name, number, params)

    def _turn(self, state: FamilyState) -> tuple[float, float]:
        """Who is next: by trials when they are counted, else by time, so that no slow family eats it."""
        if self._config.search.trials is not None or self._config.search.total_trials is not None:
            return (state.launched, 0)
        return (min(state.launched, 1), state.charged_s(self._clock()))

    def _spec(
        self, model: str, number: int, params: Mapping[str, Any], record: TrialRecord | None = None
    ) -> TrialSpec:
        if record is not None and record.checkpoint is not None:
            self._folder.resolve(record.checkpoint)
        return TrialSpec(
            model=model,
            number=number,
            params=params,
            seed=derive_seed(self._config.search.seed, model, number),
            max_iterations=self._config.pruning.max_iterations,
            checkpoint_iterations=self._states[model].pruner.checkpoint_iterations,
            checkpoint=None if record is None else record.checkpoint,
            attempt=1 if record is None else record.attempts + 1,
            time_limit_s=self._config.resources.trial_time_limit_s,
            whole_gpu=record is not None and record.whole_gpu,
        )
