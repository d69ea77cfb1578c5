"""The frequency of time stamps: inferred from their steps, or as it was given."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.errors import DataError

IntArray = npt.NDArray[np.int64]
Stamps = npt.NDArray[Any]  # (n,) datetime64[us]

MICROSECONDS = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "D": 86_400_000_000,
}
DAY = MICROSECONDS["D"]
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_SHORTEST_MONTH = 28 * DAY
_LATE_IN_THE_MONTH = 20
_WITHOUT_ANCHOR = re.compile(r"(\d*)(W|QS|QE|YS|YE)$")
_FORMER_NAMES = {
    "M": "ME",
    "Q": "QE",
    "Y": "YE",
    "A": "YE",
    "AS": "YS",
    "H": "h",
    "T": "min",
    "S": "s",
    "d": "D",
}
EXAMPLES = (
    '"h", "15min", "D", "B" (business days), "W-FRI", "MS" (month starts), "ME" (month ends), "QS", "YS"'
)


def steps_within(stamps: Stamps, series: IntArray) -> IntArray:
    """(k,) microseconds from each stamp of a series to the next one; of all stamps where that gives none."""
    order = np.lexsort((stamps, series))
    ticks: IntArray = stamps.astype(np.int64)
    steps = np.diff(ticks[order])[np.diff(series[order]) == 0]
    steps = steps[steps > 0]
    return steps if len(steps) else np.asarray(np.diff(np.sort(pd.unique(ticks))), dtype=np.int64)


def most_common(values: npt.NDArray[Any]) -> int:
    """The value that occurs most often, the smallest of several."""
    distinct, counts = np.unique(values, return_counts=True)
    return int(distinct[counts.argmax()])


def infer_frequency(stamps: Stamps, series: IntArray) -> str:
    """The frequency, as pandas names it, of the most common step within series.

    Steps of a month or more follow the calendar: month, quarter and year starts or ends. Days without any
    weekend among them are business days.

    Args:
        stamps: (n,) datetime64[us], at least two of them distinct.
        series: (n,) code of the series.
    """
    step = most_common(steps_within(stamps, series))
    if step >= _SHORTEST_MONTH:
        alias, is_steady = _calendar_alias(stamps, series)
        if alias and (is_steady or not _is_multiple(stamps, step)):
            return alias
    if step == DAY and _skips_weekends(stamps):
        return "B"
    return _fixed_alias(step, stamps)


def _is_multiple(stamps: Stamps, step: int) -> bool:
    return bool(((stamps - stamps.min()).astype(np.int64) % step == 0).all())


def _skips_weekends(stamps: Stamps) -> bool:
    days = stamps.astype("datetime64[D]")
    spans_one = np.busday_count(days.min(), days.max()) < int(days.max().astype(int) - days.min().astype(int))
    return bool(spans_one and np.is_busday(days).all())


def _fixed_alias(step: int, stamps: Stamps) -> str:
    if step % (7 * DAY) == 0:
        weekday = most_common(weekdays(stamps))
        return f"{_count(step // (7 * DAY))}W-{_WEEKDAYS[weekday]}"
    unit = next(name for name in reversed(MICROSECONDS) if step % MICROSECONDS[name] == 0)
    return f"{_count(step // MICROSECONDS[unit])}{unit}"


def _count(number: int) -> str:
    return "" if number == 1 else str(number)


def weekdays(stamps: Stamps) -> IntArray:
    """(n,) 0 for Monday to 6 for Sunday."""
    return (stamps.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday


def months_of(stamps: Stamps) -> IntArray:
    """(n,) months since January 1970."""
    return stamps.astype("datetime64[M]").astype(np.int64)


def _calendar_alias(stamps: Stamps, series: IntArray) -> tuple[str, bool]:
    """The frequency in months, empty where some month has two stamps; and whether the day never changes."""
    days = stamps.astype("datetime64[D]")
    months = months_of(stamps)
    distinct = np.unique(np.stack([series, months, days.astype(np.int64)], axis=1), axis=0)
    if len(np.unique(distinct[:, :2], axis=0)) < len(distinct):
        return "", False
    steps = np.diff(distinct[:, 1])[np.diff(distinct[:, 0]) == 0]
    steps = steps if len(steps) else np.diff(np.unique(months))
    step = most_common(steps)
    day_of_month = (days - months.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    are_ends = months_of(days + np.timedelta64(1, "D")) == months + 1
    is_end = bool(are_ends.all()) or float(np.median(day_of_month)) >= _LATE_IN_THE_MONTH
    is_steady = bool(are_ends.all()) or len(np.unique(day_of_month)) == 1
    return _months_alias(step, int(months.min()), is_end), is_steady


def _months_alias(step: int, first: int, is_end: bool) -> str:
    side = "E" if is_end else "S"
    if step % 12 == 0:
        return f"{_count(step // 12)}Y{side}-{_MONTHS[first % 12]}"
    if step == 3:
        return f"Q{side}-{_quarter_anchor(first, is_end)}"
    return f"{_count(step)}M{side}"


def _quarter_anchor(month: int, is_end: bool) -> str:
    anchors = ("OCT", "NOV", "DEC") if is_end else ("JAN", "FEB", "MAR")
    return anchors[month % 3]


def resolve_frequency(alias: str, stamps: Stamps) -> str:
    """A given frequency, with the weekday or month of the stamps where it names none.

    Raises:
        DataError: pandas knows no such frequency.
    """
    name = _FORMER_NAMES.get(alias.strip(), alias.strip())
    offset = parse_frequency(name)
    match = _WITHOUT_ANCHOR.match(name)
    if match is None:
        return str(offset.freqstr)
    count, unit = match.groups()
    if unit == "W":
        return f"{count}W-{_WEEKDAYS[most_common(weekdays(stamps))]}"
    first = int(months_of(stamps).min())
    is_end = unit.endswith("E")
    anchor = _MONTHS[first % 12] if unit.startswith("Y") else _quarter_anchor(first, is_end)
    return f"{count}{unit}-{anchor}"


def parse_frequency(alias: str) -> Any:
    """The offset of pandas that the alias names.

    Raises:
        DataError: there is none, or it does not go forward.
    """
    offset: Any = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a name that pandas will drop still works
            offset = pd.tseries.frequencies.to_offset(alias)
    except ValueError:
        offset = None
    if offset is None or offset.n < 1:
        raise DataError(f"data.frequency: {alias!r} is no frequency: use one such as {EXAMPLES}.")
    return offset


def step_in_months(offset: Any) -> int | None:
    """Months from one stamp to the next; None of a step that is not whole months."""
    kinds = (
        (pd.offsets.MonthBegin, pd.offsets.MonthEnd, 1),
        (pd.offsets.QuarterBegin, pd.offsets.QuarterEnd, 3),
        (pd.offsets.YearBegin, pd.offsets.YearEnd, 12),
    )
    return next((n * offset.n for start, end, n in kinds if isinstance(offset, (start, end))), None)


def is_of_days(alias: str) -> bool:
    """Whether steps begin at midnight: whole days, weeks, months or what pandas counts in business days."""
    offset = parse_frequency(alias)
    step = fixed_step(offset)
    return step is None or step % DAY == 0


def fixed_step(offset: Any) -> int | None:
    """Microseconds from one stamp to the next; None where they vary."""
    if isinstance(offset, pd.offsets.Week):
        return int(7 * DAY * offset.n)
    if isinstance(offset, pd.offsets.Day):
        return int(DAY * offset.n)
    if isinstance(offset, pd.offsets.Tick):
        return int(pd.Timedelta(offset).value // 1000)
    return None
