"""A SIGTERM that comes while Ray starts waits until it has, and is then heard by whom it would have been."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import ray
import ray._private.utils as ray_utils

from tuning.execution.signals import sigterm_held_back


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """What a handler that was there before is called with."""
    calls: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: calls.append(number))
    yield calls
    signal.signal(signal.SIGTERM, before)


def test_a_signal_waits_for_the_end_of_the_block(heard: list[int]) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with sigterm_held_back():
        ray_utils.set_sigterm_handler(signal.SIG_IGN)
        signal.raise_signal(signal.SIGTERM)
        assert heard == []
    assert heard == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_second_signal_does_not_wait(heard: list[int]) -> None:
    def start() -> None:
        with sigterm_held_back():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        start()
    assert (ended.value.code, heard) == (signal.SIGTERM, [])


def test_an_error_of_the_block_is_not_lost_and_the_handler_comes_back(heard: list[int]) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ConnectionError), sigterm_held_back():
        raise ConnectionError
    assert signal.getsignal(signal.SIGTERM) is handler


def test_where_there_was_no_handler_the_process_ends_in_good_order() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit), sigterm_held_back():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_core_of_ray_does_not_hear_a_signal(heard: list[int]) -> None:
    """It would abort the process 3 s after one."""
    with sigterm_held_back():
        ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="ERROR")
        signal.raise_signal(signal.SIGTERM)
    ray.shutdown()
    assert heard == [signal.SIGTERM]
    until_alarm_s, _ = signal.getitimer(signal.ITIMER_REAL)
    assert until_alarm_s == 0 or until_alarm_s > 3
