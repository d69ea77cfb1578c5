"""Taking a written number apart: sign, digits, exponent, and the currency or unit beside it."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import NamedTuple

_SIGN = r"[+\-\u2212\u2013\u2010\u2011\ufe63]"
_CURRENCY = r"$¢£¤¥֏؋৲৳฿៛\u20a0-\u20bf﷼"
_CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ "
    "GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR "
    "LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN "
    "PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SYP SZL THB TJS "
    "TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL "
    "Rs INRs RMB Fr SFr kr RM"
)  # a letter before a number is a code (A7) unless it is a currency of ISO 4217 or a usual short form of one
_BEFORE = rf"(?:[A-Z]{{0,3}}[{_CURRENCY}]|(?:{_CODES.replace(' ', '|')})\.?)"
_LETTER = rf"[^\W\d_]|[%‰°′″'\"/·{_CURRENCY}]"
_BEHIND = rf"(?:{_LETTER})(?:{_LETTER}|[.^-]){{0,11}}[23]?"
_WRITTEN = re.compile(
    rf"(?P<sign>{_SIGN})?\s*(?P<open>\()?\s*(?P<before>{_BEFORE})?\s*(?P<inner>{_SIGN})?\s*(?P<late>\()?\s*"
    r"(?P<digits>\d(?:[\d.,'\u2019\s]*\d)?(?:[.,](?![^\W\d_]))?|[.,]\d+)"
    rf"(?P<exponent>[eE]{_SIGN}?\d+)?"
    rf"\s*(?P<close>\))?\s*(?P<behind>{_BEHIND})?\s*(?P<end>\))?(?P<last>(?!\+){_SIGN})?"
)
_DIGITS_ALONE = re.compile(r"[+-]?\d(?:[\d.,]*\d)?")  # what most values are needs no look at the rest
_ZEROS_BEFORE = re.compile(r"0\d")
_GROUPED = {
    ".": re.compile(r"[1-9]\d{0,2}([,'\u2019 ])\d{3}(?:\1\d{3})*|[1-9]\d?(?:,\d{2})+,\d{3}"),
    ",": re.compile(r"[1-9]\d{0,2}([.'\u2019 ])\d{3}(?:\1\d{3})*"),
}
_BETWEEN_GROUPS = str.maketrans("", "", ".,'\u2019 ")


class Written(NamedTuple):
    """A number as it stands in the text.

    Attributes:
        digits: with points, commas and spaces, without sign.
        unit: the currency or unit, in one spelling; empty where there is none.
        is_negative: a minus stands before or behind, or parentheses around.
        exponent: of ten.
    """

    digits: str
    unit: str = ""
    is_negative: bool = False
    exponent: int = 0

    def value(self, decimal: str) -> float:
        """Return the number under a decimal point or comma; nan where the digits cannot be grouped so."""
        whole, _, fraction = self.digits.partition(decimal)
        if fraction and not fraction.isdecimal():
            return math.nan

        if whole and not whole.isdecimal():
            if not _GROUPED[decimal].fullmatch(whole):
                return math.nan
            whole = whole.translate(_BETWEEN_GROUPS)
        value = float(f"{whole or 0}.{fraction or 0}e{self.exponent}")
        return -value if self.is_negative else value


def take_apart(text: str) -> Written | None:
    """Return the parts of a written number, None where the text is none."""
    if _DIGITS_ALONE.fullmatch(text):
        return Written(text.lstrip("+-"), is_negative=text[0] == "-")
    text = (text if text.isascii() else unicodedata.normalize("NFKC", text)).strip()
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None

    found = match.groupdict("")
    opened, closed = found["open"] + found["late"], found["close"] + found["end"]
    signs = found["sign"] + found["inner"] + found["last"]
    if len(opened) != len(closed) or len(opened) + len(signs) > 1:
        return None

    exponent = found["exponent"][1:]
    power = int(exponent.lstrip("+-\u2212\u2013\u2010\u2011\ufe63") or 0)
    negative_power = exponent[:1] not in "+" and not exponent[:1].isdecimal()
    unit = " ".join(filter(None, (one_spelling(found["before"]), one_spelling(found["behind"]))))
    digits = re.sub(r"\s", " ", found["digits"])
    if unit and _ZEROS_BEFORE.match(digits):
        return None  # 00123x is a code
    return Written(digits, unit, bool(opened) or signs not in "+", -power if negative_power else power)


def one_spelling(unit: str) -> str:
    """Return a unit in small letters and the singular; the case of one or two letters tells mW from MW."""
    unit = unit.strip().rstrip(".").replace("\u2032\u2032", '"')
    if unit in {"KG", "Kg", "KM", "Km", "CM", "Cm"}:
        return unit.lower()
    if len(unit) < 3:
        return unit
    unit = unit.casefold()
    return unit[:-1] if unit.endswith("s") and not unit.endswith("ss") else unit
