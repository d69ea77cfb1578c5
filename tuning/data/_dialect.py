"""The form of a text file, as programs and offices write it: encoding, `sep=` line, delimiter."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import itertools
import logging
import lzma
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_LOGGER = logging.getLogger(__name__)

OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
DELIMITERS = (",", ";", "\t", "|")
SNIFFED_ROWS = 50
_BYTE_ORDER_MARKS = {  # UTF-32 first: its mark of little endians begins as that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BLOCK = 1 << 20
_HEAD = 4096
_SEP_LINE = re.compile(r"\"?sep=(?P<delimiter>.|\\t)\"?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How a delimited file is written.

    Attributes:
        encoding: of the text, as Python names it.
        delimiter: between the fields of a row.
        skipped: lines before the header: 1 where the first one is `sep=;`, which is for Excel.
    """

    encoding: str
    delimiter: str
    skipped: int = 0


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file, compressed or not, with its line ends as they are."""
    opener = OPENERS.get(path.suffix.lower(), open)
    file: IO[str] = opener(path, "rt", encoding=encoding, newline="")
    return file


def encoding_of(path: Path) -> str:
    """Return UTF-16 or 32 by its marks, UTF-8 where the whole file is, else cp1252, which Excel writes.

    Of a file that cp1252 has no letters for it is latin-1, which any file is.
    """
    opener = OPENERS.get(path.suffix.lower(), open)
    with opener(path, "rb") as file:
        head: bytes = file.read(_HEAD)
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)
    found = marked or _unmarked_utf16(head)
    if found is not None:
        return found

    if _is_in(path, "utf-8-sig"):
        return "utf-8-sig"
    found = "cp1252" if _is_in(path, "cp1252") else "latin-1"
    _LOGGER.info("%s is not UTF-8: its letters are read as %s.", path, found)
    return found


def _unmarked_utf16(head: bytes) -> str | None:
    """Return the encoding of text in which every other byte is 0."""
    if len(head) < 4 or b"\0" not in head:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > 0.7 * half and not even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and not odd else None


def _is_in(path: Path, encoding: str) -> bool:
    try:
        with open_text(path, encoding) as file:
            while file.read(_BLOCK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def dialect_of(path: Path, delimiter: str | None = None) -> Dialect:
    """Return how a delimited file is written.

    Args:
        path: the file.
        delimiter: as the user gave it; None: that of the `sep=` line, else the one that cuts the first rows
            into the most columns of which all rows have as many.
    """
    encoding = encoding_of(path)
    with open_text(path, encoding) as file:
        lines = list(itertools.islice(file, SNIFFED_ROWS + 1))
    told = _SEP_LINE.fullmatch(lines[0]) if lines else None
    skipped = 0 if told is None else 1
    if delimiter is None and told is not None:
        delimiter = told["delimiter"].replace("\\t", "\t")
    if delimiter is None:
        rows = lines[:SNIFFED_ROWS]
        delimiter = max(DELIMITERS, key=lambda candidate: _consistency(rows, candidate))
    return Dialect(encoding, delimiter, skipped)


def _consistency(lines: list[str], delimiter: str) -> tuple[bool, float, int]:
    with long_cells():
        rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        widths = [len(row) for row in rows if row]
    if not widths or widths[0] < 2:
        return False, 0.0, 0
    return True, sum(width == widths[0] for width in widths) / len(widths), widths[0]


def first_rows(path: Path, dialect: Dialect) -> list[list[str]]:
    """Return the fields of the header and of the first rows, without empty lines."""
    with long_cells(), open_text(path, dialect.encoding) as file:
        for _ in range(dialect.skipped):
            file.readline()
        rows = csv.reader(file, delimiter=dialect.delimiter, skipinitialspace=True)
        return list(itertools.islice((row for row in rows if row), SNIFFED_ROWS))


@contextmanager
def long_cells() -> Iterator[None]:
    """Let cells of any length through the csv module, which refuses those of 131,072 characters."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
