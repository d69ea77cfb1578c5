"""Seasons by the frequency of a grid."""

from __future__ import annotations

from dataclasses import dataclass

from tuning.data.series._frequency import parse_frequency

_MINUTES_PER_DAY = 1440
_SHORTEST_DAILY_MINUTES = 5  # of a finer grid, a day is too many steps to be the first season
_DAYS_PER_WEEK, _DAYS_PER_MONTH = 7, 31
_STEPS_PER_SEASON = {
    "s": (60, 3600),
    "min": (60, _MINUTES_PER_DAY),
    "h": (24, 168),
    "D": (_DAYS_PER_WEEK, 365),
    "B": (5, 0),
    "W": (52, 0),
    "SMS": (24, 0),
    "SME": (24, 0),
    "M": (12, 0),
    "Q": (4, 0),
    "Y": (1, 0),
}


@dataclass(frozen=True)
class Seasons:
    """Lengths of seasons, in time steps.

    Attributes:
        first: m; 1: none.
        second: a longer one that features look at as well; 0: none.
    """

    first: int
    second: int = 0


def seasons_of(frequency: str, given: int | None = None) -> Seasons:
    """The seasons that are usual at a frequency.

    Args:
        frequency: as pandas names it.
        given: the first season, where the user knows it.

    Raises:
        DataError: pandas knows no such frequency.

    >>> seasons_of("h")
    Seasons(first=24, second=168)
    >>> seasons_of("MS"), seasons_of("W-FRI")
    (Seasons(first=12, second=0), Seasons(first=52, second=0))
    """
    usual = _usual(*_unit_and_count(frequency))
    if given is None:
        return usual
    longer = max(usual.first, usual.second)
    return Seasons(given, longer if longer > given else 0)


def level_width(frequency: str, seasons: Seasons) -> int:
    """Steps whose mean is the level of a series: a season, or a quarter of a long one of days or weeks.

    Over a year of weeks a mean would lag the level too far; a day of hours has to be whole.

    >>> level_width("h", seasons_of("h")), level_width("W-FRI", seasons_of("W-FRI"))
    (24, 13)
    """
    unit, _ = _unit_and_count(frequency)
    return (
        seasons.first // 4 if unit in ("D", "B", "W") and seasons.first > _DAYS_PER_MONTH else seasons.first
    )


def _unit_and_count(frequency: str) -> tuple[str, int]:
    """ "15min" -> ("min", 15), "W-FRI" -> ("W", 1), "QS-OCT" -> ("Q", 1)."""
    offset = parse_frequency(frequency)
    code = offset.rule_code.split("-")[0]
    code = code.removeprefix("B") or code  # business months have the season of months
    return (code[0] if code[0] in "WMQY" else code), int(offset.n)


def _usual(unit: str, count: int) -> Seasons:
    if unit == "min" and count >= _SHORTEST_DAILY_MINUTES:
        return Seasons(_MINUTES_PER_DAY // count, 7 * _MINUTES_PER_DAY // count)
    if unit == "D" and count == _DAYS_PER_WEEK:
        unit, count = "W", 1
    first, second = _STEPS_PER_SEASON.get(unit, (1, 0))
    if unit == "D" and count > 1:
        return Seasons(1, second // count)
    return Seasons(max(first // count, 1), second // count)
