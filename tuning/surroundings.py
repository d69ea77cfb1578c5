"""What a run changes for its whole process and puts back: environment variables, levels of loggers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def environment(settings: Mapping[str, str], others: Iterable[str] = ()) -> Iterator[None]:
    """Set variables of the environment for the block, and put back what they were.

    Args:
        settings: variables and their values.
        others: variables that somebody else sets inside the block, to be put back too.
    """
    before = {name: os.environ.get(name) for name in (*settings, *others)}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def log_levels(levels: Mapping[str, int]) -> Iterator[None]:
    """Set the levels of loggers for the block, and put back what they were."""
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
