"""The seasonal naive forecast: the value one season before."""

from __future__ import annotations

from tuning.models._baseline import ForecastBaseline
from tuning.models._season import seasonal_values
from tuning.models._table import FloatArray
from tuning.models._windows import Windows
from tuning.models.errors import ModelError


class SeasonalNaive(ForecastBaseline):
    """Repeats the last known season; MASE measures forecasts against it (Hyndman and Koehler, 2006).

    Further than one season ahead, the last known season is repeated again. Without a season, or where a
    series' history is shorter than one, it is the naive forecast.
    """

    def forecasts(self, windows: Windows) -> FloatArray:
        """(w, H) the value a whole number of seasons before, forwarded."""
        if self.schema.series is None:
            raise ModelError("seasonal_naive needs to know the series' season, and the schema has no series.")
        return seasonal_values(windows, self.schema.series.season)
