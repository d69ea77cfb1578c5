"""Taking a written time stamp apart: the day, the time of the day, the time zone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data._zones import zone_of

IntArray = npt.NDArray[np.int64]

MICROSECONDS_PER_DAY = 86_400_000_000
_WEEKDAY = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.? +", re.IGNORECASE)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})[T _](\d{2})(\d{2})(\d{2})?(?=\D|$)")  # 20240131T1300
_HOUR_ALONE = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2})$")  # 2024-01-31T13
_COLONS = re.compile(r"(\d{4}):(\d{2}):(\d{2})(?= )")  # as cameras write it: 2024:01:31 13:00:00
_CLOCK = re.compile(
    r"(?<![\d.])(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
    r"(?: ?(?P<half>[ap])\.?m\b\.?)?| ?(?P<alone>[ap])\.?m\b\.?)",
    re.IGNORECASE,
)
_BEHIND = re.compile(r"(?P<zone>.*?)(?:(?:^| )(?P<year>\d{4}))?")
_PLAIN = re.compile(r"(\d{1,4}(?:[-/.]\d{1,2}[-/.]\d{2,4})?|\d{5,19})(?: (\d{1,2}:\d{2}(?::\d{2})?))?")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b", re.IGNORECASE)
_POINTS = re.compile(r"(?<=[A-Za-z])\.|\.(?= )")
_SEPT = re.compile(r"\bsept\b", re.IGNORECASE)


class StampText(NamedTuple):
    """A time stamp as it stands in the text.

    Attributes:
        day: the date, without weekday, commas and ordinals.
        micros: microseconds of the day.
        zone: `+01:00` or `Europe/Berlin`; empty where none is given.
        zone_name: as it was written, such as CET.
        clock: the form of the time of the day, as strptime writes it; empty where none is given.
    """

    day: str
    micros: int = 0
    zone: str = ""
    zone_name: str = ""
    clock: str = ""


def take_apart(text: str) -> StampText | None:
    """Return the parts of a time stamp; None where a time or zone in it is none."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None:  # what most stamps are needs no look at the rest
        return _plain_stamp(plain[1], plain[2])
    text = text if text.isascii() else unicodedata.normalize("NFKC", text)
    text = _in_order(" ".join(text.split()))
    match = _CLOCK.search(text)
    if match is None:
        return StampText(_plain_day(text))

    micros = _micros(match)
    before, behind = text[: match.start()].rstrip(" T:,"), text[match.end() :].replace(",", " ").strip()
    if not before:  # the time stands first
        return None if micros is None else StampText(_plain_day(behind), micros, clock=_clock_form(match))
    rest = _BEHIND.fullmatch(behind)
    zone = zone_of(rest["zone"]) if rest else None
    if micros is None or rest is None or zone is None:
        return None
    day = before if rest["year"] is None else f"{before} {rest['year']}"
    return StampText(_plain_day(day), micros, zone, rest["zone"].strip(), _clock_form(match))


def _plain_stamp(day: str, clock: str | None) -> StampText | None:
    if clock is None:
        return StampText(day)
    micros = _plain_micros(clock)
    return None if micros is None else StampText(day, micros, clock="%H:%M:%S"[: 8 if len(clock) > 5 else 5])


@lru_cache(maxsize=100_000)
def _plain_micros(clock: str) -> int | None:
    match = _CLOCK.fullmatch(clock)
    return None if match is None else _micros(match)


def _in_order(text: str) -> str:
    text = _WEEKDAY.sub("", text.replace(", ", " ") if text[:1].isalpha() else text, count=1)
    if not text[:4].isdecimal():
        return text
    text = _COMPACT.sub(lambda m: f"{m[1]}-{m[2]}-{m[3]} {m[4]}:{m[5]}:{m[6] or '00'}", text, count=1)
    return _COLONS.sub(r"\1-\2-\3", _HOUR_ALONE.sub(r"\1 \2:00", text), count=1)


def _plain_day(text: str) -> str:
    if text.isdecimal():
        return text
    text = _ORDINAL.sub("", text.replace(",", " "))
    text = _SEPT.sub("Sep", _POINTS.sub("", text))
    return " ".join(text.replace(" of ", " ").split())


def _micros(match: re.Match[str]) -> int | None:
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    half = (match["half"] or match["alone"] or "").casefold()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half == "p")
    fraction = round(float(f"0.{match['fraction'] or 0}") * 1e6)
    micros = ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
    return micros if minute < 60 and second < 60 and micros <= MICROSECONDS_PER_DAY else None


def _clock_form(match: re.Match[str]) -> str:
    if match["alone"]:
        return "%I %p"
    seconds = ":%S" if match["second"] else ""
    return f"%I:%M{seconds} %p" if match["half"] else f"%H:%M{seconds}"


@dataclass(frozen=True)
class Parts:
    """Stamps that were taken apart: k values, of which days repeat."""

    texts: Sequence[str]

    @cached_property
    def _found(self) -> list[StampText]:
        return [take_apart(text) or StampText("") for text in self.texts]

    @cached_property
    def _factorized(self) -> tuple[IntArray, list[str]]:
        codes, days = pd.factorize(np.array([found.day for found in self._found], dtype=object))
        return codes, list(days)

    @property
    def day_codes(self) -> IntArray:
        """(k,) places in `days`."""
        return self._factorized[0]

    @property
    def days(self) -> list[str]:
        """The distinct text of days."""
        return self._factorized[1]

    @cached_property
    def micros(self) -> npt.NDArray[Any]:
        """(k,) timedelta64[us] of the day."""
        return np.array([found.micros for found in self._found], dtype="timedelta64[us]")

    @cached_property
    def zones(self) -> list[str]:
        """k time zones, empty where none is given."""
        return [found.zone for found in self._found]

    @cached_property
    def clocks(self) -> list[str]:
        """k forms of the time of the day, empty where none is given."""
        return [found.clock for found in self._found]

    @property
    def named_zones(self) -> dict[str, str] | None:
        """The names of zones that hide their offset, such as CET, with it; None where no zone is given."""
        if not any(self.zones):
            return None
        return {
            found.zone_name: found.zone
            for found in self._found
            if found.zone_name.isalpha() and found.zone not in ("", "+00:00")
        }

    @property
    def is_midnight(self) -> npt.NDArray[np.bool_]:
        """(k,) whether the time of the day is given, and is 0:00."""
        return np.array([bool(found.clock) and found.micros == 0 for found in self._found], dtype=bool)

    @property
    def has_day(self) -> npt.NDArray[np.bool_]:
        """(k,) whether there is the text of a day."""
        return np.array([bool(found.day) for found in self._found], dtype=bool)

    @property
    def has_zone(self) -> npt.NDArray[np.bool_]:
        """(k,) whether a time zone is given."""
        return np.array([bool(zone) for zone in self.zones], dtype=bool)

    @property
    def has_clock(self) -> npt.NDArray[np.bool_]:
        """(k,) whether a time of the day is given."""
        return np.array([bool(clock) for clock in self.clocks], dtype=bool)

    def fits_clock(self, is_half_day: bool) -> npt.NDArray[np.bool_]:
        """Return (k,) whether the time of the day has AM or PM, or has 24 hours; or there is none."""
        return np.array(
            [not clock or clock.startswith("%I") == is_half_day for clock in self.clocks], dtype=bool
        )
