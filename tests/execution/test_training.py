"""How the end of a group of workers is told apart: an error, a worker that died, or Ctrl-C."""

from __future__ import annotations

import signal
import sys

import pytest
import ray.train
from ray.train.v2._internal.exceptions import UserExceptionWithTraceback, WorkerHealthCheckFailedError

from tuning.execution import training
from tuning.execution.gpu_memory import GpuMemoryError
from tuning.execution.training import (
    GroupSize,
    WorkerFailedError,
    WorkersLostError,
    _explain,
    train_on_workers,
)
from tuning.trial import GpuShortage

DEAD = WorkerHealthCheckFailedError("A worker health check failed.", failure=RuntimeError("died"))
CUT_OFF = RuntimeError("[../gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]:4711")
OWN = ValueError("the probe was told to raise")
SHORT = GpuMemoryError(GpuShortage(0.5, "CUDA out of memory"))


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ({1: OWN}, WorkerFailedError),
        ({0: OWN, 1: OWN}, WorkerFailedError),
        ({0: CUT_OFF, 1: OWN}, WorkerFailedError),
        ({1: DEAD}, WorkersLostError),
        ({0: CUT_OFF, 1: DEAD}, WorkersLostError),
        ({0: CUT_OFF}, WorkersLostError),
        ({1: UserExceptionWithTraceback(OWN, "the probe was told to raise")}, WorkerFailedError),
        ({0: CUT_OFF, 1: SHORT}, GpuMemoryError),
        ({0: DEAD, 1: UserExceptionWithTraceback(SHORT, "out of memory")}, GpuMemoryError),
    ],
)
def test_an_error_is_told_from_a_death(failures: dict[int, Exception], kind: type[Exception]) -> None:
    told = _explain(ray.train.WorkerGroupError("what happened", failures))
    assert type(told) is kind
    assert ("what happened" in str(told)) == (kind is WorkerFailedError)


class _Interrupted:
    """A trainer that is interrupted, and does what Ray Train's own do then."""

    def fit(self) -> None:
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_no_success_and_works_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_make_trainer", lambda *_: _Interrupted())
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_on_workers(lambda config: None, {}, None, GroupSize(1, 1.0))
    assert signal.getsignal(signal.SIGINT) is before
