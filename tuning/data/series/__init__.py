"""Series: read on a regular time grid, split by time, cut into windows with features."""

from tuning.data.series._history import Covariate, CovariateRole, History
from tuning.data.series._prepare import prepare_final_series, prepare_series
from tuning.data.series._read_series import SeriesReading, read_history, read_like
from tuning.data.series._series_columns import SeriesColumns
from tuning.data.series._transform import STATE_FILE, SeriesTransform

__all__ = [
    "STATE_FILE",
    "Covariate",
    "CovariateRole",
    "History",
    "SeriesColumns",
    "SeriesReading",
    "SeriesTransform",
    "prepare_final_series",
    "prepare_series",
    "read_history",
    "read_like",
]
