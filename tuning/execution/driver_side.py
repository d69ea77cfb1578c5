"""What stays in the driver's process although Ray Tune pickles what holds it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pickle import UnpicklingError
from weakref import WeakValueDictionary

_NUMBERS = count()
_LIVE: WeakValueDictionary[int, DriverSide] = WeakValueDictionary()


class DriverSide:
    """Base of what Ray Tune is given and calls in the driver.

    `tune.Tuner` pickles its searcher, scheduler and stopper when it is made. They lead to the session, the
    record and the terminal, which no other process may have: a pickle of them is a number, by which the
    driver alone finds the very object again.
    """

    def __reduce__(self) -> tuple[Callable[[int], DriverSide], tuple[int]]:
        number: int = self.__dict__.setdefault("_number", next(_NUMBERS))
        _LIVE[number] = self
        return _find, (number,)


def _find(number: int) -> DriverSide:
    """Return the object that was pickled.

    Raises:
        UnpicklingError: it lives in another process, or no more.
    """
    found = _LIVE.get(number)
    if found is None:
        raise UnpicklingError(f"Object {number} of a study's driver lives in the driver's process alone.")
    return found
