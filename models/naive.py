"""The naive forecast: the last known value, for every step ahead."""

from __future__ import annotations

from tuning.models._baseline import ForecastBaseline
from tuning.models._season import last_values
from tuning.models._table import FloatArray
from tuning.models._windows import Windows


class Naive(ForecastBaseline):
    """Repeats the value at the origin; the best forecast of a random walk."""

    def forecasts(self, windows: Windows) -> FloatArray:
        """(w, H) the last value, forwarded."""
        return last_values(windows)
