"""Reading a table from a file: CSV, Parquet, JSON and JSON lines."""

from __future__ import annotations

import csv
import hashlib
import logging
import lzma
from collections import Counter
from pathlib import Path

import pandas as pd

from tuning.data._dialect import OPENERS, Dialect, dialect_of, encoding_of, first_rows, open_text
from tuning.data._periods import TimeIndex, level_values, without_periods
from tuning.data._read_json import flattened, read_json, read_lines
from tuning.data._values import MISSING_TOKENS
from tuning.errors import DataError

_LOGGER = logging.getLogger(__name__)
_CSV, _PARQUET, _JSON, _LINES = "csv", "parquet", "json", "json lines"
_FORMATS = {
    ".csv": _CSV,
    ".tsv": _CSV,
    ".txt": _CSV,
    ".data": _CSV,
    ".parquet": _PARQUET,
    ".pq": _PARQUET,
    ".json": _JSON,
    ".jsonl": _LINES,
    ".ndjson": _LINES,
}
_NA_STRINGS = sorted(
    {form for token in MISSING_TOKENS for form in (token, token.upper(), token.title(), "NaN")}
)


def read_frame(path: str | Path, delimiter: str | None = None) -> pd.DataFrame:
    """Read a table, one row per record, with string column names.

    The format follows from the suffix: .csv, .tsv, .txt, .data; .parquet, .pq; .json (a list of records,
    one record, or an object of columns); .jsonl, .ndjson; text formats also as .gz, .bz2 or .xz. Nested
    records become columns with dotted names, and an index with a name that pandas wrote to Parquet a column.
    Periods are times (`without_periods`). Large JSON files are read record by record, in little more
    memory than the table takes.

    Args:
        path: the file.
        delimiter: of a CSV file; None: that of its `sep=` line, else told among comma, semicolon, tab and
            bar.

    Raises:
        DataError: no such file, an unknown or damaged format, no rows, or duplicate columns.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"There is no data file {path}." if not path.exists() else f"{path} is a folder, not a file."
        )
    try:
        frame = _read(path, delimiter)
    except (OSError, EOFError, UnicodeError, csv.Error, lzma.LZMAError, ValueError) as error:
        raise DataError(f"{path} cannot be read as {_format(path)}: {_one_line(error)}.") from error
    return _checked(frame, path)


def fingerprint(path: str | Path) -> str:
    """SHA-256 of the file's content, as hexadecimal digits.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {_one_line(error)}.") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _format(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in OPENERS:
        suffixes.pop()
    found = _FORMATS.get(suffixes[-1] if suffixes else "")
    if found is None:
        raise DataError(
            f"{path} has no known suffix: use one of {', '.join(_FORMATS)}, or a text one with .gz."
        )
    return found


def _read(path: Path, delimiter: str | None) -> pd.DataFrame:
    kind = _format(path)
    if kind == _PARQUET:
        return flattened(_read_parquet(path))
    if kind == _CSV:
        return _read_csv(path, dialect_of(path, delimiter))
    encoding = encoding_of(path)
    read_records = read_lines if kind == _LINES else read_json
    return read_records(lambda: open_text(path, encoding))


def _read_parquet(path: Path) -> pd.DataFrame:
    """The columns, and the named levels of an index that pandas wrote, as a frame in memory has them."""
    frame = pd.read_parquet(path)
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if frame.index.name is None and isinstance(frame.index, TimeIndex):
        _LOGGER.warning(
            "%s: its index holds times and has no name, and is left out: to use it as a column, name it by "
            "rename_axis('NAME') before it is written.",
            path,
        )
    for place, name in enumerate(named):
        frame.insert(place, name, level_values(frame.index, frame.index.names.index(name)))
    return without_periods(frame)


def _read_csv(path: Path, dialect: Dialect) -> pd.DataFrame:
    _check_head(first_rows(path, dialect), path)
    return pd.read_csv(
        path,
        sep=dialect.delimiter,
        encoding=dialect.encoding,
        skiprows=dialect.skipped,
        index_col=False,
        keep_default_na=False,
        na_values=_NA_STRINGS,
        skipinitialspace=True,
        low_memory=False,
    )


def _check_head(head: list[list[str]], path: Path) -> None:
    if not head:
        raise DataError(f"{path} is empty.")
    header = [name.strip() for name in head[0]]
    _refuse_duplicates([name for name in header if name], path)
    for number, row in enumerate(head[1:], start=2):
        if len(row) > len(header) and any(row[len(header) :]):
            raise DataError(f"{path}: row {number} has {len(row)} fields, the header has {len(header)}.")


def _checked(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    if frame.shape[1] == 0:
        raise DataError(f"{path} is empty.")
    _refuse_duplicates(list(frame.columns), path)
    if len(frame) == 0:
        raise DataError(f"{path} has a header but no rows.")
    return frame


def _refuse_duplicates(names: list[str], path: Path) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"{path} has more than one column named {', '.join(map(repr, repeated))}: rename them."
        )
