"""Time zones as they stand behind a time stamp: Z, +01:00, UTC+1, CET, Europe/Berlin."""

from __future__ import annotations

import re
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_OFFSET = re.compile(r"(?:UTC|GMT)? ?([+\-\u2212])(\d{1,2})(?::?(\d{2}))?")
_REMARK = re.compile(r" ?[(\[][^)\]]*[)\]]$")
_WORDS_FOR_NO_ZONE = frozenset({"", "uhr", "h", "hrs"})
_HOURS = {  # those that RFC 2822 names, and the usual ones elsewhere; the note tells what each was read as
    **{"Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "WET": 0},
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},
    **{"AKST": -9, "AKDT": -8, "HST": -10, "AST": -4, "ADT": -3, "NST": -3.5, "NDT": -2.5, "BRT": -3},
    **{"CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "BST": 1, "WEST": 1, "EET": 2, "EEST": 3, "MSK": 3},
    **{"SAST": 2, "WAT": 1, "CAT": 2, "EAT": 3, "GST": 4, "PKT": 5, "IST": 5.5, "SGT": 8, "HKT": 8, "JST": 9},
    **{"KST": 9, "AWST": 8, "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13},
}


def zone_of(text: str) -> str | None:
    """Return `+01:00` or the name of a region for what stands behind a time; None where it is no zone.

    Empty where nothing, or a word such as Uhr, stands there.
    """
    text = text.strip()
    if text.casefold() in _WORDS_FOR_NO_ZONE:
        return ""
    named = text.strip("[]")
    text = _REMARK.sub("", text)
    offset = _OFFSET.fullmatch(text.upper())
    if offset is not None:
        hours, minutes = int(offset[2]), int(offset[3] or 0)
        good = hours <= 15 and minutes < 60
        return _shown(offset[1] == "+", hours, minutes) if good else None
    if text.upper() in _HOURS:
        minutes = round(_HOURS[text.upper()] * 60)
        return _shown(minutes >= 0, *divmod(abs(minutes), 60))
    return named if is_region(named) else None


def _shown(is_east: bool, hours: int, minutes: int) -> str:
    return f"{'+' if is_east else '-'}{hours:02}:{minutes:02}"


@lru_cache(maxsize=256)
def is_region(name: str) -> bool:
    """Return whether a name as Europe/Berlin is in the database of time zones."""
    if not re.fullmatch(r"[A-Za-z_]+(?:/[A-Za-z_+\-0-9]+)+", name):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return False
    return True


def offset_minutes(zone: str) -> int:
    """Return the minutes east of Greenwich of `+01:00`."""
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return minutes if zone[0] == "+" else -minutes
