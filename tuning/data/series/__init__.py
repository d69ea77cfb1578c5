"""Series: read on a regular time grid, split by time, cut into windows with features."""

from tuning.data.series._history import Covariate, CovariateRole, History
from tuning.data.series._read_series import SeriesColumns, SeriesReading, read_history, read_like

__all__ = [
    "Covariate",
    "CovariateRole",
    "History",
    "SeriesColumns",
    "SeriesReading",
    "read_history",
    "read_like",
]
