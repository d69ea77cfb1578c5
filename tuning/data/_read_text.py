"""The cells of a delimited file, all as text: what they are is learnt later, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tuning.data._dialect import OPENERS, Dialect
from tuning.data._missing import TEXT

_QUOTE_AFTER_SPACE = r"^\s+\""


def read_text(path: Path, names: Sequence[str], dialect: Dialect) -> pd.DataFrame:
    """Return all columns as stripped text, empty cells missing.

    Args:
        path: the file, compressed or not.
        names: of its columns, one for each field of the first row that is not empty.
        dialect: how it is written.

    Raises:
        ValueError: a row has more fields than the first one, or a quote is not closed.
        OSError, UnicodeError: the file cannot be read.
    """
    table = _fast(path, len(names), dialect)
    found = () if table is None else map(_stripped, table.columns)
    columns = [column for column in found if column is not None]
    if len(columns) < len(names):
        return _slow(path, dialect)
    arrays = {place: pd.array(column, dtype=TEXT) for place, column in enumerate(columns)}
    return pd.DataFrame(arrays, copy=False).set_axis(list(names), axis=1)


def _fast(path: Path, n_columns: int, dialect: Dialect) -> pa.Table | None:
    """Return the rows after the header; None where the file is not as regular as this reader wants it."""
    every = {f"f{place}": pa.string() for place in range(n_columns)}
    encoding = "utf8" if dialect.encoding == "utf-8-sig" else dialect.encoding
    read = pa.csv.ReadOptions(autogenerate_column_names=True, encoding=encoding, skip_rows=dialect.skipped)
    parse = pa.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True)
    convert = pa.csv.ConvertOptions(column_types=every, strings_can_be_null=False)
    try:
        with OPENERS.get(path.suffix.lower(), open)(path, "rb") as file:
            table = pa.csv.read_csv(file, read, parse, convert)
    except pa.ArrowInvalid:
        return None
    return table.slice(1) if table.num_columns == n_columns else None


def _stripped(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the text without spaces around it, empty cells missing; None where a quote follows a space."""
    text = pc.utf8_trim_whitespace(column)
    lengths = pc.binary_length(text)
    if pc.sum(lengths) != pc.sum(pc.binary_length(column)) and _has_quote_after_space(column):
        return None
    empty = pc.equal(lengths, 0)
    return pc.if_else(empty, None, text) if pc.any(empty).as_py() else text


def _has_quote_after_space(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, _QUOTE_AFTER_SPACE)).as_py())


def _slow(path: Path, dialect: Dialect) -> pd.DataFrame:
    frame: Any = pd.read_csv(
        path,
        sep=dialect.delimiter,
        encoding=dialect.encoding,
        skiprows=dialect.skipped,
        index_col=False,
        dtype=TEXT,
        keep_default_na=False,
        na_values=[""],
        skipinitialspace=True,
        low_memory=False,
    )
    trimmed: pd.DataFrame = frame.apply(_trimmed)
    return trimmed


def _trimmed(column: pd.Series[Any]) -> pd.Series[Any]:
    text = column.astype(TEXT).str.strip()
    return text.mask(text == "")
